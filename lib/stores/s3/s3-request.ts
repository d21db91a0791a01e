// One request to a store: its body can be sent again, and it can be aborted until its last byte is sent.
//
// This file adds two steps to the AWS client's own middleware stack, because nothing else sees each attempt of a request
// right before its last byte. Without them (an AbortSignal, @aws-sdk/lib-storage, a HEAD afterwards) a save that ends in
// its last milliseconds could only answer `store-no-response`, and `overwrite: false` would be limited to one part.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type {
  CompleteMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCommandOutput,
} from '@aws-sdk/client-s3';
import { whenAborted } from '../../abort.js';
import { MemoryBytes, type ReadableBytes } from '../../bytes/image-bytes.js';
import type { PublishOptions } from '../types.js';
import type { S3Settings } from './s3-options.js';

/** An image up to this length is kept in memory for retries, so that a file is read once. */
const MAX_PRELOADED_BYTES = 8 * 1024 ** 2;

/** The client's own default of `expectContinueHeader`, in bytes. */
const EXPECT_CONTINUE_BYTES = 2 * 1024 ** 2;

/** A range of an image, sent as the body of one request. */
export interface Payload {
  readonly bytes: ReadableBytes;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly sha256: Buffer;
}

/** Whether requests have checksums that they need not have. Gateways that know none have a client that says so. */
export async function sendsChecksums({ config }: S3Client): Promise<boolean> {
  // Early versions of the client have no such setting, and a client that a test has made may have none at all.
  const settings = config as { requestChecksumCalculation?: () => Promise<string> } | undefined;
  return (await settings?.requestChecksumCalculation?.()) !== 'WHEN_REQUIRED';
}

/** @throws SaveError The image's file could not be read. */
export async function createPayload(bytes: ReadableBytes, start: number, end: number): Promise<Payload> {
  const source = bytes.length > MAX_PRELOADED_BYTES ? bytes : new MemoryBytes(await bytes.buffer());
  const hash = createHash('sha256');
  for await (const chunk of source.stream(start, end)) hash.update(chunk as Buffer);
  return { bytes: source, start, end, sha256: hash.digest() };
}

/** What the client's steps have, as far as it is used here. */
interface Sent {
  readonly request: { readonly headers: Record<string, string>; body?: unknown };
}
interface Answered {
  readonly response: { readonly headers: Record<string, string | undefined> };
}
/** What the client throws. */
interface Failed {
  readonly $response?: { readonly statusCode: number };
}

/**
 * A request with all the attempts that the client makes. A store publishes an object only after the last byte, so that
 * byte is the point of no return. From then on, only the store's answer tells whether the object was published.
 */
export class S3Request {
  /** Whether the last byte of a request that publishes was sent, in any attempt. */
  lastByteSent = false;
  /** The `Date` of the last answer, milliseconds since 1970 in whole seconds; undefined without one. */
  date: number | undefined;
  readonly #aborter = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** The attempts whose last byte was sent and that no answer has rejected. */
  #unconfirmed = 0;

  /**
   * @param signal Aborts the request. A request that publishes is aborted only before its last byte is sent.
   * @param payload The body. The command has none: a stream could be sent only once, and a buffer would keep the image
   * in memory.
   * @param publishing Makes the request one that publishes: `commit` is called before the last byte of each attempt,
   * and `rollback` when the store has definitely refused each of them.
   */
  constructor(
    private readonly settings: S3Settings,
    private readonly signal: AbortSignal,
    private readonly payload?: Payload,
    private readonly publishing?: PublishOptions,
  ) {}

  /** Whether the object may be published, now or later: no answer has refused an attempt whose last byte was sent. */
  get outcomeUnknown(): boolean {
    return this.#unconfirmed > 0;
  }

  /** Rejects with the reason of an abort, or with the client's error. */
  async send(
    command: PutObjectCommand | UploadPartCommand | CompleteMultipartUploadCommand,
  ): Promise<UploadPartCommandOutput> {
    // The three commands are alike in everything that is used here.
    const anyCommand = command as UploadPartCommand;
    const { signal: abortSignal } = this.#aborter;
    this.signal.throwIfAborted();
    const stopWatching = whenAborted(this.signal, () => {
      if (!this.outcomeUnknown) this.#aborter.abort(this.signal.reason);
    });
    try {
      this.#attach(anyCommand);
      return await this.settings.client.send(anyCommand, { abortSignal });
    } catch (error) {
      throw abortSignal.aborted ? abortSignal.reason : error;
    } finally {
      stopWatching();
    }
  }

