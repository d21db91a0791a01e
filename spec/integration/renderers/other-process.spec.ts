// In front of ipx and http-proxy-middleware 4, with the usual middleware around: in a process of their own, see
// pairs-server.ts. How that proxy behaves when the other server breaks off is in spec/integration/recipes/proxy.spec.ts.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { runsHttpProxyMiddleware4 } from '../../support/project.js';
import { makeTempDir, removeTempDirs } from '../../support/temp-dir.js';
import type { Library, Pairs } from './pairs-server.js';
import { PICTURE, expectRefused, expectSaved, makePictures } from './pictures.js';
import { places } from './usual-middleware.js';

/** The renderers of each library, where the picture is, where another would be, and whether it runs on this Node. */
const LIBRARIES: Record<Library, { renderers: string[]; path: string; missing: string; runs: boolean }> = {
  ipx: {
    renderers: ['createIPXNodeServer', 'createIPXWebServer'],
    path: `/w_100,f_jpeg/${PICTURE}`,
    missing: '/_/none.jpg',
    runs: true,
  },
  'http-proxy-middleware 4': {
    renderers: ['createProxyMiddleware', 'responseInterceptor'],
    path: `/${PICTURE}`,
    missing: '/none.jpg',
    runs: runsHttpProxyMiddleware4,
  },
};

let server: ChildProcess;

/** Starts the renderers of a library, each without the middleware and with it, at every place of the usual middleware. */
async function startPairs(library: string): Promise<Pairs> {
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

for (const [library, { renderers, path, missing, runs }] of Object.entries(LIBRARIES)) {
  (runs ? describe : describe.skip)(library, () => {
    let pairs: Pairs;
    beforeAll(async () => {
      pairs = await startPairs(library);
    });
    afterAll(async () => {
      if (server.connected) {
        const ended = once(server, 'exit');
        server.disconnect();
        await ended;
      }
      await removeTempDirs();
    });

    describe.each(renderers)('%s', (name) => {
      test.each(places)('delivers and saves the same bytes %s', async (place) => {
        await expectSaved(pairs[name]![place], path);
      });

      test('saves nothing where there is no such picture', async () => {
        const pair = pairs[name]!['with all of the usual middleware between'];
        await expectRefused(pair, missing, path, 'renderer-status');
      });
    });
  });
}
