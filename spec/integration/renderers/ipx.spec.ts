// In front of ipx, with the usual middleware around.
import { removeTempDirs } from '../../support/temp-dir.js';
import { startPairs, stopPairs } from './pairs.js';
import type { Pairs } from './pairs-server.js';
import { PICTURE, expectRefused, expectSaved } from './pictures.js';
import { places, type Place } from './usual-middleware.js';

let pairs: Pairs;

beforeAll(async () => {
  pairs = await startPairs('ipx');
});
afterAll(async () => {
  await stopPairs();
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
