// One request to a store: its body can be sent again, and it can be aborted until its last byte is sent.
//
// This file adds two steps to the AWS client's own middleware stack, because nothing else sees each attempt of a request
// right before its last byte. Without them (an AbortSignal, @aws-sdk/lib-storage, a HEAD afterwards) a save that ends in
// its last milliseconds could only answer `store-no-response`, and `overwrite: false` would be limited to one part.
import type {
  CompleteMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCommandOutput,
} from '@aws-sdk/client-s3';
import { UploadBody, type Payload } from './s3-upload-body.js';

/** The client's own default of `expectContinueHeader`, in bytes. */
const EXPECT_CONTINUE_BYTES = 2 * 1024 ** 2;

/** The options of a request. */
export interface RequestOptions {
  /** The body. The command has none: a stream could be sent only once, and a buffer would keep the image in memory. */
  readonly payload?: Payload;
  /** Aborts the request. A request that publishes is aborted only before its last byte is sent. */
  readonly signal: AbortSignal;
  /** Makes the request one that publishes. */
  readonly publishing?: {
    /** Called before the last byte is sent, in each attempt. Throws if that byte must not be sent. */
    readonly commit: () => void;
    /** Called when the store has definitely refused each attempt whose last byte was sent: nothing has changed. */
    readonly rollback?: (() => void) | undefined;
    /** How long to wait for the answer after the last byte, in milliseconds. */
    readonly answerTimeout: number;
  };
}

/** The arguments of the client's `build` step, as far as they are used here. */
interface BuildArgs {
  readonly request: { readonly headers: Record<string, string>; body?: unknown };
}

/** The result of the client's `deserialize` step, as far as it is used here. */
interface DeserializeResult {
  readonly response: {
    readonly statusCode: number;
    readonly headers: Readonly<Record<string, string | undefined>>;
  };
}

/**
 * A request with all the attempts that the client makes.
 *
 * A store publishes an object only after the last byte of the request, so that byte is the point of no return. From
 * then on, only the store's answer tells whether the object was published.
 */
export class S3Request {
  /** Whether the last byte of a request that publishes was sent, in any attempt. */
  lastByteSent = false;
  /** The `Date` of the last answer, milliseconds since 1970 in whole seconds; undefined without one. */
  date: number | undefined;
  readonly #options: RequestOptions;
  readonly #abortController = new AbortController();
  #abortReason: unknown;
  #timer: NodeJS.Timeout | undefined;
  /** The attempts whose last byte was sent and that no answer has rejected. */
  #unconfirmed = 0;

  constructor(options: RequestOptions) {
    this.#options = options;
  }

  /** Whether the object may be published, now or later: no answer has refused an attempt whose last byte was sent. */
  get outcomeUnknown(): boolean {
    return this.#unconfirmed > 0;
  }

  /** Sends a command. Rejects with the reason of an abort, or with the client's error. */
  async send(
    client: S3Client,
    command: PutObjectCommand | UploadPartCommand | CompleteMultipartUploadCommand,
  ): Promise<UploadPartCommandOutput> {
    const { signal } = this.#options;
    const onAbort = (): void => {
      if (!this.outcomeUnknown) this.#abort(signal.reason);
    };
    signal.throwIfAborted();
    signal.addEventListener('abort', onAbort);
    try {
      // The three commands are alike in everything that is used here.
      const anyCommand = command as UploadPartCommand;
      this.#attach(anyCommand, client);
      return await client.send(anyCommand, { abortSignal: this.#abortController.signal });
    } catch (error) {
      throw this.#abortReason ?? error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #abort(reason: unknown): void {
    this.#abortReason ??= reason;
    this.#abortController.abort();
  }

  #attach({ middlewareStack }: UploadPartCommand, client: S3Client): void {
    const { payload } = this.#options;
    if (payload !== undefined) {
      // Before the request is signed.
      middlewareStack.add(
        (next) => (args) => {
          Object.assign((args as BuildArgs).request.headers, createHeaders(payload, client));
          return next(args);
        },
        { step: 'build', name: 'imageSavePayload' },
      );
    }
    // The innermost step, below retries and signing: each attempt passes here.
    middlewareStack.add(
      (next) => async (args) => {
        const { request } = args as BuildArgs;
        let lastByteSent = false;
        const commit = (): boolean => (lastByteSent = this.#commit());
        if (payload === undefined && !commit()) throw this.#abortReason;
        const body =
          payload &&
          new UploadBody(payload, {
            beforeLastChunk: commit,
            onError: (error) => {
              this.#abort(error);
            },
          });
        try {
          const result = await next({ ...args, request: withBody(request, body) });
          this.#onResponse(result as DeserializeResult, lastByteSent);
          return result;
        } finally {
          // The next attempt has its own time for an answer.
          clearTimeout(this.#timer);
          body?.destroy();
        }
      },
      { step: 'deserialize', priority: 'low', name: 'imageSaveAttempt' },
    );
  }

  /** Called before the last byte is sent. Returns whether it may be sent. */
  #commit(): boolean {
    const { publishing } = this.#options;
    if (publishing === undefined) return true;
    try {
      publishing.commit();
    } catch (error) {
      this.#abort(error);
      return false;
    }
    this.#unconfirmed += 1;
    this.lastByteSent = true;
    this.#timer = setTimeout(() => {
      this.#abort(new Error(`The store did not answer within ${publishing.answerTimeout} ms`));
    }, publishing.answerTimeout);
    return true;
  }

  #onResponse({ response }: DeserializeResult, lastByteSent: boolean): void {
    const date = Date.parse(response.headers['date'] ?? '');
    this.date = Number.isNaN(date) ? undefined : date;
    const { statusCode } = response;
    // 502 and 504 come from a proxy that got no answer from the store.
    if (!lastByteSent || statusCode < 300 || statusCode === 502 || statusCode === 504) return;
    this.#unconfirmed -= 1;
    if (this.#unconfirmed === 0) this.#options.publishing?.rollback?.();
  }
}

function createHeaders({ start, end, sha256 }: Payload, client: S3Client): Record<string, string> {
  return {
    'content-length': String(end - start),
    // The first checksum is signed, so stores that do not know the second one verify the body too.
    'x-amz-content-sha256': sha256.toString('hex'),
    'x-amz-checksum-sha256': sha256.toString('base64'),
    ...(expectsContinue(client, end - start) && { expect: '100-continue' }),
  };
}

/**
 * Whether the store is asked for permission before a body is sent (`Expect: 100-continue`), so that it can refuse first.
 * The rule is that of the client for its own bodies; early versions of the client have no setting for it.
 */
function expectsContinue({ config }: S3Client, length: number): boolean {
  const { expectContinueHeader = EXPECT_CONTINUE_BYTES } = config as {
    expectContinueHeader?: boolean | number;
  };
  return typeof expectContinueHeader === 'number' ? length >= expectContinueHeader : expectContinueHeader;
}

/** A copy of a request with a body, so that the original can be sent again. */
function withBody<Kind extends BuildArgs['request']>(request: Kind, body: UploadBody | undefined): Kind {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(request) as object), request) as Kind;
  if (body !== undefined) copy.body = body;
  return copy;
}
