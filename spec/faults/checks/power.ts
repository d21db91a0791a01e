// `done` and power loss: the order of the system calls of one save, taken from a trace.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check } from '../support/check.js';
import { verdictOf } from '../support/files.js';
import { eventually, assertPromise } from '../support/assert-promise.js';
import { Server } from '../support/server.js';

/** A system call, with the lines of the trace at which it began and at which it returned. */
interface Call {
  readonly name: string;
  readonly text: string;
  readonly begun: number;
  readonly ended: number;
  readonly result: number;
}

const TRACED =
  'trace=openat,write,writev,pwrite64,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat';

/** Each way to the disk: from memory or from a file, replacing a file or creating one. */
const WAYS = [
  ['whole/1/50000', true],
  ['stream/2/5000000', true],
  ['whole/3/50000', false],
  ['stream/4/5000000', false],
] as const;

export const power: Check = async ({ app, folder }) => {
  let writes = 0;
  for (const [index, [what, overwrite]] of WAYS.entries()) {
    const savePath = join(folder, `saved-${index}`);
    const trace = join(folder, `trace-${index}`);
    mkdirSync(savePath);
    const under = ['strace', '-f', '-y', '-s', '40', '-e', TRACED, '-e', 'signal=none', '-o', trace];
    const server = await Server.start({ app, options: { savePath, overwrite }, under });
    const answer = await server.save(what, 'image.tif');
    assertPromise(verdictOf(answer) === 'done', 'the save that was traced was refused');
    const calls = (): Call[] => callsOf(readFileSync(trace, 'utf8'));
    await eventually(() => calls().some(isReply), 'the trace does not end with the answer');
    await server.stop();
    writes += assertOrder(calls(), savePath, answer.reply.image?.length ?? 0);
  }
  return `${WAYS.length} traces, ${writes} writes → fsync → rename or link → fsync of the folder → answer, in this order`;
};

const isReply = ({ text }: Call): boolean => text.includes('HTTP/1.1 200');

/** Every step has returned before the next begins. */
function assertOrder(calls: readonly Call[], savePath: string, length: number): number {
  const temporary = new RegExp(`<${savePath}/\\.image-save-\\d+-[0-9a-f]{32}\\.tmp(?:\\(deleted\\))?>`);
  const ofTheFile = ({ text }: Call): boolean => temporary.test(text);
  const writes = calls.filter((call) => call.name.includes('write') && ofTheFile(call));
  const written = writes.reduce((sum, { result }) => sum + result, 0);
  assertPromise(written === length, `${written} of ${length} bytes are written to the temporary file`);
  const flush = theOnly(calls, 'fsync of the file', (call) => call.name === 'fsync' && ofTheFile(call));
  const publish = theOnly(calls, 'rename or link', (call) => /^(?:rename|link)/.test(call.name));
  assertPromise(publish.text.includes('.image-save-'), 'what is published is not the temporary file');
  const folderFlush = theOnly(
    calls,
    'fsync of the folder',
    (call) => call.name === 'fsync' && call.text.includes(`<${savePath}>`),
  );
  const reply = theOnly(calls, 'answer', isReply);
  for (const write of writes) assertBefore('a write', write, 'the fsync of the file', flush);
  assertBefore('the fsync of the file', flush, 'the rename', publish);
  assertBefore('the rename', publish, 'the fsync of the folder', folderFlush);
  assertBefore('the fsync of the folder', folderFlush, 'the answer', reply);
  return writes.length;
}

function theOnly(calls: readonly Call[], what: string, is: (call: Call) => boolean): Call {
  const found = calls.filter(is);
  const [only] = found;
  assertPromise(found.length === 1 && only !== undefined, `there are ${found.length} calls for the ${what}`);
  assertPromise(only.result >= 0, `the ${what} fails: ${only.text}`);
  return only;
}

function assertBefore(first: string, { ended }: Call, second: string, { begun }: Call): void {
  assertPromise(ended < begun, `${first} has not returned when ${second} begins`);
}

/** Lines like `12 fsync(20</saved>) = 0`, or in two parts where another thread's call came between. */
function callsOf(trace: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { text: string; begun: number }>();
  trace.split('\n').forEach((line, at) => {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(thread, { text: rest, begun: at });
      return;
    }
    const resumed = rest.startsWith('<... ') ? unfinished.get(thread) : undefined;
    const text = (resumed?.text ?? '') + rest;
    const [, name] = /^(\w+)\(/.exec(text) ?? [];
    const [, result] = / = (-?\d+)[^=]*$/.exec(text) ?? [];
    if (name !== undefined && result !== undefined)
      calls.push({ name, text, begun: resumed?.begun ?? at, ended: at, result: Number(result) });
  });
  return calls;
}
