import { Writable } from 'node:stream';
import { openOutput } from '../../../../lib/batch/cli/process.js';

it('waits until its reader has room', async () => {
  let read = (): void => undefined;
  const stream = new Writable({
    highWaterMark: 4,
    write: (_chunk, _encoding, done) => {
      read = done;
    },
  });
  const output = openOutput(stream);
  let isWritten = false;
  const writing = output.write('abcdef').then(() => (isWritten = true));
  await new Promise(setImmediate);
  expect(isWritten).toBe(false);
  read();
  await writing;
});

it.each(['EPIPE', 'ENOSPC'])('drops what is written after %s, and says so once', async (code) => {
  const whenClosed = jest.fn();
  const stream = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      done(Object.assign(new Error('no'), { code }));
    },
  });
  const output = openOutput(stream, whenClosed);
  await output.write('abc');
  await output.write('def');
  expect([output.isClosed, whenClosed.mock.calls.length]).toEqual([true, 1]);
  // A reader that leaves is no failure, as `head` does.
  expect(output.failure === undefined).toBe(code === 'EPIPE');
});
