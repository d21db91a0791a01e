// The checks of this folder, for every renderer in every host.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { get, type Answer } from '../../support/client.js';
import { list, makeTempDir } from '../../support/temp-dir.js';
import { jpeg } from '../../support/images.js';

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
 * @param bare The address of an image on a server without the middleware.
 * @param url Its address on one with it.
 * @param savePath The save path of that server.
 * @param name The name to save under.
 * @returns The answer to the save.
 */
export async function expectSaved(
  bare: string,
  url: string,
  savePath: string,
  name = 'saved.jpg',
): Promise<Answer> {
  const wanted = await get(bare);
  const delivered = await get(url);
  expect(wanted.status).toBe(200);
  expect(lasting(delivered)).toEqual(lasting(wanted));
  expect(delivered.body.equals(wanted.body)).toBe(true);
  expect(list(savePath)).toEqual([]);

  const answer = await get(`${url}${url.includes('?') ? '&' : '?'}req=saveToFile&name=${name}`);
  expect(answer.reply).toMatchObject({ status: 'done', image: { length: delivered.body.length } });
  expect(answer.status).toBe(200);
  expect(list(savePath)).toEqual([name]);
  expect(readFileSync(join(savePath, name)).equals(delivered.body)).toBe(true);
  return answer;
}

/** Checks that a server refuses a save, leaves no file, and still delivers another image. */
export async function expectRefused(
  url: string,
  other: string,
  savePath: string,
  code: string,
  status = 'failed',
): Promise<void> {
  const before = list(savePath);
  const answer = await get(`${url}?req=saveToFile&name=saved.jpg`);
  expect(answer.reply).toMatchObject({ status, error: { code } });
  expect(answer.status).toBe(403);
  expect(list(savePath)).toEqual(before);
  expect((await get(other)).status).toBe(200);
}
