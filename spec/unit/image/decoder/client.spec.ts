// One decoder process, in a host of its own.
import { jpeg } from '../../../support/images.js';
import { built, canMount, runInChild } from '../../../support/run-in-child.js';

it('keeps its host running until it has ended, because the next image may wait for that', async () => {
  const ended = await runInChild(`
    const { Decoder } = await import(${built('lib/image/decoder/client.ts')});
    const decoder = new Decoder();
    await decoder.ready;
    decoder.kill();
    await decoder.ended;
    console.log(JSON.stringify('ended'));`);
  expect(ended).toBe('ended');
});

(canMount ? it : it.skip)('inspects an image where host and decoder have no /proc', async () => {
  const image = (await jpeg(64, 48)).toString('base64');
  const found = await runInChild(
    `
    const { inspectImage } = await import(${built('lib/image/inspect.ts')});
    const { MemoryBytes } = await import(${built('lib/bytes/image-bytes.ts')});
    const warnings = [];
    process.on('warning', ({ message }) => warnings.push(message));
    const bytes = new MemoryBytes(Buffer.from('${image}', 'base64'));
    const { width } = await inspectImage(bytes, { verify: 'pixels', maxPixels: 10000 });
    await new Promise(setImmediate);
    console.log(JSON.stringify([width, warnings]));`,
    { mount: { at: '/proc', options: 'size=1m' } },
  );
  // A warning would say that the host has decoded.
  expect(found).toEqual([64, []]);
});
