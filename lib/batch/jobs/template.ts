// Texts with places to fill: `/is/image/{picture}?wid={wid}`.
import type { JobEntry } from '../prepare-job.js';
import { encodeValue } from '../save-url.js';
import { InvalidJob, UsageError } from '../types.js';

/** The values of places, by their names. */
export type Values = Readonly<Record<string, unknown>>;

/** A text in braces is a place where it looks like a name, or where it is the name of a column. */
const BRACES = /\{([^{}]+)\}/g;
const NAME = /^[A-Za-z_][\w.-]*$/;

/** A template, and the names of its places. */
export class Template {
  readonly #text: string;
  readonly #columns: ReadonlySet<string>;
  /** The names of its places, in order. */
  readonly names: readonly string[];

  constructor(text: string, columns: readonly string[] = []) {
    this.#text = text;
    this.#columns = new Set(columns);
    this.names = [...text.matchAll(BRACES)].flatMap(([, name = '']) => (this.#isPlace(name) ? [name] : []));
  }

  /** Whether the template is one place and nothing else. */
  get isOnePlace(): boolean {
    return this.#text === `{${this.names[0]}}`;
  }

  /** @throws UsageError A place has a name that is none of these. */
  check(option: string, known: readonly string[], advice: (name: string) => string): void {
    const unknown = this.names.find((name) => !known.includes(name));
    if (unknown !== undefined)
      throw new UsageError(`${option} has the place {${unknown}}. ${advice(unknown)}`);
  }

  fill(getValue: (name: string) => string): string {
    return this.#text.replace(BRACES, (text, name: string) => (this.#isPlace(name) ? getValue(name) : text));
  }

  #isPlace(name: string): boolean {
    return NAME.test(name) || this.#columns.has(name);
  }
}

/** The job of some values, which it keeps as its further fields. A URL that is one place is taken as it is. */
export function fillJob(where: string, url: Template, name: Template, values: Values): JobEntry | InvalidJob {
  const get = (place: string): string => readValue(values, place) ?? '';
  const empty = [...url.names, ...name.names].find((place) => get(place) === '');
  if (empty !== undefined) return new InvalidJob(where, `it has no value for the place {${empty}}`);
  return {
    where,
    job: {
      ...values,
      url: url.fill(url.isOnePlace ? get : (place) => encodeValue(get(place))),
      name: name.fill(get),
    },
  };
}

/** A value as text: JSON has numbers and truth values too. */
function readValue(values: Values, place: string): string | undefined {
  const value = Object.hasOwn(values, place) ? values[place] : undefined;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}
