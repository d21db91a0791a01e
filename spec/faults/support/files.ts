// What is to be seen of a save folder from outside, and whether an answer is one of the two that there may be.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from '../../support/client.js';
import { assertPromise } from './assert-promise.js';
import { seedOf } from './picture.js';

const OURS = /^\.image-save-\d+-[0-9a-f]{32}\.tmp$/;

/** The temporary files in a folder, ours by their name. */
export function temporaryFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => OURS.test(name));
}

export function assertNoLeftovers(folder: string): void {
  const left = temporaryFiles(folder);
  assertPromise(left.length === 0, `${left.length} temporary files are left`);
}

/** Which picture a file holds, whole; undefined where there is no file. */
export function seedIn(folder: string, name: string): number | undefined {
  const path = join(folder, name);
  return existsSync(path) ? seedOf(readFileSync(path)) : undefined;
}

/** Holds that a file is this picture, whole. */
export function assertSeed(folder: string, name: string, seed: number): void {
  const found = seedIn(folder, name);
  assertPromise(found === seed, `${name} holds picture ${found ?? 'none'}, not ${seed}`);
}

/**
 * Holds that an answer has the contract's form: 200 or 403, and a body that says the same.
 *
 * @returns `done`, or the error code.
 */
export function verdictOf({ status, headers, reply, body }: Answer): string {
  const text = body.toString('latin1');
  assertPromise(status === 200 || status === 403, `the answer is ${status}`);
  assertPromise(
    headers['content-type'] === 'text/plain' && headers['cache-control'] === 'no-store',
    'its headers differ',
  );
  assertPromise(text.startsWith(status === 200 ? '#S7Z OK\n#' : '#S7Z ERROR\n#'), 'its first line differs');
  assertPromise(/^[\n\x20-\x7e]*$/.test(text), 'it is not ASCII');
  assertPromise((status === 200) === (reply.status === 'done'), `it says ${status} and ${reply.status}`);
  const { error } = reply;
  if (status === 200) return 'done';
  assertPromise(error !== undefined, 'it gives no reason');
  assertPromise(!/\/proc|\/tmp|E[A-Z]{4,}|\.tmp/.test(error.message), `it tells too much: ${error.message}`);
  return error.code;
}
