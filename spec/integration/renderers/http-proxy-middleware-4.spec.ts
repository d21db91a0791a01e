// In front of http-proxy-middleware 4, with the usual middleware around; skipped on Node versions that it does not
// support. Its conduct when the other server breaks off is in spec/integration/recipes/proxy.spec.ts.
import { runsHttpProxyMiddleware4 } from '../../support/node-version.js';
import { removeTempDirs } from '../../support/temp-dir.js';
import { startPairs, stopPairs } from './pairs.js';
import type { Pairs } from './pairs-server.js';
import { PICTURE, expectRefused, expectSaved } from './pictures.js';
import { places, type Place } from './usual-middleware.js';

const describeIf = runsHttpProxyMiddleware4 ? describe : describe.skip;

describeIf('http-proxy-middleware 4', () => {
  let pairs: Pairs;

  beforeAll(async () => {
    pairs = await startPairs('http-proxy-middleware 4');
  });
  afterAll(async () => {
    await stopPairs();
    removeTempDirs();
  });

  describe.each(['createProxyMiddleware', 'responseInterceptor'])('%s', (name) => {
    test.each(Object.keys(places) as Place[])('delivers and saves the same bytes %s', async (place) => {
      const { bare, url, savePath } = pairs[name]![place];
      await expectSaved(`${bare}/${PICTURE}`, `${url}/${PICTURE}`, savePath);
    });

    test('saves nothing where the other server has no such picture', async () => {
      const { url, savePath } = pairs[name]!['with all of the usual middleware between'];
      await expectRefused(`${url}/none.jpg`, `${url}/${PICTURE}`, savePath, 'renderer-status');
    });
  });
});
