// Starts renderers in a process of their own; see pairs-server.ts.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { makeTempDir } from '../../support/temp-dir.js';
import { makePictures } from './pictures.js';
import type { Library, Pairs } from './pairs-server.js';

let server: ChildProcess | undefined;

/** Starts the renderers of a library, each without the middleware and with it, at every place of the usual middleware. */
export async function startPairs(library: Library): Promise<Pairs> {
  const { folder } = await makePictures();
  // As CommonJS: the oldest Node that we support cannot import sharp.
  const script = `require(${JSON.stringify(resolve('spec/integration/renderers/pairs-server.ts'))})`;
  server = spawn(
    process.execPath,
    ['--require', 'tsx/cjs', '--eval', script, library, folder, makeTempDir()],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const ended = once(server, 'exit').then(([code]) => {
    throw new Error(`The server ended with ${String(code)}`);
  });
  ended.catch(() => undefined);
  const [pairs] = (await Promise.race([once(server, 'message'), ended])) as [Pairs];
  return pairs;
}

export async function stopPairs(): Promise<void> {
  if (server?.connected !== true) return;
  const ended = once(server, 'exit');
  server.disconnect();
  await ended;
}
