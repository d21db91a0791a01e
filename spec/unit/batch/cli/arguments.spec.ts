import { Exit, parseArguments, type BatchArguments } from '../../../../lib/batch/cli/arguments.js';

let written: string;
beforeEach(() => {
  written = '';
});

function parse(...args: string[]): BatchArguments {
  const write = (text: string): void => void (written += text);
  return parseArguments(args, { version: '1.2.3', writeOut: write, writeErr: write });
}

function statusOf(...args: string[]): number {
  try {
    parse(...args);
  } catch (error) {
    if (error instanceof Exit) return error.status;
    throw error;
  }
  throw new Error('it did not exit');
}

it('reads a file of jobs with every option', () => {
  const { settings, ...rest } = parse(
    ...['batch', 'jobs.txt', '--server', 'http://host:3000', '--header', 'A: 1', '--header', 'B: 2'],
    ...[
      '--concurrency',
      '4',
      '--retries',
      '0',
      '--timeout',
      '9',
      '--ledger',
      'l',
      '--json',
      '--quiet',
      '--dry-run',
    ],
  );
  expect(rest).toEqual({ list: { kind: 'lines', path: 'jobs.txt' }, json: true, quiet: true, dryRun: true });
  expect(settings).toMatchObject({
    ...{ server: 'http://host:3000', headers: { A: '1', B: '2' }, concurrency: 4, retries: 0 },
    ...{ timeout: 9, ledger: 'l' },
  });
});

it('has the defaults of saveAll', () => {
  const { settings, ...rest } = parse('batch', '-');
  expect(rest).toEqual({ list: { kind: 'lines', path: '-' }, json: false, quiet: false, dryRun: false });
  expect(settings).toMatchObject({ concurrency: 8, retries: 5, headers: {} });
});

it('reads a matrix and a log', () => {
  const matrix = parse('batch', '--url', '/{p}', '--name', '{p}.jpg', '--set', 'p=a', '--set', 'q=@f');
  expect(matrix.list).toEqual({ kind: 'matrix', url: '/{p}', name: '{p}.jpg', set: ['p=a', 'q=@f'] });
  const log = parse('batch', '--from-log', 'access.log', '--name', '{hash}', '--column', '7');
  expect(log.list).toEqual({ kind: 'log', path: 'access.log', name: '{hash}', column: 7 });
});

it.each([
  [['batch'], /Say what to save/],
  [['batch', 'a', '--url', '/x', '--name', 'x'], /not several/],
  [['batch', '--url', '/x'], /--name/],
  [['batch', '--from-log', 'l'], /--name '\{path\}/],
  [['batch', 'a', '--name', 'x'], /--name belongs to/],
  [['batch', 'a', '--set', 'x=1'], /--set fills/],
  [['batch', 'a', '--column', '1'], /--column belongs to/],
  [['batch', 'a', '--header', 'x'], /is no header/],
  [['batch', 'a', '--ledger', ''], /--ledger needs/],
])('says how %j should be', (args, message) => {
  expect(() => parse(...args)).toThrow(message);
});

it.each([
  [['batch', 'a', '--ledgr', 'l'], /unknown option '--ledgr'\n\(Did you mean --ledger\?\)/],
  [['batch', 'a', '--concurrency', '0'], /'0' is invalid. Give a whole number from 1/],
  [['batch', 'a', '--retries', '1.5'], /whole number from 0/],
  [['batch', 'a', '--server', 'localhost:3000'], /as in http:\/\/localhost:3000/],
  [['batch', 'a', 'b'], /too many arguments/],
  [['bach'], /unknown command 'bach'/],
  [['batch', '--url'], /argument missing/],
])('exits with 2 at %j, after a message', (args, message) => {
  expect(statusOf(...args)).toBe(2);
  expect(written).toMatch(message);
});

it.each([
  [['--help'], /batch/],
  [['batch', '--help'], /--ledger <file>[^]*Exit status/],
  [['--version'], /^1\.2\.3$/m],
])('exits with 0 after %j', (args, text) => {
  expect(statusOf(...args)).toBe(0);
  expect(written).toMatch(text);
});

it('shows the help and exits with 2 without a command', () => {
  expect(statusOf()).toBe(2);
  expect(written).toMatch(/Usage: express-image-save/);
});
