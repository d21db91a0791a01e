// The state of the bucket: checked once while saves succeed, and again after a failure.
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { SaveError, type SaveErrorCode } from '../../errors.js';
import type { S3Settings } from './s3-options.js';
import { concernsBucket, getStatus, storeError } from './s3-errors.js';

/** How long a refusal that concerns the whole bucket is repeated without a request, in milliseconds. */
const REFUSAL_TTL_MS = 3000;

/** Refusals of one name, which are no sign of a fault of the bucket. */
const CONCERNS_NAME: ReadonlySet<SaveErrorCode> = new Set(['file-exists', 'name-invalid']);

/** The bucket of a store, shared by all its saves. */
export class Bucket {
  readonly #settings: S3Settings;
  /** The request in progress, or the last one if it succeeded and no save has failed since. */
  #checking: Promise<void> | undefined;
  #refusal: { readonly error: SaveError; readonly until: number } | undefined;

  constructor(settings: S3Settings) {
    this.#settings = settings;
  }

  /**
   * Checks that the bucket can be reached. Saves at the same time share one request.
   *
   * @throws SaveError No image can be saved to the bucket.
   */
  async check(): Promise<void> {
    if (this.#refusal !== undefined && performance.now() < this.#refusal.until) throw this.#refusal.error;
    this.#checking ??= this.#headBucket();
    await this.#checking;
  }

  /**
   * Checks the bucket by a new request, whatever is known of it.
   *
   * @throws SaveError No image can be saved to the bucket.
   */
  async probe(): Promise<void> {
    this.#refusal = undefined;
    this.#checking = this.#headBucket();
    await this.#checking;
  }

  async #headBucket(): Promise<void> {
    const { client, bucket, answerTimeout } = this.#settings;
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }), {
        abortSignal: AbortSignal.timeout(answerTimeout),
      });
    } catch (cause) {
      // Credentials without the right to list the bucket may still be allowed to save to it.
      if (getStatus(cause) === 403) return;
      throw this.recordFailure(
        getStatus(cause) === 404 ? new SaveError('store-missing', {}, cause) : storeError(cause),
      );
    }
  }

  /**
   * Records that a request has failed, so that the next save asks for the bucket again.
   *
   * @returns The error.
   */
  recordFailure(error: SaveError): SaveError {
    if (CONCERNS_NAME.has(error.code)) return error;
    this.#checking = undefined;
    if (concernsBucket(error)) this.#refusal = { error, until: performance.now() + REFUSAL_TTL_MS };
    return error;
  }
}