  #attach({ middlewareStack }: UploadPartCommand): void {
    const payload = this.payload;
    if (payload !== undefined) {
      // Before the request is signed.
      middlewareStack.add(
        (next) => async (args) => {
          Object.assign((args as Sent).request.headers, await createHeaders(payload, this.settings.client));
          return next(args);
        },
        { step: 'build', name: 'imageSavePayload' },
      );
    }
    // Below retries and signing, so each attempt passes here; above the client's reading of the answer, which finds an
    // error that S3 sends with status 200, and makes it another status.
    middlewareStack.add(
      (next) => async (args) => {
        const { request } = args as Sent;
        let published = false;
        const commit = (): void => {
          published = this.#commit();
        };
        if (payload === undefined) commit();
        const body = payload && createBody(payload, commit, this.#aborter);
        if (body !== undefined) request.body = body;
        try {
          const result = await next(args);
          const date = Date.parse((result as Answered).response.headers['date'] ?? '');
          this.date = Number.isNaN(date) ? undefined : date;
          return result;
        } catch (error) {
          this.#onFailure(error as Failed, published);
          throw error;
        } finally {
          // The next attempt has its own time for an answer, and its own body: no request with a stream is repeated.
          clearTimeout(this.#timer);
          body?.destroy();
          if (body !== undefined) request.body = undefined;
        }
      },
      { step: 'finalizeRequest', priority: 'low', name: 'imageSaveAttempt' },
    );
  }

  /** Called before the last byte of an attempt. Returns whether the attempt publishes. */
  #commit(): boolean {
    if (this.publishing === undefined) return false;
    try {
      this.publishing.commit();
    } catch (error) {
      this.#aborter.abort(error);
      throw error;
    }
    this.#unconfirmed += 1;
    this.lastByteSent = true;
    const { answerTimeout } = this.settings;
    this.#timer = setTimeout(() => {
      this.#aborter.abort(new Error(`The store did not answer within ${answerTimeout} ms`));
    }, answerTimeout);
    return true;
  }

  /** Without a response where none came whole. */
  #onFailure({ $response: { statusCode } = { statusCode: 0 } }: Failed, published: boolean): void {
    // 502 and 504 come from a proxy that got no answer from the store.
    if (!published || statusCode < 300 || statusCode === 502 || statusCode === 504) return;
    this.#unconfirmed -= 1;
    if (this.#unconfirmed === 0) this.publishing?.rollback?.();
  }
}

async function createHeaders(
  { start, end, sha256 }: Payload,
  client: S3Client,
): Promise<Record<string, string>> {
  // Where the client's own bodies ask the store for permission first, so that it can refuse, these do too. Early
  // versions of the client have no setting for it.
  const { expectContinueHeader: from = EXPECT_CONTINUE_BYTES } = client.config as {
    expectContinueHeader?: boolean | number;
  };
  const expectsContinue = typeof from === 'number' ? end - start >= from : from;
  return {
    'content-length': String(end - start),
    // Part of the signature, so that every store verifies the body.
    'x-amz-content-sha256': sha256.toString('hex'),
    ...((await sendsChecksums(client)) && { 'x-amz-checksum-sha256': sha256.toString('base64') }),
    ...(expectsContinue && { expect: '100-continue' }),
  };
}

/**
 * The body of one attempt. It ends after its last byte or not at all: the store knows the length, so it publishes
 * nothing of a body that stops early.
 *
 * @param commit Called after all chunks but the last are sent. The last chunk is sent unless it throws.
 * @param aborter Aborts the request if the image cannot be read or must not be published.
 */
function createBody({ bytes, start, end }: Payload, commit: () => void, aborter: AbortController): Readable {
  const source = bytes.stream(start, end);
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let remaining = end - start;
  const pushNext = async (): Promise<void> => {
    const { value: chunk = Buffer.alloc(0) } = (await chunks.next()) as { value?: Buffer };
    if (body.destroyed) return;
    remaining -= chunk.length;
    if (remaining === 0) commit();
    body.push(chunk);
    if (remaining === 0) body.push(null);
  };
  const body = new Readable({
    // Without a buffer of its own, so that the last chunk is asked for when all others are sent.
    highWaterMark: 0,
    read() {
      pushNext().catch((error: unknown) => {
        if (body.destroyed) return;
        aborter.abort(error);
        // Without an error: the request has it.
        body.destroy();
      });
    },
    destroy(error, done) {
      source.destroy();
      done(error);
    },
  });
  return body;
}
