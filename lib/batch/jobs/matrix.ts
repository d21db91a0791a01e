// Sets of values, and templates that they fill: one picture in each width and format, say.
import type { Readable } from 'node:stream';
import type { JobEntry } from '../prepare-job.js';
import { MAX_LINE_LENGTH, readLines } from '../read-lines.js';
import { InvalidJob, UsageError } from '../types.js';
import type { ListRecord } from './csv.js';
import { fillJob, type Template } from './template.js';
import { isSkipped, NOT_UTF8, openText, type TextSource } from './text.js';

/** The values of one place. */
export type ValueSet = { readonly name: string } & (
  | { readonly values: readonly string[] }
  /** One value a line. Not kept in memory: a catalogue may have a million pictures. */
  | { readonly file: TextSource; readonly count: number }
);

/** @throws UsageError A set is malformed or has an empty value, or its file cannot be read. */
export async function readSets(texts: readonly string[], stdin: Readable): Promise<readonly ValueSet[]> {
  const sets = await Promise.all(texts.map((text) => readSet(text, stdin)));
  const names = sets.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated === undefined) return sets;
  throw new UsageError(
    `--set ${repeated} is given twice. Write its values together, as in --set ${repeated}=a,b`,
  );
}

/** How many combinations the sets have. */
export function countCombinations(sets: readonly ValueSet[]): number {
  return sets.reduce((product, set) => product * countOf(set), 1);
}

/**
 * Checks that templates fit the values that fill them.
 *
 * @param columns The names of the values that each record has; undefined where each has names of its own, as in JSON.
 * @throws UsageError A place has no values, or several images would get the same name.
 */
export function checkTemplates(
  url: Template,
  name: Template,
  sets: readonly ValueSet[],
  columns: readonly string[] | undefined,
): void {
  if (columns !== undefined) {
    const known = [...columns, ...sets.map((set) => set.name)];
    const advice = (place: string): string =>
      columns.length === 0
        ? `Give its values, as in --set ${place}=a,b`
        : `The columns are ${columns.filter((column) => column !== '').join(', ')}.`;
    url.check('--url', known, advice);
    name.check('--name', known, advice);
  }
  const missing = sets.find((set) => countOf(set) > 1 && !name.names.includes(set.name));
  if (missing !== undefined)
    throw new UsageError(`Several images would get the same name. Add {${missing.name}} to --name`);
}

/** Fills templates with each record, in every combination with the values of the sets, the first set slowest. */
export async function* fillTemplates(
  url: Template,
  name: Template,
  records: Iterable<ListRecord> | AsyncIterable<ListRecord>,
  sets: readonly ValueSet[],
): AsyncGenerator<JobEntry | InvalidJob, void, undefined> {
  let number = 0;
  for await (const record of records) {
    if (record instanceof InvalidJob) {
      yield record;
      continue;
    }
    for await (const values of combine(sets, new Map())) {
      const where = record.where === '' ? `combination ${++number}` : record.where;
      yield fillJob(where, url, name, { ...record.values, ...Object.fromEntries(values) });
    }
  }
}

async function readSet(text: string, stdin: Readable): Promise<ValueSet> {
  const [, name, list = ''] = /^([A-Za-z_][\w.-]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new UsageError(`"${text}" is no set of values. Write --set wid=320,640`);
  if (!list.startsWith('@')) {
    const values = list.split(',').map((value) => value.trim());
    if (values.includes(''))
      throw new UsageError(`--set ${text} has an empty value. Leave out the comma too many.`);
    return { name, values };
  }
  const file = await openText(list.slice(1), stdin);
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

/** Changes the map from one combination to the next. */
async function* combine(
  [set, ...others]: readonly ValueSet[],
  values: Map<string, string>,
): AsyncGenerator<Map<string, string>, void, undefined> {
  if (set === undefined) {
    yield values;
    return;
  }
  for await (const value of 'values' in set ? set.values : readValues(set.file)) {
    values.set(set.name, value);
    yield* combine(others, values);
  }
}

/** @throws UsageError A line is too long, or not UTF-8. */
async function* readValues(file: TextSource): AsyncGenerator<string, void, undefined> {
  for await (const line of readLines(file.read())) {
    const where = `${file.name}:${line.number}`;
    if (line.text === undefined)
      throw new UsageError(
        `${where} is longer than ${MAX_LINE_LENGTH} characters. Shorten this value, or leave it out.`,
      );
    if (line.text.includes('\ufffd')) throw new UsageError(`${where}: ${NOT_UTF8}`);
    if (!isSkipped(line)) yield line.text.trim();
  }
}
