// In front of ipx, with the usual middleware around.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { makeTempDir, removeTempDirs } from '../../support/temp-dir.js';
import type { Pairs } from './ipx-server.js';
import { PICTURE, expectRefused, expectSaved, makePictures } from './pictures.js';
import { places, type Place } from './usual-middleware.js';

let server: ChildProcess;
let pairs: Pairs;

beforeAll(async () => {
  const { folder } = await makePictures();
  // As CommonJS: the oldest Node that we support cannot import sharp.
  const script = `require(${JSON.stringify(resolve('spec/integration/renderers/ipx-server.ts'))})`;
  server = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', script, folder, makeTempDir()], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(server, 'exit').then(([code]) => {
    throw new Error(`The server ended with ${String(code)}`);
  });
  ended.catch(() => undefined);
  [pairs] = (await Promise.race([once(server, 'message'), ended])) as [Pairs];
});
afterAll(async () => {
  const ended = once(server, 'exit');
  server.disconnect();
  await ended;
  removeTempDirs();
});

describe.each(['createIPXNodeServer', 'createIPXWebServer'])('%s', (name) => {
  test.each(Object.keys(places) as Place[])('is saved %s', async (place) => {
    const { bare, url, savePath } = pairs[name]![place];
    const path = `/w_100,f_jpeg/${PICTURE}`;
    await expectSaved(bare + path, url + path, savePath);
  });

  test('is refused for a missing picture', async () => {
    const { url, savePath } = pairs[name]!['with all of the usual middleware between'];
    await expectRefused(`${url}/_/none.jpg`, `${url}/_/${PICTURE}`, savePath, 'renderer-status');
  });
});
