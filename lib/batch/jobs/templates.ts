// Templates with places, `/is/image/{picture}?wid={wid}`, and the sets of values that fill them.
import type { Readable } from 'node:stream';
import { encodeValue } from '../prepare-job.js';
import { countAll, openText, readListLines, type TextSource } from '../text.js';
import { InvalidJob, UsageError, type Entries, type JobEntry } from '../types.js';

/** A text in braces is a place where it looks like a name (`Artikel-Größe`), or where it is the name of a column. */
const BRACES = /\{([^{}]+)\}/g;
const NAME = /^[\p{L}_][\p{L}\p{M}\p{N} _.-]*(?<! )$/u;

type Values = Readonly<Record<string, unknown>>;

export class Template {
  /** The names of its places. */
  readonly places: ReadonlySet<string>;

  constructor(
    readonly text: string,
    columns: readonly string[] = [],
  ) {
    const names = Array.from(text.matchAll(BRACES), ([, name = '']) => name);
    this.places = new Set(names.filter((name) => NAME.test(name) || columns.includes(name)));
  }

  fill(getValue: (place: string) => string): string {
    return this.text.replace(BRACES, (text, name: string) => (this.places.has(name) ? getValue(name) : text));
  }
}

/** Templates of a URL and a name, and the sets of values that fill them besides what an entry has. */
export interface JobTemplates {
  readonly url: string;
  readonly name: string;
  /** As in `wid=320,640`, or `picture=@pictures.txt` for a file with a value in each line. */
  readonly set: readonly string[];
}

/**
 * @param columns The names of the values that each entry has; undefined where each has names of its own, as in JSON.
 * @returns How many jobs each entry makes; and what makes them of a list, the values of the first set slowest.
 * @throws UsageError A set is wrong, a place has no values, or several images would get the same name.
 */
export async function openTemplates(
  templates: JobTemplates,
  columns: readonly string[] | undefined,
  stdin: Readable,
): Promise<{ combinations: number; fill: (entries: Iterable<JobEntry> | Entries) => Entries }> {
  const [url, name] = [new Template(templates.url, columns), new Template(templates.name, columns)];
  const sets = await Promise.all(templates.set.map((text) => readSet(text, stdin)));
  checkPlaces(url, name, sets, columns);
  return {
    combinations: sets.reduce((product, set) => product * set.count, 1),
    async *fill(entries) {
      let number = 0;
      for await (const entry of entries) {
        if (entry.job instanceof InvalidJob) yield entry;
        else
          for await (const values of combine(sets, entry.job as Values))
            yield fillJob(entry.where || `combination ${++number}`, url, name, values);
      }
    },
  };
}

/** The values of one place. Those of a file are not kept in memory: a catalogue may have a million pictures. */
interface ValueSet {
  readonly name: string;
  readonly count: number;
  readonly values: () => Iterable<string> | AsyncIterable<string>;
}

async function readSet(text: string, stdin: Readable): Promise<ValueSet> {
  const [, name = '', list = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (!NAME.test(name)) throw new UsageError(`"${text}" is no set of values. Write --set wid=320,640`);
  if (list.startsWith('@')) {
    const file = await openText(list.slice(1), stdin);
    // It is read again for each value of the sets before it.
    if (file.isFile) return { name, count: await countAll(readValues(file)), values: () => readValues(file) };
    throw new UsageError(
      `--set ${name} needs a file, because it is read more than once. Save it to one first.`,
    );
  }
  const values = list.split(',').map((value) => value.trim());
  if (!values.includes('')) return { name, count: values.length, values: () => values };
  throw new UsageError(`--set ${text} has an empty value. Leave out the comma too many.`);
}

/** @throws UsageError A line is too long, or not UTF-8. */
async function* readValues(file: TextSource): AsyncIterable<string> {
  for await (const { where, job: value } of readListLines(file)) {
    if (value instanceof InvalidJob) throw new UsageError(`${where}: ${value.message}`);
    yield value;
  }
}

function checkPlaces(
  url: Template,
  name: Template,
  sets: readonly ValueSet[],
  columns: readonly string[] | undefined,
): void {
  const names = sets.map((set) => set.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined)
    throw new UsageError(
      `--set ${twice} is given twice. Write its values together, as in --set ${twice}=a,b`,
    );
  for (const [option, { places }] of [['--url', url] as const, ['--name', name] as const]) {
    const unknown = [...places].find((place) => !names.includes(place) && columns?.includes(place) === false);
    if (unknown === undefined) continue;
    const shown = columns?.filter((column) => column !== '').join(', ') ?? '';
    const advice = shown === '' ? `Give its values, as in --set ${unknown}=a,b` : `The columns are ${shown}.`;
    throw new UsageError(`${option} has the place {${unknown}}. ${advice}`);
  }
  const missing = sets.find((set) => set.count > 1 && !name.places.has(set.name));
  if (missing !== undefined)
    throw new UsageError(`Several images would get the same name. Add {${missing.name}} to --name`);
}

async function* combine([set, ...others]: readonly ValueSet[], values: Values): AsyncIterable<Values> {
  if (set === undefined) yield values;
  else for await (const value of set.values()) yield* combine(others, { ...values, [set.name]: value });
}

/** The job of some values, which it keeps as its further fields. A URL that is one place is taken as it is. */
function fillJob(where: string, url: Template, name: Template, values: Values): JobEntry {
  const get = (place: string): string => readValue(values, place);
  const empty = [...url.places, ...name.places].find((place) => get(place) === '');
  if (empty !== undefined) return { where, job: new InvalidJob(`it has no value for the place {${empty}}`) };
  const [onlyPlace = ''] = url.places;
  const encode = (place: string): string => encodeValue(get(place));
  const filledUrl = url.text === `{${onlyPlace}}` ? get(onlyPlace) : url.fill(encode);
  return { where, job: { ...values, url: filledUrl, name: name.fill(get) } };
}

/** JSON has numbers and truth values too. */
function readValue(values: Values, place: string): string {
  const value = Object.hasOwn(values, place) ? values[place] : undefined;
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : '';
}
