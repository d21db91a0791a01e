// Stopping a server: `idle()` resolves when every save has ended completely.
import { imageSave, type SaveRecord } from '../../lib/index.js';
import { get } from '../support/client.js';
import { createDeferred } from '../support/deferred.js';
import { start } from '../support/host.js';
import { jpeg } from '../support/images.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder } = useSaveFixture(() => jpeg(40, 30));

it('idle() resolves at once without saves', async () => {
  await imageSave({ savePath: folder() }).idle();
});

it('idle() resolves only after every onSave, also for saves that begin meanwhile', async () => {
  const records: SaveRecord[] = [];
  const settled = createDeferred();
  const middleware = imageSave({
    savePath: folder(),
    onSave: async (record) => {
      await settled.promise;
      records.push(record);
    },
  });
  const { url } = await start([middleware, (_req, res) => res.end(image())]);
  await get(`${url}/x?req=saveToFile&name=a.jpg`);
  let isIdle = false;
  const idle = middleware.idle().then(() => {
    isIdle = true;
  });
  await get(`${url}/x?req=saveToFile&name=b.jpg`);
  expect(isIdle).toBe(false);
  settled.resolve();
  await idle;
  expect(records.map((record) => record.name).sort()).toEqual(['a.jpg', 'b.jpg']);
});

it('idle() resolves although the store and onSave fail', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
  const middleware = imageSave({
    store: { prepare: () => Promise.reject(new Error('no')) },
    onSave: () => Promise.reject(new Error('no')),
  });
  const { url } = await start([middleware, (_req, res) => res.end(image())]);
  await get(`${url}/x?req=saveToFile&name=a.jpg`);
  await middleware.idle();
  warn.mockRestore();
});
