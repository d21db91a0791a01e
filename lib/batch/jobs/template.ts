// Texts with places to fill: `/is/image/{picture}?wid={wid}`.
import { UsageError } from '../types.js';

const PLACE = /\{([A-Za-z_][\w.-]*)\}/g;

/** A template, split at its places: every second part is the name of one. */
export class Template {
  readonly #text: string;
  /** The names of its places, in order. */
  readonly names: readonly string[];

  constructor(text: string) {
    this.#text = text;
    this.names = [...text.matchAll(PLACE)].map(([, name = '']) => name);
  }

  /** @throws UsageError A place has a name that is none of these. */
  check(option: string, known: readonly string[], advice: (name: string) => string): void {
    const unknown = this.names.find((name) => !known.includes(name));
    if (unknown !== undefined)
      throw new UsageError(`${option} has the place {${unknown}}. ${advice(unknown)}`);
  }

  fill(getValue: (name: string) => string): string {
    return this.#text.replace(PLACE, (_place, name: string) => getValue(name));
  }
}
