// Every combination of some values: one picture in each width and format, say.
import { encodeValue } from '../save-url.js';
import type { JobEntry } from '../prepare-job.js';
import { MAX_LINE_LENGTH, readLines } from '../read-lines.js';
import { UsageError } from '../types.js';
import { isSkipped, openText, type TextSource } from './lines.js';
import { Template } from './template.js';
import type { Readable } from 'node:stream';

/** The values of one place. */
type ValueSet = { readonly name: string } & (
  | { readonly values: readonly string[] }
  /** One value a line. Not kept in memory: a catalogue may have a million pictures. */
  | { readonly file: TextSource; readonly count: number }
);

export interface MatrixOptions {
  readonly url: string;
  readonly name: string;
  /** As in `wid=320,640`, or `picture=@pictures.txt` for a file with a value in each line. */
  readonly set: readonly string[];
}

/** A list of jobs whose length is known. */
export interface CountedJobs {
  readonly total: number;
  readonly jobs: AsyncIterable<JobEntry>;
}

/**
 * Expands templates to jobs, the first `set` slowest.
 *
 * @throws UsageError A template and the sets do not fit each other, or a file cannot be read.
 */
export async function createMatrix(options: MatrixOptions, stdin: Readable): Promise<CountedJobs> {
  const [url, name] = [new Template(options.url), new Template(options.name)];
  const sets = await Promise.all(options.set.map((text) => readSet(text, stdin)));
  const names = sets.map((set) => set.name);
  const advice = (place: string): string => `Give its values, as in --set ${place}=a,b`;
  url.check('--url', names, advice);
  name.check('--name', names, advice);
  for (const [index, set] of sets.entries()) {
    if (names.indexOf(set.name) !== index)
      throw new UsageError(
        `--set ${set.name} is given twice. Write its values together, as in --set ${set.name}=a,b`,
      );
    if (countOf(set) > 1 && !name.names.includes(set.name))
      throw new UsageError(`Several images would get the same name. Add {${set.name}} to --name`);
  }
  const total = sets.reduce((product, set) => product * countOf(set), 1);
  return { total, jobs: expand(url, name, sets) };
}

async function readSet(text: string, stdin: Readable): Promise<ValueSet> {
  const [, name, values = ''] = /^([A-Za-z_][\w.-]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new UsageError(`"${text}" is no set of values. Write --set wid=320,640`);
  if (!values.startsWith('@')) return { name, values: values.split(',') };
  const file = await openText(values.slice(1), stdin);
  // It is read again for each value of the sets before it.
  if (!file.isFile)
    throw new UsageError(
      `--set ${name} needs a file, because it is read more than once. Save it to one first.`,
    );
  let count = 0;
  const lines = readValues(file);
  while ((await lines.next()).done !== true) count++;
  return { name, file, count };
}

function countOf(set: ValueSet): number {
  return 'values' in set ? set.values.length : set.count;
}

async function* expand(
  url: Template,
  name: Template,
  sets: readonly ValueSet[],
): AsyncGenerator<JobEntry, void, undefined> {
  let number = 0;
  for await (const values of combine(sets, new Map())) {
    const get = (place: string): string => values.get(place) ?? '';
    const job = { url: url.fill((place) => encodeValue(get(place))), name: name.fill(get) };
    yield { where: `combination ${++number}`, job };
  }
}

/** Changes the map from one combination to the next. */
async function* combine(
  [set, ...others]: readonly ValueSet[],
  values: Map<string, string>,
): AsyncGenerator<Map<string, string>, void, undefined> {
  if (set === undefined) {
    yield values;
    return;
  }
  for await (const value of valuesOf(set)) {
    values.set(set.name, value);
    yield* combine(others, values);
  }
}

async function* valuesOf(set: ValueSet): AsyncGenerator<string, void, undefined> {
  if ('values' in set) yield* set.values;
  else yield* readValues(set.file);
}

/** @throws UsageError A line is too long. */
async function* readValues(file: TextSource): AsyncGenerator<string, void, undefined> {
  for await (const line of readLines(file.open())) {
    if (line.text === undefined)
      throw new UsageError(
        `${file.name}:${line.number} is longer than ${MAX_LINE_LENGTH} characters. Shorten this value, or leave it out.`,
      );
    if (!isSkipped(line)) yield line.text.trim();
  }
}
