// onPublished and publicUrl: between publishing and the reply, and never in the way of either.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageSave, type ImageSaveOptions, type SaveRecord, type StageTimes } from '../../lib/index.js';
import { get, type Answer } from '../support/client.js';
import { createDeferred, type Deferred } from '../support/deferred.js';
import { start } from '../support/host.js';
import { jpeg } from '../support/images.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder } = useSaveFixture(() => jpeg(40, 30));

let records: SaveRecord[];
let saved: Deferred;
beforeEach(() => {
  records = [];
  saved = createDeferred();
});

/** Starts a host. Returns a function that saves under a name. */
async function mount(
  options: ImageSaveOptions,
): Promise<(name?: string, more?: Parameters<typeof get>[1]) => Promise<Answer>> {
  const onSave = (record: SaveRecord): void => {
    records.push(record);
    saved.resolve();
  };
  const { url } = await start([
    imageSave({ savePath: folder(), onSave, ...options }),
    (_req, res) => res.end(image()),
  ]);
  return (name = 'a.jpg', more = {}) => get(`${url}/x?req=saveToFile&name=${encodeURIComponent(name)}`, more);
}

describe('onPublished', () => {
  test('is called when the image is in place, and the reply and onSave wait for it', async () => {
    const [begun, finish] = [createDeferred(), createDeferred()];
    const order: string[] = [];
    const save = await mount({
      onPublished: async () => {
        expect(readFileSync(join(folder(), 'a.jpg')).equals(image())).toBe(true);
        begun.resolve();
        await finish.promise;
        order.push('onPublished');
      },
    });
    const answer = save().then(({ reply }) => {
      order.push('reply');
      expect(reply.status).toBe('done');
    });
    await begun.promise;
    expect(records).toEqual([]);
    finish.resolve();
    await answer;
    expect(order).toEqual(['onPublished', 'reply']);
  });

  test('gets the record of the save and the request', async () => {
    let seen: [SaveRecord, string | undefined] | undefined;
    const save = await mount({
      publicUrl: '/saved/',
      onPublished: (record, req) => {
        seen = [record, req.method];
      },
    });
    await save('a b.jpg', { method: 'POST' });
    expect(seen).toEqual([
      {
        outcome: 'done',
        name: 'a b.jpg',
        bytes: image().length,
        pixels: 1200,
        width: 40,
        height: 30,
        type: 'image/jpeg',
        url: '/saved/a%20b.jpg',
        rendererStatus: 200,
        milliseconds: expect.any(Number) as number,
        stages: expect.objectContaining({ publishing: expect.any(Number) as number }) as StageTimes,
      },
      'POST',
    ]);
    await saved.promise;
    expect(records[0]).toMatchObject({ outcome: 'done', url: '/saved/a%20b.jpg' });
  });

  test('holds no slot: other saves go on meanwhile', async () => {
    const [begun, finish] = [createDeferred(), createDeferred()];
    const save = await mount({
      concurrency: 1,
      onPublished: async ({ name }) => {
        if (name !== 'a.jpg') return;
        begun.resolve();
        await finish.promise;
      },
    });
    const first = save('a.jpg');
    await begun.promise;
    expect((await save('b.jpg')).reply.status).toBe('done');
    finish.resolve();
    expect((await first).reply.status).toBe('done');
  });

  test('of a client that disconnects meanwhile is awaited, and the save is done', async () => {
    const [begun, finish] = [createDeferred(), createDeferred()];
    const client = new AbortController();
    const save = await mount({
      onPublished: async () => {
        begun.resolve();
        await finish.promise;
      },
    });
    const sent = save('a.jpg', { signal: client.signal });
    await begun.promise;
    client.abort();
    await expect(sent).rejects.toThrow();
    finish.resolve();
    await saved.promise;
    expect(records).toMatchObject([{ outcome: 'done', warning: undefined }]);
  });
});

describe('publicUrl', () => {
  test('may depend on the request', async () => {
    const save = await mount({
      publicUrl: (name, req) => `https://${req.headers['x-tenant'] as string}/${name}?by=${req.method}`,
    });
    const { reply } = await save('a.jpg', { method: 'POST', headers: { 'X-Tenant': 'acme.example' } });
    expect(reply.url).toBe('https://acme.example/a.jpg?by=POST');
  });
});
