// What a renderer writes → batches of bytes for one reader, with a stream's own manners towards the renderer.
import { Writable } from 'node:stream';
import { types } from 'node:util';

/** Some chunks that a renderer wrote one after the other: copies, so that it may use its own buffers again. */
export interface Batch {
  readonly chunks: readonly Buffer[];
  /** The renderer has ended its reply with these, as `res.end(image)` does: nothing follows. */
  readonly last: boolean;
}

type Callback = (error?: Error | null) => void;
type Mirror = (event: string | symbol, args: unknown[]) => boolean;

/** How much a renderer may write ahead of the reader, in bytes. */
const HIGH_WATER_MARK = 256 * 1024;

/**
 * The body of a reply, in the place of the connection to the client.
 *
 * To the renderer it is a writable stream: `drain`, `finish`, `close`, callbacks and errors are Node's own. For
 * its one reader it is an async iterable. A batch counts as written, and its callbacks are called, when the
 * reader asks for the next, so nothing is held in memory but what the renderer has just written.
 */
export class CapturedBody extends Writable implements AsyncIterable<Batch> {
  readonly #beforeWrite: () => void;
  readonly #onAbort: (error: Error | null) => void;
  readonly #mirror: Mirror;
  #ending = false;
  /** What is being written: the reader has it, or is about to take it. */
  #batch: Batch | undefined;
  #batchDone: Callback | undefined;
  /** Set when every byte has been taken and nothing follows. */
  #finalDone: Callback | undefined;
  #released = false;
  #wakeReader: (() => void) | undefined;
  /** When the renderer has heard `close`. */
  readonly #closed = new Promise<void>((resolve) => this.once('close', resolve));

  /**
   * @param beforeWrite Called before each write or end, so that headers are settled before the body.
   * @param onAbort Called when the renderer destroys the stream before it has finished.
   * @param mirror Called after each event but `error` has been emitted, and says whether it had listeners.
   */
  constructor(beforeWrite: () => void, onAbort: (error: Error | null) => void, mirror: Mirror = () => false) {
    super({ highWaterMark: HIGH_WATER_MARK });
    this.#beforeWrite = beforeWrite;
    this.#onAbort = onAbort;
    this.#mirror = mirror;
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const handled = super.emit(event, ...args);
    return (event !== 'error' && this.#mirror(event, args)) || handled;
  }

  override write(chunk: unknown, ...rest: [(BufferEncoding | Callback)?, Callback?]): boolean {
    if (this.#ending && !this.destroyed) {
      // Node's response would report this as an unhandled error; the image is whole, and nobody reads more.
      const callback = rest.find((argument) => typeof argument === 'function');
      if (callback !== undefined) process.nextTick(callback, writeAfterEnd());
      return false;
    }
    // What is no chunk throws, as in Node's response before its headers are settled.
    if (isChunk(chunk)) this.#beforeWrite();
    return super.write(this.#copy(chunk), ...(rest as [BufferEncoding, Callback]));
  }

  override end(...args: [unknown?, (BufferEncoding | Callback)?, Callback?]): this {
    if (this.#ending) {
      const callback = args.find((argument) => typeof argument === 'function') as Callback | undefined;
      return super.end(callback);
    }
    const [chunk, ...rest] = args;
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function' && !isChunk(chunk)) {
      // Throws, and the renderer may still answer otherwise.
      return super.end(...(args as [unknown, BufferEncoding, () => void]));
    }
    this.#beforeWrite();
    this.#ending = true;
    return super.end(...([this.#copy(chunk), ...rest] as [unknown, BufferEncoding, () => void]));
  }

  /**
   * Copies a chunk at once. Node hands bytes to the connection before `write` or `end` returns, so renderers overwrite or
   * transfer a buffer as soon as that has happened. What is inspected later must be what is published.
   */
  #copy(chunk: unknown): unknown {
    if (!ArrayBuffer.isView(chunk) || this.#released) return chunk;
    if (types.isUint8Array(chunk)) return Buffer.from(chunk);
    // Which other views are chunks depends on Node, so it gets one of the same type.
    const { buffer, byteOffset, byteLength, constructor } = chunk;
    const copy = buffer.slice(byteOffset, byteOffset + byteLength);
    return Reflect.construct(constructor, [copy]) as unknown;
  }

  /** After its end nothing more is coming that could be worth waiting for. */
  override cork(): void {
    if (!this.#ending) super.cork();
  }

  /** An end is not undone by tidying up after it: only an error says that something is wrong after all. */
  override destroy(error?: Error | null): this {
    if (this.#ending && !this.writableFinished && !this.#released && !error) return this;
    return super.destroy(error ?? undefined);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    this.#deliver([chunk], done);
  }

  override _writev(items: { chunk: Buffer }[], done: Callback): void {
    this.#deliver(
      items.map((item) => item.chunk),
      done,
    );
  }

  #deliver(chunks: readonly Buffer[], done: Callback): void {
    if (this.#released) {
      done();
      return;
    }
    this.#batch = { chunks, last: this.#ending };
    this.#batchDone = done;
    this.#wakeReader?.();
  }

  #finishBatch(error?: Error): void {
    const done = this.#batchDone;
    this.#batch = undefined;
    this.#batchDone = undefined;
    done?.(error);
  }

  override _final(done: Callback): void {
    if (this.#released) {
      done();
      return;
    }
    this.#finalDone = done;
    this.#wakeReader?.();
  }

  override _destroy(error: Error | null, done: Callback): void {
    if (!this.writableFinished && !this.#released) this.#onAbort(error);
    if (this.#batchDone !== undefined) this.#finishBatch(error ?? prematureClose());
    this.#wakeReader?.();
    // The error is for the reader. Node's response does not emit it either: nobody need listen for it.
    done();
  }

  /**
   * Lets go of the renderer. A reply that it has ended finishes, whatever became of the bytes; any other ends as
   * when a client leaves: `close` without `finish`, and every callback is called.
   *
   * @returns When the renderer has been told.
   */
  async release(): Promise<void> {
    this.#released = true;
    if (this.closed) return this.#closed;
    if (this.#ending) {
      this.#finishBatch();
      this.#finalDone?.();
    } else {
      this.destroy();
    }
    await this.#closed;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    for (;;) {
      const batch = this.#batch;
      if (batch !== undefined) {
        yield batch;
        // The last one stays the reader's until the renderer is let go.
        if (batch.last) return;
        this.#finishBatch();
      } else if (this.destroyed && !this.writableFinished) {
        throw prematureClose();
      } else if (this.#finalDone !== undefined) {
        return;
      } else if (this.#released) {
        throw prematureClose();
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
    }
  }
}

function writeAfterEnd(): Error {
  return Object.assign(new Error('write after end'), { code: 'ERR_STREAM_WRITE_AFTER_END' });
}

function prematureClose(): Error {
  return Object.assign(new Error('Premature close'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}

/** What Node's streams take for bytes. */
function isChunk(chunk: unknown): boolean {
  return typeof chunk === 'string' || ArrayBuffer.isView(chunk);
}
