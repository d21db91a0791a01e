// One request to a store: with a body that can be sent again, and stopped until its last byte has gone out.
import type {
  CompleteMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCommandOutput,
} from '@aws-sdk/client-s3';
import { UploadBody, type Payload } from './upload-body.js';
import type { RoundTrip } from './server-clock.js';

/**
 * As many bytes as are worth a question whether the store will take them, so that its refusal is heard before they are
 * sent: as many as to the client itself.
 */
const EXPECT_CONTINUE_BYTES = 2 * 1024 ** 2;

/** How a request is made. */
export interface RequestOptions {
  /** The body. The command has none of its own: it could be sent only once, or would have to be in memory. */
  readonly payload?: Payload;
  /** Stops the request: one that publishes, until its last byte goes out. */
  readonly signal: AbortSignal;
  /** What makes the request one that publishes. */
  readonly publishing?: {
    /** Called before the last byte goes out, in each attempt; throws where it must not. */
    readonly commit: () => void;
    /** How long to wait for the answer from then on, in milliseconds. */
    readonly answerTimeout: number;
  };
}

/** As much as is needed here of what goes through the client's own middleware. */
interface BuildArgs {
  readonly request: { readonly headers: Record<string, string>; body?: unknown };
}
interface DeserializeResult {
  readonly response: {
    readonly statusCode: number;
    readonly headers: Readonly<Record<string, string | undefined>>;
  };
}

/**
 * A request, by as many attempts as the client makes.
 *
 * No server publishes an object before it has the last byte of the request, and whether it has done so from then on
 * only its answer can tell: that byte is the point of no return.
 */
export class S3Request {
  /** Whether the last byte of a request that publishes has gone out, in any attempt. */
  lastByteSent = false;
  /** Why the request was stopped, if it was. */
  abortReason: unknown;
  readonly #options: RequestOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** How often the last byte has gone out without an answer that says that nothing was published. */
  #unconfirmed = 0;
  #sentAt = 0;
  #receivedAt = 0;
  #date = NaN;

  constructor(options: RequestOptions) {
    this.#options = options;
  }

  /** Can the object have been published, now or later, although no answer says so? */
  get outcomeUnknown(): boolean {
    return this.#unconfirmed > 0;
  }

  /** The attempt that was answered, if its answer said when. */
  get exchange(): RoundTrip | undefined {
    const exchange = { sentAt: this.#sentAt, receivedAt: this.#receivedAt, date: this.#date };
    return Number.isNaN(this.#date) ? undefined : exchange;
  }

  /** Sends a command. Rejects with why it was stopped, or with what the client throws. */
  async send(
    client: S3Client,
    command: PutObjectCommand | UploadPartCommand | CompleteMultipartUploadCommand,
  ): Promise<UploadPartCommandOutput> {
    const { signal } = this.#options;
    const onAbort = (): void => {
      if (!this.lastByteSent) this.#abort(signal.reason);
    };
    signal.throwIfAborted();
    signal.addEventListener('abort', onAbort);
    try {
      // Whichever command it is: they differ in nothing that matters here.
      const anyCommand = command as UploadPartCommand;
      this.#attach(anyCommand);
      return await client.send(anyCommand, { abortSignal: this.#stop.signal });
    } catch (error) {
      throw this.abortReason ?? error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(this.#timer);
    }
  }

  #abort(reason: unknown): void {
    this.abortReason ??= reason;
    this.#stop.abort();
  }

  #attach({ middlewareStack }: UploadPartCommand): void {
    const { payload } = this.#options;
    if (payload !== undefined) {
      // Before it is signed.
      middlewareStack.add(
        (next) => (args) => {
          Object.assign((args as BuildArgs).request.headers, headersOf(payload));
          return next(args);
        },
        { step: 'build', name: 'imageSavePayload' },
      );
    }
    // The innermost place, below the retries and the signing: each attempt goes out and comes back through here.
    middlewareStack.add(
      (next) => async (args) => {
        const { request } = args as BuildArgs;
        let lastByteSent = false;
        const pass = (): boolean => (lastByteSent = this.#commit());
        this.#sentAt = performance.now();
        if (payload === undefined && !pass()) throw this.abortReason;
        const body =
          payload &&
          new UploadBody(payload, {
            beforeLastChunk: pass,
            failed: (error) => {
              this.#abort(error);
            },
          });
        try {
          const answer = await next({ ...args, request: withBody(request, body) });
          this.#onResponse(answer as DeserializeResult, lastByteSent);
          return answer;
        } finally {
          body?.destroy();
        }
      },
      { step: 'deserialize', priority: 'low', name: 'imageSaveAttempt' },
    );
  }

  /** The last byte is about to go out: may it? */
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
    this.#timer ??= setTimeout(() => {
      this.#abort(new Error(`The store did not answer within ${publishing.answerTimeout} ms`));
    }, publishing.answerTimeout);
    return true;
  }

  #onResponse({ response }: DeserializeResult, lastByteSent: boolean): void {
    this.#receivedAt = performance.now();
    this.#date = Date.parse(response.headers['date'] ?? '');
    const { statusCode } = response;
    // Of 502 and 504 a proxy says only that it has not heard from the store itself.
    if (lastByteSent && statusCode >= 300 && statusCode !== 502 && statusCode !== 504) this.#unconfirmed -= 1;
  }
}

function headersOf({ start, end, sha256 }: Payload): Record<string, string> {
  return {
    'content-length': String(end - start),
    // Two names for one checksum: the first is signed, and stores that do not know the second hold the body to it.
    'x-amz-content-sha256': sha256.toString('hex'),
    'x-amz-checksum-sha256': sha256.toString('base64'),
    ...(end - start >= EXPECT_CONTINUE_BYTES ? { expect: '100-continue' } : {}),
  };
}

/** A request that differs in its body: what is above sends its own again. */
function withBody<Kind extends BuildArgs['request']>(request: Kind, body: UploadBody | undefined): Kind {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(request) as object), request) as Kind;
  if (body !== undefined) copy.body = body;
  return copy;
}
