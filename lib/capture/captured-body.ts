// A renderer's writes → batches of bytes for one reader. To the renderer it is one of Node's writable streams.
import { Writable } from 'node:stream';
import { types } from 'node:util';
import { copyBytes } from '../bytes/recycled-memory.js';
import type { Batch } from '../save/exchange.js';

/** The rendered response that has a body. */
export interface BodyOwner {
  /** Called before each write or end, so that the head is sent before the body. */
  sendImplicitHead(): void;
  /** Called when the renderer destroys the body before it has finished. */
  onAbort(error: Error | null): void;
  /** Called after each event except `error`. Returns whether the event had listeners. */
  emitFromBody(event: string | symbol, args: unknown[]): boolean;
}

type Callback = (error?: Error | null) => void;

/** Bytes that a renderer may write ahead of the reader. */
const HIGH_WATER_MARK = 256 * 1024;

/**
 * The body of a rendered response, in place of the connection to the client.
 *
 * The callbacks of a batch are called when the reader asks for the next one, so memory has only the bytes that the
 * renderer has just written. Those of the last batch are called, and `finish` is emitted, when the save has ended.
 */
export class CapturedBody extends Writable implements AsyncIterable<Batch> {
  /** Node's `closed` is true before that. */
  hasEmittedClose = false;
  readonly #owner: BodyOwner;
  #ending = false;
  /** The batch in progress: the reader has it, or takes it next. */
  #batch: Batch | undefined;
  #batchDone: Callback | undefined;
  /** Set when the reader has taken every byte and the renderer has ended. */
  #finalDone: Callback | undefined;
  #released = false;
  #wakeReader: (() => void) | undefined;
  /** Resolves when `close` has been emitted. */
  readonly #closed = new Promise<void>((resolve) => this.once('close', resolve));

  constructor(owner: BodyOwner) {
    super({ highWaterMark: HIGH_WATER_MARK });
    this.#owner = owner;
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'close') this.hasEmittedClose = true;
    const handled = super.emit(event, ...args);
    return (event !== 'error' && this.#owner.emitFromBody(event, args)) || handled;
  }

  override write(chunk: unknown, ...rest: [(BufferEncoding | Callback)?, Callback?]): boolean {
    if (this.#ending && !this.destroyed) {
      // Node's response would emit an error without a listener here. The image is complete, so this error is dropped.
      const callback = rest.find((argument) => typeof argument === 'function');
      if (callback !== undefined)
        process.nextTick(callback, streamError('ERR_STREAM_WRITE_AFTER_END', 'write after end'));
      return false;
    }
    // An invalid chunk throws before the head is sent, as in Node.
    if (isChunk(chunk)) this.#owner.sendImplicitHead();
    return super.write(this.#copy(chunk), ...(rest as [BufferEncoding, Callback]));
  }

  override end(...args: [unknown?, (BufferEncoding | Callback)?, Callback?]): this {
    if (this.#ending) {
      const callback = args.find((argument) => typeof argument === 'function') as Callback | undefined;
      return super.end(callback);
    }
    const [chunk, ...rest] = args;
    // Any other chunk throws, so the renderer may still send another response.
    if (typeof chunk === 'function' || isChunk(chunk ?? '')) {
      this.#owner.sendImplicitHead();
      this.#ending = true;
    }
    return super.end(...([this.#copy(chunk), ...rest] as [unknown, BufferEncoding, () => void]));
  }

  /**
   * Node hands bytes to the connection before `write` or `end` returns, so renderers may overwrite or transfer a buffer
   * after that call. The inspected bytes must be the published bytes.
   */
  #copy(chunk: unknown): unknown {
    if (!ArrayBuffer.isView(chunk) || this.#released) return chunk;
    if (types.isUint8Array(chunk)) return copyBytes(chunk);
    // Node's version decides which other views are chunks, so it gets a view of the same type.
    const { buffer, byteOffset, byteLength, constructor } = chunk;
    const copy = buffer.slice(byteOffset, byteOffset + byteLength);
    return Reflect.construct(constructor, [copy]) as unknown;
  }

  /** After the end, no further writes follow. */
  override cork(): void {
    if (!this.#ending) super.cork();
  }

  /** After `end()` only an error undoes the image: renderers often destroy a response to clean up. */
  override destroy(error?: Error | null): this {
    if (this.#ending && !this.writableFinished && !this.#released && !error) return this;
    return super.destroy(error ?? undefined);
  }

  /** Node calls it for single chunks too. */
  override _writev(items: { chunk: Buffer }[], done: Callback): void {
    if (this.#released) {
      done();
      return;
    }
    this.#batch = { chunks: items.map(({ chunk }) => chunk), last: this.#ending };
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
    if (!this.writableFinished && !this.#released) this.#owner.onAbort(error);
    if (this.#batchDone !== undefined) this.#finishBatch(error ?? prematureClose());
    this.#wakeReader?.();
    // The reader gets the error. As in Node, the response does not emit it, because it may have no listener.
    done();
  }

  /**
   * Releases the renderer. A body that the renderer has ended emits `finish`, even if its bytes were not read. Any
   * other body ends as if the client had disconnected: `close` without `finish`, and every callback is called.
   *
   * @returns Resolves when `close` has been emitted.
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
      const isBroken = this.destroyed && !this.writableFinished;
      if (batch !== undefined) {
        yield batch;
        // The reader keeps the last batch until `release()`.
        if (batch.last) return;
        this.#finishBatch();
      } else if (this.#finalDone !== undefined && !isBroken) {
        return;
      } else if (this.#released || isBroken) {
        throw prematureClose();
      } else {
        await new Promise<void>((resolve) => (this.#wakeReader = resolve));
      }
    }
  }
}

function streamError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function prematureClose(): Error {
  return streamError('ERR_STREAM_PREMATURE_CLOSE', 'Premature close');
}

/** Whether Node's streams accept a value as bytes. */
function isChunk(chunk: unknown): boolean {
  return typeof chunk === 'string' || ArrayBuffer.isView(chunk);
}
