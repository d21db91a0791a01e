// Which of a million keys have been seen, in 16 megabytes.
import { createHash } from 'node:crypto';

const INITIAL_SLOTS = 1024;

/**
 * A set of strings that keeps 64 bits of the hash of each, in a table of numbers. Two of a million keys are the same to
 * it with a probability of 1 to 37 million (n² / 2⁶⁵).
 */
export class KeySet {
  #slots = new Uint32Array(2 * INITIAL_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(...key: readonly string[]): boolean {
    const [high, low] = hash(key);
    return this.#slots[this.#find(high, low)] !== 0;
  }

  /** @returns Whether it is new. */
  add(...key: readonly string[]): boolean {
    const [high, low] = hash(key);
    const at = this.#find(high, low);
    if (this.#slots[at] !== 0) return false;
    this.#slots[at] = high;
    this.#slots[at + 1] = low;
    this.#size++;
    if (this.#size > this.#slots.length / 4) this.#grow();
    return true;
  }

  /** Where a hash is, or would be: `high` at the position, `low` behind it. */
  #find(high: number, low: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = (2 * low) & mask;
    while (slots[at] !== 0 && (slots[at] !== high || slots[at + 1] !== low)) at = (at + 2) & mask;
    return at;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    for (let from = 0; from < old.length; from += 2) {
      const [high = 0, low = 0] = [old[from], old[from + 1]];
      if (high === 0) continue;
      const at = this.#find(high, low);
      this.#slots[at] = high;
      this.#slots[at + 1] = low;
    }
  }
}

/** 64 bits of a hash. The first number is never 0, which marks a free slot. */
export function hash(key: readonly string[]): [high: number, low: number] {
  const digest = createHash('sha256').update(JSON.stringify(key)).digest();
  return [digest.readUInt32LE(0) || 1, digest.readUInt32LE(4)];
}
