// Counts the pixels that the compressed data of a GIF image stand for, without making them.
import { broken } from '../refusals.js';

/** The longest code in bits, and the size of a full table. (GIF89a appendix F.) */
const MAX_CODE_BITS = 12;
const MAX_CODES = 2 ** MAX_CODE_BITS;
/** In place of the code before the first one. */
const NONE = -1;

/**
 * Follows the codes of GIF's variable-length LZW. Each code stands for one string of pixels; a new code stands for the
 * string before it and one pixel more. So the lengths of the strings are enough. (GIF89a appendix F.)
 */
export class LzwPixelCounter {
  /** The pixels so far. */
  pixels = 0;
  readonly #clearCode: number;
  readonly #firstCodeBits: number;
  /** The length of each code's string. */
  readonly #lengths = new Uint16Array(MAX_CODES).fill(1);
  #codes: number;
  #codeBits: number;
  #previous = NONE;
  #hasEnded = false;
  #bits = 0;
  #bitCount = 0;

  /**
   * @param minCodeBits The code size that the image announces.
   * @throws SaveError `broken-image`: no code can be that long.
   */
  constructor(minCodeBits: number) {
    if (minCodeBits >= MAX_CODE_BITS) throw broken();
    this.#clearCode = 2 ** minCodeBits;
    this.#codeBits = this.#firstCodeBits = minCodeBits + 1;
    this.#codes = this.#clearCode + 2;
  }

  /** @throws SaveError `broken-image`: a code has no string yet. */
  add(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    const lengths = this.#lengths;
    const clearCode = this.#clearCode;
    // Local variables, because a large image has millions of codes.
    let { pixels } = this;
    let [codes, codeBits, previous] = [this.#codes, this.#codeBits, this.#previous];
    let [bits, bitCount] = [this.#bits, this.#bitCount];
    for (const byte of bytes) {
      bits |= byte << bitCount;
      bitCount += 8;
      while (bitCount >= codeBits) {
        const code = bits & ((1 << codeBits) - 1);
        bits >>= codeBits;
        bitCount -= codeBits;
        if (code === clearCode) {
          codes = clearCode + 2;
          codeBits = this.#firstCodeBits;
          previous = NONE;
          continue;
        }
        if (code === clearCode + 1) {
          this.#hasEnded = true;
          this.pixels = pixels;
          return;
        }
        if (previous !== NONE && codes < MAX_CODES) {
          lengths[codes] = (lengths[previous] ?? 0) + 1;
          codes += 1;
          if (codes === 1 << codeBits && codeBits < MAX_CODE_BITS) codeBits += 1;
        }
        if (code >= codes) throw broken();
        pixels += lengths[code] ?? 0;
        previous = code;
      }
    }
    this.pixels = pixels;
    [this.#codes, this.#codeBits, this.#previous] = [codes, codeBits, previous];
    [this.#bits, this.#bitCount] = [bits, bitCount];
  }
}
