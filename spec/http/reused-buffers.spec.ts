// The inspected bytes are the published bytes, even if the renderer reuses its buffer after sending it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type express from 'express';
import { imageSave } from '../../lib/index.js';
import { get } from '../support/client.js';
import { start, type Handler } from '../support/host.js';
import { jpeg } from '../support/images.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder } = useSaveFixture(() => jpeg(300, 200));

/** Ways to send a buffer that the renderer may change afterwards. */
const WAYS: Record<string, (res: express.Response, bytes: Buffer) => void> = {
  end: (res, bytes) => res.end(bytes),
  send: (res, bytes) => res.send(bytes),
  'write and end': (res, bytes) => {
    res.write(bytes);
    res.end();
  },
  'two writes and end': (res, bytes) => {
    res.write(bytes.subarray(0, 100));
    res.write(bytes.subarray(100, 200));
    res.end(bytes.subarray(200));
  },
};

const REUSES: Record<string, (bytes: Buffer) => void> = {
  overwrites: (bytes) => bytes.fill(0),
  transfers: (bytes) => {
    structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
  },
};

describe.each(Object.keys(WAYS))('a renderer that uses %s', (way) => {
  describe.each(Object.keys(REUSES))('and %s its buffer', (reuse) => {
    test.each([undefined, 0, 1, 2, 3, 5, 8, 12])(
      'gets the image saved as sent when it does so after %p ms',
      async (delay) => {
        const later: Promise<void>[] = [];
        const renderer: Handler = (_req, res) => {
          // A buffer with its own memory, such as a WebAssembly encoder returns.
          const bytes = Buffer.from(new Uint8Array(image()).buffer);
          const change = (): void => {
            REUSES[reuse]!(bytes);
          };
          WAYS[way]!(res as express.Response, bytes);
          if (delay === undefined) change();
          else later.push(setTimeout(delay).then(change));
        };
        const { url } = await start([imageSave({ savePath: folder() }), renderer]);
        const { reply } = await get(`${url}/x?req=saveToFile&name=x.jpg`);
        await Promise.all(later);
        expect(reply).toMatchObject({ status: 'done', image: { length: image().length } });
        expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
      },
    );
  });
});

test('saves an encoded body as sent although its buffer is overwritten at once', async () => {
  const { url } = await start([
    imageSave({ savePath: folder() }),
    (_req, res) => {
      const bytes = Buffer.from(new Uint8Array(gzipSync(image())).buffer);
      res.setHeader('Content-Encoding', 'gzip');
      res.end(bytes);
      bytes.fill(0);
    },
  ]);
  expect((await get(`${url}/x?req=saveToFile&name=x.jpg`)).reply.status).toBe('done');
  expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
});
