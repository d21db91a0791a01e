// Which of a million keys have been seen, in 16 megabytes.
import { hash as hashText } from 'node:crypto';

/** A set that keeps 64 bits of the hash of each key. Two of a million are the same to it once in 37 million (n² / 2⁶⁵). */
export class KeySet {
  /** Each hash is at its lowest bits, or in the next slot that was free; 0 marks a free slot. */
  #slots = new BigUint64Array(1024);
  #size = 0;

  has(...key: readonly string[]): boolean {
    return this.#slots[this.#find(hash(key))] !== 0n;
  }

  /** @returns Whether it is new. */
  add(...key: readonly string[]): boolean {
    const value = hash(key);
    const at = this.#find(value);
    if (this.#slots[at] !== 0n) return false;
    this.#slots[at] = value;
    if (++this.#size > this.#slots.length / 2) {
      const old = this.#slots;
      this.#slots = new BigUint64Array(2 * old.length);
      for (const each of old) if (each !== 0n) this.#slots[this.#find(each)] = each;
    }
    return true;
  }

  /** Where a hash is, or would be. */
  #find(value: bigint): number {
    const mask = this.#slots.length - 1;
    let at = Number(value & BigInt(mask));
    while (this.#slots[at] !== 0n && this.#slots[at] !== value) at = (at + 1) & mask;
    return at;
  }
}

/** 64 bits of a hash, never 0. */
export function hash(key: readonly string[]): bigint {
  return hashText('sha256', JSON.stringify(key), 'buffer').readBigUInt64LE() || 1n;
}
