// Lets images be decoded in turn, within a budget of pixels that all images being decoded share.
import { enqueue, type Waiter } from '../../abort.js';

/** A small image has at most this part of `maxPixels`, and at most so many pixels. */
const SMALL_PART = 1 / 8;
const MAX_SMALL_PIXELS = 12_500_000;

interface Share {
  readonly pixels: number;
  readonly maxPixels: number;
}

/**
 * At any moment, the images with a turn have together at most `maxPixels` pixels, or they are one large image and at
 * most one small one. (Of different `maxPixels`, the largest counts.)
 *
 * Large images and small ones wait in lanes of their own, first come, first served. So small ones never wait for large
 * ones; and while a large one waits, small ones may not take the pixels that it needs, so that it does not wait for ever.
 */
export class PixelBudget {
  readonly #maxLarge: number;
  readonly #shares = new Set<Share>();
  readonly #waiting = new Set<Share & Waiter<() => void>>();

  /** @param maxLarge The maximum number of large images with a turn. */
  constructor(maxLarge: number) {
    this.#maxLarge = maxLarge;
  }

  /**
   * Waits for the turn of an image.
   *
   * @returns Ends the turn, when the image and its memory are done with.
   * @throws The reason of the signal, once that has aborted.
   */
  take(pixels: number, maxPixels: number, signal?: AbortSignal): Promise<() => void> {
    const turn = enqueue(this.#waiting, { pixels, maxPixels }, signal);
    this.#admit();
    return turn;
  }

  #admit(): void {
    const full = new Set<boolean>();
    for (const waiter of this.#waiting) {
      const lane = isLarge(waiter);
      if (full.has(lane) || !this.#fits(waiter)) {
        full.add(lane);
        continue;
      }
      this.#waiting.delete(waiter);
      this.#shares.add(waiter);
      waiter.resolve(() => {
        this.#shares.delete(waiter);
        this.#admit();
      });
    }
  }

  #fits(share: Share): boolean {
    const shares = [...this.#shares];
    const limit = Math.max(share.maxPixels, ...shares.map(({ maxPixels }) => maxPixels));
    const total = shares.reduce((sum, { pixels }) => sum + pixels, share.pixels);
    const alike = shares.filter((other) => isLarge(other) === isLarge(share)).length;
    if (!isLarge(share)) {
      const next = [...this.#waiting].find(isLarge);
      return alike === 0 || total + (next?.pixels ?? 0) <= limit;
    }
    if (alike === 0) return shares.length <= 1 || total <= limit;
    // Room for a small one must stay.
    return alike < this.#maxLarge && total + maxSmall(limit) <= limit;
  }
}

function maxSmall(maxPixels: number): number {
  return Math.min(maxPixels * SMALL_PART, MAX_SMALL_PIXELS);
}

function isLarge({ pixels, maxPixels }: Share): boolean {
  return pixels > maxSmall(maxPixels);
}
