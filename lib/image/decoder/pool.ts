// The decoder processes of a host: few, started on demand and ended when idle.
import { fileSystemError, systemCode } from '../../errors.js';
import { Decoder, type DecoderReply } from './client.js';
import type { DecodeRequest } from './messages.js';

/** No decoder process could be started. */
export class NoDecoder extends Error {
  override readonly name = 'NoDecoder';
}

/**
 * The number of threads in Node's pool by default. With fewer, a save on a busy machine would take longer than in the
 * host, and one slow image would delay more of the others.
 */
const MAX_DECODERS = 4;

/** A decoder that occupies more bytes after an image is replaced. It starts with about 80 MB. */
const MAX_IDLE_MEMORY_BYTES = 256 * 1024 ** 2;

/** The idle time after which a decoder ends, in milliseconds. */
const MAX_IDLE_MS = 30_000;

/** The pause after a failed start, in milliseconds. Its cause may pass. */
const RETRY_START_MS = 60_000;

interface Waiting {
  resolve(decoder: Decoder): void;
  reject(error: Error): void;
}

/** Gives each image to a decoder of its own. */
export class DecoderPool {
  readonly #decoders = new Set<Decoder>();
  /** Idle decoders, the most recently used last, each with the timer that will end it. */
  readonly #idle = new Map<Decoder, NodeJS.Timeout>();
  readonly #waiting = new Set<Waiting>();
  #starting = 0;
  #failure: { readonly error: NoDecoder; readonly at: number } | undefined;

  /**
   * Inspects an image in a decoder, after those that wait already.
   *
   * @param bytes Of the image, unless the request names its file; they must not change before this settles.
   * @param signal Ends the decoder at once when it aborts.
   * @throws NoDecoder No decoder could be started; the image was not touched.
   * @throws SaveError `too-many-open-files`: no decoder could be started now, because no fd is free.
   * @throws DecoderEnded The decoder ended without a reply, by itself.
   */
  async inspect(
    request: DecodeRequest,
    bytes: Buffer | undefined,
    signal?: AbortSignal,
  ): Promise<DecoderReply> {
    signal?.throwIfAborted();
    const decoder = await this.#acquire(signal);
    const kill = (): void => {
      decoder.kill();
    };
    signal?.addEventListener('abort', kill, { once: true });
    try {
      signal?.throwIfAborted();
      return await decoder.inspect(request, bytes);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', kill);
      this.#release(decoder);
    }
  }

  #acquire(signal?: AbortSignal): Promise<Decoder> {
    const [idle] = [...this.#idle.keys()].filter((decoder) => !decoder.hasEnded).slice(-1);
    if (idle !== undefined) {
      this.#forgetIdle(idle);
      idle.ref();
      return Promise.resolve(idle);
    }
    return new Promise((resolve, reject) => {
      const abandon = (): void => {
        this.#waiting.delete(waiting);
        reject(signal?.reason as Error);
      };
      const settle = (act: () => void): void => {
        this.#waiting.delete(waiting);
        signal?.removeEventListener('abort', abandon);
        act();
      };
      const waiting: Waiting = {
        resolve: (decoder) => {
          settle(() => {
            resolve(decoder);
          });
        },
        reject: (error) => {
          settle(() => {
            reject(error);
          });
        },
      };
      signal?.addEventListener('abort', abandon, { once: true });
      this.#waiting.add(waiting);
      this.#start();
    });
  }

  #release(decoder: Decoder): void {
    if (decoder.memory > MAX_IDLE_MEMORY_BYTES) decoder.kill();
    if (decoder.hasEnded) this.#remove(decoder);
    else this.#offer(decoder);
  }

  #offer(decoder: Decoder): void {
    const [next] = this.#waiting;
    if (next !== undefined) {
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
    if (this.#decoders.delete(decoder)) this.#start();
  }

  /** Starts a decoder if images wait and the maximum is not reached. */
  #start(): void {
    if (this.#starting >= this.#waiting.size || this.#decoders.size >= MAX_DECODERS) return;
    if (this.#failure !== undefined && performance.now() < this.#failure.at + RETRY_START_MS) {
      this.#giveUp(this.#failure.error);
      return;
    }
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

  #fail(cause: unknown): void {
    // Fds may be free again soon. Until then, the host could not load the image library either.
    if (systemCode(cause) === 'EMFILE') {
      this.#giveUp(fileSystemError(cause));
      return;
    }
    const error = new NoDecoder('No decoder process could be started', { cause });
    this.#failure = { error, at: performance.now() };
    this.#giveUp(error);
  }

  /** Rejects the waiting images, unless a decoder will be free for them. */
  #giveUp(error: Error): void {
    if ([...this.#decoders].some((decoder) => !decoder.hasEnded)) return;
    for (const waiting of [...this.#waiting]) waiting.reject(error);
  }
}
