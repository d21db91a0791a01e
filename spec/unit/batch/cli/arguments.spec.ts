import { PassThrough } from 'node:stream';
import type { JobList } from '../../../../lib/batch/jobs/open-jobs.js';
import { parseArguments, type BatchArguments, type CliTask } from '../../../../lib/batch/cli/arguments.js';
import { readText } from '../../../support/read-text.js';

let written: PassThrough;
beforeEach(() => {
  written = new PassThrough();
});

const parseTask = (...args: string[]): CliTask | number =>
  parseArguments({ args, version: '1.2.3', stdout: written, stderr: written });

function parse(...args: string[]): BatchArguments {
  const task = parseTask(...args);
  if (typeof task === 'number' || task.kind !== 'batch') throw new Error('no batch');
  const { list, settings, json, quiet, dryRun } = task;
  return { list, settings, json, quiet, dryRun };
}

it('reads a file of jobs with every option', () => {
  const line =
    'batch jobs.txt --server http://host:3000 --header A:1 --header B:2 --concurrency 4 --retries 0 --timeout 9 --ledger l --json --quiet --dry-run';
  const { settings, ...rest } = parse(...line.split(' '));
  const list = { kind: 'lines', path: 'jobs.txt', templates: undefined };
  expect(rest).toEqual({ list, json: true, quiet: true, dryRun: true });
  expect(settings).toMatchObject({
    ...{ server: 'http://host:3000', headers: { A: '1', B: '2' }, concurrency: 4, retries: 0 },
    ...{ timeout: 9, ledger: 'l' },
  });
});

it('reads a matrix, a table, JSON with templates, and a log', () => {
  const list = (...args: string[]): JobList => parse('batch', ...args).list;
  const templates = { url: '/{p}', name: '{p}.jpg', set: ['p=a', 'q=@f'] };
  const options = ['--url', '/{p}', '--name', '{p}.jpg', '--set', 'p=a', '--set', 'q=@f'];
  expect(list(...options)).toEqual({ kind: 'matrix', templates });
  expect(list('--csv', 'pim.csv', ...options)).toEqual({ kind: 'csv', path: 'pim.csv', templates });
  expect(list('--csv', '-')).toMatchObject({ templates: { url: '{url}', name: '{name}', set: [] } });
  const named = { kind: 'lines', templates: { url: '{url}', name: '{sku}' } };
  expect(list('a.json', '--name', '{sku}')).toMatchObject(named);
  const log = { kind: 'log', path: 'l', name: '{hash}', column: 7, under: '' };
  expect(list('--from-log', 'l', '--name', '{hash}', '--column', '7')).toEqual(log);
  const saves = { ...log, name: undefined, column: undefined, under: '/is/' };
  expect(list('--from-log', 'l', '--saves', '--under', '/is/')).toEqual(saves);
});

it('reads a report, whose --csv is its own', () => {
  const both = { kind: 'report', ledgers: ['a', 'b'], csv: true };
  expect(parseTask('batch', 'report', 'a', 'b', '--csv')).toEqual(both);
  expect(parseTask('batch', 'report', 'a')).toMatchObject({ csv: false });
});

it.each([
  [['batch'], /Say what to save/],
  [['batch', 'a', '--csv', 'b'], /not several/],
  [['batch', '--url', '/x'], /--name/],
  [['batch', '--from-log', 'l'], /--name '\{hash\}/],
  [['batch', 'a', '--set', 'x=1'], /--set fills/],
  [['batch', 'a', '--column', '1'], /belong to --from-log/],
  [['batch', 'a', '--header', 'x'], /is no header/],
])('says how %j should be', (args, message) => {
  expect(() => parse(...args)).toThrow(message);
});

it.each([
  [['batch', 'a', '--ledgr', 'l'], /unknown option '--ledgr'\n\(Did you mean --ledger\?\)/],
  [['batch', 'a', '--concurrency', '0'], /'0' is invalid. It must be a whole number from 1 to 1000/],
  [['batch', 'a', '--retries', '1.5'], /whole number from 0/],
  [['batch', 'a', 'b'], /too many arguments/],
  [['batch', 'a', '--shard', '5/4'], /as in 2\/4/],
  [['batch', '--from-log', 'l', '--saves', '--name', 'x'], /--saves' cannot be used with option '--name/],
  [['batch', '--from-log', 'l', '--url', '/x', '--name', 'x'], /cannot be used with option '--url/],
  [['batch', '--from-log', 'l', '--csv', 'x'], /cannot be used with option '--csv/],
  [['batch', 'report'], /missing required argument/],
  [['bach'], /unknown command 'bach'/],
  [['batch', '--url'], /argument missing/],
])('exits with 2 at %j, after a message', (args, message) => {
  expect(parseTask(...args)).toBe(2);
  expect(readText(written)).toMatch(message);
});

it.each([
  [['--help'], /batch/],
  [['batch', '--help'], /--ledger <file>[^]*Exit status/],
  [['--version'], /^1\.2\.3$/m],
])('exits with 0 after %j', (args, text) => {
  expect(parseTask(...args)).toBe(0);
  expect(readText(written)).toMatch(text);
});

it('shows the help and exits with 2 without a command', () => {
  expect(parseTask()).toBe(2);
  expect(readText(written)).toMatch(/Usage: express-image-save/);
});
