// The bucket of a store: what its errors mean, and its state, which is checked once while saves succeed.
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { SaveError, TOO_LONG, type SaveErrorCode } from '../../errors.js';
import type { S3Settings } from './s3-options.js';

/** How long a refusal that concerns the whole bucket is repeated without a request. */
const REFUSAL_TTL_MS = 3000;

/** The name of an error of S3 or of its client (`NoSuchBucket`), and the HTTP status of the answer behind it, if any. */
export function readError(error: unknown): { name: string; status: number | undefined } {
  const { name, $metadata } = (error ?? {}) as { name?: unknown; $metadata?: { httpStatusCode?: number } };
  return { name: typeof name === 'string' ? name : '', status: $metadata?.httpStatusCode };
}

const BAD_CREDENTIALS = [
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'CredentialsProviderError',
  'AuthorizationHeaderMalformed',
];

/** Where the status is ambiguous, S3's own name decides. (Amazon S3 API Reference, "Error responses".) */
const CODES: readonly (readonly [SaveErrorCode, readonly (string | number | undefined)[]])[] = [
  ['store-missing', ['NoSuchBucket', 'PermanentRedirect', 301, 404]],
  // 501: a header or a condition that this store does not know.
  ['store-denied', [...BAD_CREDENTIALS, 401, 403, 501]],
  ['name-invalid', ['KeyTooLongError']],
  // 413: also from a proxy in front of it.
  ['too-many-bytes', ['EntityTooLarge', 413]],
  ['disk-full', ['QuotaExceeded', 507]],
  ['file-exists', [412]],
  // A conflict: another conditional save of the same name is in progress.
  ['store-unavailable', ['RequestTimeout', 'ConditionalRequestConflict', 'NoSuchUpload', 408, 429]],
  // A service behind S3, such as KMS, with 400; the limits of the client and of this store; no answer at all.
  ['store-unavailable', ['ThrottlingException', 'TimeoutError', 'AbortError', undefined]],
  // Bytes that were damaged on their way, with 400; a conflict with another request.
  ['write-failed', ['IncompleteBody', 'BadDigest', 'XAmzContentSHA256Mismatch', 409]],
];

function findCode(cause: string | number | undefined): SaveErrorCode | undefined {
  return CODES.find(([, causes]) => causes.includes(cause))?.[0];
}

/** Converts an error of the client to a SaveError, with the original error as its cause. */
export function storeError(error: unknown): SaveError {
  if (error instanceof SaveError) return error;
  const { name, status } = readError(error);
  const code = findCode(name) ?? (couldNotSend(error) ? 'internal-error' : findCode(status));
  return new SaveError(code ?? unlistedCode(status ?? 0), { rule: TOO_LONG }, error);
}

function unlistedCode(status: number): SaveErrorCode {
  if (status >= 500) return 'store-unavailable';
  // A refusal of the request itself: the same one will always be refused.
  return status >= 400 ? 'store-denied' : 'write-failed';
}

/** Whether the client could not make a request: it has no region, or its endpoint or a field is wrong. */
function couldNotSend(error: unknown): boolean {
  const { code, cause, $metadata } = Object(error) as { code?: string; cause?: unknown; $metadata?: unknown };
  if (code?.startsWith('ERR_INVALID_')) return true;
  // The client notes its attempts. Errors of the network, also where the credentials come from, have a code or a cause.
  return code === undefined && cause === undefined && $metadata === undefined;
}

/** Whether the error would refuse every other save to the same bucket. */
export function concernsBucket(error: SaveError): boolean {
  return error.code === 'store-missing' || BAD_CREDENTIALS.includes(readError(error.cause).name);
}

/** The state of a bucket, shared by all saves of a store. */
export class Bucket {
  /** The request in progress, or the last one if it succeeded and no save has failed since. */
  #checking: Promise<void> | undefined;
  #refusal: { readonly error: SaveError; readonly until: number } | undefined;

  constructor(private readonly settings: S3Settings) {}

  /** Checks that the bucket can be reached. Saves at the same time share one request. */
  async check(): Promise<void> {
    if (this.#refusal !== undefined && performance.now() < this.#refusal.until) throw this.#refusal.error;
    this.#checking ??= this.#headBucket();
    await this.#checking;
  }

  /** The same by a new request, whatever is known of the bucket. */
  async probe(): Promise<void> {
    this.#refusal = this.#checking = undefined;
    await this.check();
  }

  async #headBucket(): Promise<void> {
    const { client, bucket, answerTimeout } = this.settings;
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }), {
        abortSignal: AbortSignal.timeout(answerTimeout),
      });
    } catch (error) {
      // Credentials without the right to list the bucket may still be allowed to save to it.
      if (readError(error).status !== 403) throw this.recordFailure(storeError(error));
    }
  }

  /** Has the next save ask for the bucket again, unless the error concerns one name. Returns the error. */
  recordFailure(error: SaveError): SaveError {
    if (error.code === 'file-exists' || error.code === 'name-invalid') return error;
    this.#checking = undefined;
    if (concernsBucket(error)) this.#refusal = { error, until: performance.now() + REFUSAL_TTL_MS };
    return error;
  }
}
