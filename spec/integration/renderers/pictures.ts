// The checks of this folder, for every renderer in every host.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { get, type Answer } from '../../support/client.js';
import { eventually } from '../../support/deferred.js';
import { list, makeTempDir } from '../../support/temp-dir.js';
import { jpeg } from '../../support/images.js';
import type { Pair } from './usual-middleware.js';

export const PICTURE = 'picture.jpg';

/** A folder that holds one picture, under {@link PICTURE}. */
export async function makePictures(): Promise<{ readonly folder: string; readonly picture: Buffer }> {
  const folder = makeTempDir();
  const picture = await jpeg();
  writeFileSync(join(folder, PICTURE), picture);
  return { folder, picture };
}

/** Headers that differ from one response to the next, with or without the middleware. */
const CHANGING = /^(?:date|set-cookie|(?:x-)?ratelimit.*)$/;

function lasting({ status, headers }: Answer): unknown {
  return { status, headers: Object.entries(headers).filter(([name]) => !CHANGING.test(name)) };
}

/**
 * Checks that a server delivers the same bytes with and without the middleware, and saves those bytes.
 *
 * @param path That of an image.
 * @param name The name to save under.
 * @returns The answer to the save.
 */
export async function expectSaved(
  { bare, url, savePath }: Pair,
  path: string,
  name = 'saved.jpg',
): Promise<Answer> {
  const wanted = await get(bare + path);
  const delivered = await get(url + path);
  expect(wanted.status).toBe(200);
  expect(lasting(delivered)).toEqual(lasting(wanted));
  expect(delivered.body.equals(wanted.body)).toBe(true);
  expect(list(savePath)).toEqual([]);

  const answer = await get(`${url}${path}${path.includes('?') ? '&' : '?'}req=saveToFile&name=${name}`);
  expect(answer.reply).toMatchObject({ status: 'done', image: { length: delivered.body.length } });
  expect(answer.status).toBe(200);
  expect(list(savePath)).toEqual([name]);
  expect(readFileSync(join(savePath, name)).equals(delivered.body)).toBe(true);
  return answer;
}

/** Checks that a server refuses to save the image of a path, leaves no file, and still delivers that of another. */
export async function expectRefused(
  { url, savePath }: Pick<Pair, 'url' | 'savePath'>,
  path: string,
  other: string,
  code: string,
  status = 'failed',
): Promise<void> {
  const before = list(savePath);
  const answer = await get(`${url}${path}?req=saveToFile&name=saved.jpg`);
  expect(answer.reply).toMatchObject({ status, error: { code } });
  expect(answer.status).toBe(403);
  await eventually(() => isDeepStrictEqual(list(savePath), before));
  expect((await get(url + other)).status).toBe(200);
}
