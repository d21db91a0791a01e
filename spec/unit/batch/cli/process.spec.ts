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

it('drops what is written when its reader has gone, and says so once', async () => {
  const whenClosed = jest.fn();
  const stream = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      done(new Error('EPIPE'));
    },
  });
  const output = openOutput(stream, whenClosed);
  await output.write('abc');
  await output.write('def');
  expect([output.isClosed, whenClosed.mock.calls.length]).toEqual([true, 1]);
});
