// The decoder processes of a host: few, started on demand and ended when idle.
import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { waitIn, whenAborted, type Waiter } from '../../abort.js';
import { fileSystemError, SaveError, systemCode } from '../../errors.js';
import { Decoder, DecoderEnded } from './client.js';
import type { DecodeRequest, DecoderReply } from './messages.js';
import type { PixelBudget } from './pixel-budget.js';

/** No decoder process could be started, and the host may decode instead. */
export class NoDecoder extends Error {
  override readonly name = 'NoDecoder';
}

/**
 * As many as processors, 2 at least, so that small images pass a large one by, and no more than 4, the threads in Node's
 * pool by default. The workers of a cluster share the processors, so each has the least.
 */
export const MAX_DECODERS = cluster.isWorker ? 2 : Math.min(4, Math.max(2, availableParallelism()));

/** A decoder that occupies more bytes after an image is replaced. It starts with about 70 MB. */
const MAX_IDLE_MEMORY_BYTES = 128 * 1024 ** 2;

/** The idle time after which a decoder ends, in milliseconds. */
const MAX_IDLE_MS = 30_000;

/** The pause after a failed start, in milliseconds. Its cause may pass. */
const RETRY_START_MS = 60_000;

/** What the system says where it can start no process now. Then the host could not load the image library either. */
const SHORTAGES: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM']);

/** Gives each image to a decoder of its own. */
export class DecoderPool {
  readonly #budget: PixelBudget;
  readonly #decoders = new Set<Decoder>();
  /** Idle decoders, the most recently used last, each with the timer that will end it. */
  readonly #idle = new Map<Decoder, NodeJS.Timeout>();
  readonly #waiting = new Set<Waiter<Decoder>>();
  #starting = 0;
  #failure: { readonly error: NoDecoder; readonly at: number } | undefined;

  constructor(budget: PixelBudget) {
    this.#budget = budget;
  }

  /**
   * Inspects an image in a decoder, in its turn.
   *
   * @param bytes Of the image, unless the request names its file; they must not change before this settles.
   * @param maxPixels For all images that are decoded at the same time. That of the request is for this image alone.
   * @param signal Ends the decoder at once when it aborts.
   * @throws NoDecoder No decoder could be started; the image was not touched.
   * @throws SaveError `too-many-open-files` or `out-of-resources`: the system lets none be started now.
   * @throws DecoderEnded The decoder ended without a reply, by itself.
   */
  async inspect(
    request: DecodeRequest,
    bytes: Buffer | undefined,
    maxPixels: number,
    signal?: AbortSignal,
  ): Promise<DecoderReply> {
    // A header alone takes no memory.
    const pixels = request.verify === 'header' ? 0 : request.maxPixels;
    const endTurn = await this.#budget.take(pixels, maxPixels, signal);
    let decoder: Decoder | undefined;
    let stop: (() => void) | undefined;
    try {
      decoder = await this.#acquire(signal);
      stop = whenAborted(signal, decoder.kill.bind(decoder));
      return await decoder.inspect(request, bytes);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      stop?.();
      if (decoder !== undefined) this.#release(decoder);
      // A killed decoder has its memory until it has ended.
      if (decoder?.hasEnded === true) void decoder.ended.then(endTurn);
      else endTurn();
    }
  }

  /** Starts a decoder for an image that is being rendered, one of so many, so that the image need not wait for it. */
  warmUp(images: number): void {
    if (this.#decoders.size < Math.min(images, MAX_DECODERS) && !this.#hasFailed) this.#start();
  }

  async #acquire(signal?: AbortSignal): Promise<Decoder> {
    const idle = [...this.#idle.keys()].filter((decoder) => !decoder.hasEnded).at(-1);
    if (idle !== undefined) {
      this.#forgetIdle(idle);
      idle.ref();
      return idle;
    }
    const decoder = waitIn(this.#waiting, {}, signal);
    this.#startIfNeeded();
    return decoder;
  }

  #release(decoder: Decoder): void {
    if (decoder.memory > MAX_IDLE_MEMORY_BYTES) decoder.kill();
    if (decoder.hasEnded) this.#remove(decoder);
    else this.#offer(decoder);
  }

  #offer(decoder: Decoder): void {
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      next.resolve(decoder);
      return;
    }
    decoder.unref();
    const timer = setTimeout(() => {
      decoder.kill();
      this.#remove(decoder);
    }, MAX_IDLE_MS);
    timer.unref();
    this.#idle.set(decoder, timer);
  }

  #forgetIdle(decoder: Decoder): void {
    clearTimeout(this.#idle.get(decoder));
    this.#idle.delete(decoder);
  }

  #remove(decoder: Decoder): void {
    this.#forgetIdle(decoder);
    if (this.#decoders.delete(decoder)) this.#startIfNeeded();
  }

  /** Starts a decoder if an image waits that none is starting for. */
  #startIfNeeded(): void {
    if (this.#starting >= this.#waiting.size || this.#decoders.size >= MAX_DECODERS) return;
    if (this.#failure !== undefined && this.#hasFailed) this.#giveUp(this.#failure.error);
    else this.#start();
  }

  /** Whether a decoder has failed to start a short time ago. */
  get #hasFailed(): boolean {
    return this.#failure !== undefined && performance.now() < this.#failure.at + RETRY_START_MS;
  }

  #start(): void {
    let decoder: Decoder;
    try {
      decoder = new Decoder();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#decoders.add(decoder);
    this.#starting += 1;
    decoder.ready
      .then(() => {
        this.#starting -= 1;
        this.#failure = undefined;
        this.#offer(decoder);
        this.#startIfNeeded();
      })
      .catch((error: unknown) => {
        this.#starting -= 1;
        this.#fail(error);
        this.#remove(decoder);
      });
    void decoder.ended.then(() => {
      this.#remove(decoder);
    });
  }

  #fail(error: unknown): void {
    const cause = error instanceof DecoderEnded && error.cause !== undefined ? error.cause : error;
    if (SHORTAGES.has(systemCode(cause))) {
      this.#giveUp(fileSystemError(cause));
    } else if (error instanceof DecoderEnded && error.signal !== undefined) {
      // What crashes or ends a process that has only loaded its libraries would do the same to the host.
      this.#giveUp(new SaveError('out-of-resources', {}, error));
    } else {
      this.#failure = {
        error: new NoDecoder('No decoder process could be started', { cause: error }),
        at: performance.now(),
      };
      this.#giveUp(this.#failure.error);
    }
  }

  /** Rejects the waiting images, unless a decoder will be free for them. */
  #giveUp(error: Error): void {
    if ([...this.#decoders].some((decoder) => !decoder.hasEnded)) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) waiter.reject(error);
  }
}
