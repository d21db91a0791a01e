// One decoder process, in a host of its own.
import { built, runInChild } from '../../../support/run-in-child.js';

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
