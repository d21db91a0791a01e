// A renderer's writes → chunks of bytes for one reader. To the renderer it is one of Node's writable streams.
import { Writable } from 'node:stream';
import { types } from 'node:util';
import { copyBytes } from '../bytes/recycled-memory.js';
import type { BodyChunks } from '../save/exchange.js';

/** The rendered response that has a body. */
export interface BodyOwner {
  /** Called before each write or end. */
  sendImplicitHead(): void;
  /** Called when the renderer destroys the body before it has finished. */
  onAbort(error: Error | null): void;
  /** Called for each event except `error`. Returns whether the event had listeners. */
  emitFromBody(event: string | symbol, args: unknown[]): boolean;
}

type Callback = (error?: Error | null) => void;

/** Bytes that a renderer may write ahead of the reader. */
const HIGH_WATER_MARK = 256 * 1024;

/**
 * The body of a rendered response, in place of the connection to the client. The callback of a write is called when the
 * reader asks for more, so memory has only what the renderer has just written; that of the last one, as the event `finish`,
 * when the save has ended.
 */
export class CapturedBody extends Writable implements AsyncIterable<BodyChunks> {
  /** Node's `closed` is true before that. */
  hasEmittedClose = false;
  readonly #owner: BodyOwner;
  #ending = false;
  /** The reader has these chunks, or takes them next. */
  #pending: BodyChunks | undefined;
  /** Called when the reader asks for more; for the last chunks and the end, by {@link endReading}. */
  #done: Callback | undefined;
  #readingEnded = false;
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
      // Node's response would emit an error. The image is complete, so it is dropped.
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
   * Node hands bytes on before `write` or `end` returns, so a renderer may use its buffer again after that call. The
   * inspected bytes must be the published bytes.
   */
  #copy(chunk: unknown): unknown {
    if (!ArrayBuffer.isView(chunk) || this.#readingEnded) return chunk;
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
    if (this.#ending && !this.writableFinished && !this.#readingEnded && !error) return this;
    return super.destroy(error ?? undefined);
  }

  /** Node calls it for single chunks too. */
  override _writev(items: { chunk: Buffer }[], done: Callback): void {
    this.#handOver(done, { chunks: items.map(({ chunk }) => chunk), last: this.#ending });
  }

  override _final(done: Callback): void {
    this.#handOver(done);
  }

  /** Lets the reader take some chunks, or see the end. */
  #handOver(done: Callback, chunks?: BodyChunks): void {
    this.#pending = chunks;
    this.#done = done;
    if (this.#readingEnded) this.#finishPending();
    this.#wakeReader?.();
  }

  #finishPending(error?: Error): void {
    const done = this.#done;
    this.#pending = this.#done = undefined;
    done?.(error);
  }

  override _destroy(error: Error | null, done: Callback): void {
    if (!this.writableFinished && !this.#readingEnded) this.#owner.onAbort(error);
    if (this.#pending !== undefined) this.#finishPending(error ?? prematureClose());
    this.#wakeReader?.();
    // The reader gets the error. As in Node, the response does not emit it, because it may have no listener.
    done();
  }

  /**
   * No more is read. A body that the renderer has ended emits `finish`; any other ends as if the client had disconnected,
   * with `close` alone. Every callback is called. Resolves when `close` has been emitted.
   */
  async endReading(): Promise<void> {
    this.#readingEnded = true;
    if (!this.#ending) this.destroy();
    else if (!this.closed) this.#finishPending();
    await this.#closed;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BodyChunks, void, undefined> {
    for (;;) {
      const pending = this.#pending;
      const isBroken = this.destroyed && !this.writableFinished;
      if (pending !== undefined) {
        yield pending;
        // The reader has the last chunks until `endReading()`.
        if (pending.last) return;
        this.#finishPending();
      } else if (this.#done !== undefined && !isBroken) {
        return;
      } else if (this.#readingEnded || isBroken) {
        throw prematureClose();
      } else {
        await new Promise<void>((resolve) => (this.#wakeReader = resolve));
      }
    }
  }
}

const streamError = (code: string, message: string): Error => Object.assign(new Error(message), { code });
const prematureClose = (): Error => streamError('ERR_STREAM_PREMATURE_CLOSE', 'Premature close');

/** Whether Node's streams accept a value as bytes. */
const isChunk = (chunk: unknown): boolean => typeof chunk === 'string' || ArrayBuffer.isView(chunk);
