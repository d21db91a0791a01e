// Every rejection of the S3 store belongs to a call of the middleware, so none reaches the process.
import { built, runInChild } from '../../support/run-in-child.js';

const BEFORE = `
  import { IncomingMessage } from 'node:http';
  import { Socket } from 'node:net';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { MemoryBytes } from ${built('lib/bytes/image-bytes.ts')};
  let unhandled = 0;
  process.on('unhandledRejection', () => unhandled++);
  process.on('uncaughtException', () => unhandled++);
  let rejected = 0;
  const attempt = async (store, signal, bytes) => {
    let target;
    try {
      const req = new IncomingMessage(new Socket());
      target = await store.prepare('a.png', { req, overwrite: true, durable: true, signal });
      const own = target.tempFile;
      if (own) await own.write([bytes]);
      const image = { bytes: own ?? new MemoryBytes(bytes), format: 'png', type: 'image/png', width: 1, height: 1, pages: 1, pixels: 1 };
      // A stream without an error listener, while the file is removed.
      own?.stream().resume();
      await target.publish(image, { commit: () => signal.throwIfAborted() });
    } catch {
      rejected++;
    }
    await Promise.all([target?.tempFile?.discard(), target?.tempFile?.discard()]);
    await target?.close?.();
  };`;

it('leaves no rejection of an S3 store unhandled when a request fails or is aborted', async () => {
  const outcome = await runInChild(`${BEFORE}
    import { s3Store } from ${built('lib/stores/s3/s3-store.ts')};
    const MIB = 1024 ** 2;
    const steps = ['HeadBucketCommand', 'CreateMultipartUploadCommand', 'UploadPartCommand', 'CompleteMultipartUploadCommand', 'PutObjectCommand'];
    for (const step of steps) {
      for (const length of [1000, 11 * MIB]) {
        for (const aborts of [false, true]) {
          const abort = new AbortController();
          const client = {
            config: {},
            async send(command) {
              if (command.constructor.name !== step) return { UploadId: '1', ETag: 'e' };
              if (aborts) abort.abort(new Error('aborted'));
              throw new Error('failed');
            },
          };
          await attempt(s3Store({ client, bucket: 'b', partSize: 5 * MIB }), abort.signal, Buffer.alloc(length));
        }
      }
    }
    await sleep(50);
    console.log(JSON.stringify({ unhandled, rejected: rejected > 10 }));`);
  expect(outcome).toEqual({ unhandled: 0, rejected: true });
});
