// What the specs of this folder ask of a server, whatever renders there and whoever hosts it.
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

/** What differs from one answer to the next, with us or without. */
const CHANGING = /^(?:date|set-cookie|(?:x-)?ratelimit.*)$/;

function lasting({ status, headers }: Answer): unknown {
  return { status, headers: Object.entries(headers).filter(([name]) => !CHANGING.test(name)) };
}

/**
 * Looks whether a server with the middleware delivers what it delivers without it, and saves the same bytes.
 *
 * @param bare The address of an image on a server without the middleware.
 * @param url Its address on one with it.
 * @param savePath Where that one saves.
 * @returns The answer to the save.
 */
export async function expectSaved(bare: string, url: string, savePath: string): Promise<Answer> {
  const wanted = await get(bare);
  const delivered = await get(url);
  expect(wanted.status).toBe(200);
  expect(lasting(delivered)).toEqual(lasting(wanted));
  expect(delivered.body.equals(wanted.body)).toBe(true);
  expect(list(savePath)).toEqual([]);

  const answer = await get(`${url}${url.includes('?') ? '&' : '?'}req=saveToFile&name=saved.jpg`);
  expect(answer.reply).toMatchObject({ status: 'done', image: { length: delivered.body.length } });
  expect(answer.status).toBe(200);
  expect(list(savePath)).toEqual(['saved.jpg']);
  expect(readFileSync(join(savePath, 'saved.jpg')).equals(delivered.body)).toBe(true);
  return answer;
}

/** Looks whether a server refuses to save, leaves nothing behind, and lives on to deliver another image. */
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
