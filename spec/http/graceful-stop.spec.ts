// Stopping a server: `idle()` resolves when every save has ended completely.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageSave, type SaveRecord } from '../../lib/index.js';
import { get } from '../support/client.js';
import { createDeferred } from '../support/deferred.js';
import { list } from '../support/temp-dir.js';
import { start } from '../support/host.js';
import { jpeg } from '../support/images.js';
import { built, runInChild } from '../support/run-in-child.js';
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

test('closing the server and waiting for idle() leaves no temporary file and loses no record', async () => {
  const log = join(folder(), 'log');
  // The renderer of the second image never ends it, so that its save fails with its temporary file open.
  const program = `
    import { createServer, get } from 'node:http';
    import { appendFile } from 'node:fs/promises';
    import { imageSave } from ${built('lib/index.ts')};
    const image = Buffer.from('${image().toString('base64')}', 'base64');
    const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const middleware = imageSave({
      savePath: ${JSON.stringify(folder())},
      timeout: 1000,
      onSave: async ({ name, code }) => {
        await wait(500);
        await appendFile(${JSON.stringify(log)}, name + ' ' + code + '\\n');
      },
    });
    let rendered = 0;
    const server = createServer((req, res) => middleware(req, res, () => {
      rendered++;
      if (req.url === '/short') res.end(image);
      else res.write(Buffer.concat([image, Buffer.alloc(2_000_000)]));
    }));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const send = (path) => new Promise((resolve) => {
      get({ port: server.address().port, path, agent: false }, (res) => res.resume().on('end', resolve));
    });
    const b = send('/long?req=saveToFile&name=b.jpg');
    await send('/short?req=saveToFile&name=a.jpg&timeout=60000');
    while (rendered < 2) await wait(5);
    await Promise.all([new Promise((resolve) => server.close(resolve)), b]);
    await middleware.idle();
    console.log('true');
    process.exit();
  `;
  expect(await runInChild(program)).toBe(true);
  expect(readFileSync(log, 'utf8').trim().split('\n').sort()).toEqual(['a.jpg undefined', 'b.jpg timeout']);
  expect(list(folder())).toEqual(['a.jpg', 'log']);
});
