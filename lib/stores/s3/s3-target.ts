// The key of one image: publishes it by one request or in parts, and finds out whether an unanswered save succeeded.
import { randomUUID } from 'node:crypto';
import {
  CompleteMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type HeadObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { SaveError } from '../../errors.js';
import type { InspectedImage, PrepareOptions, PublishOptions, PublishResult, SaveTarget } from '../types.js';
import type { Bucket } from './s3-bucket.js';
import { FOLLOW_UP_TIMEOUT_MS, MultipartUpload, type ObjectLocation } from './s3-multipart-upload.js';
import { createObjectInput, resolveObjectFields, SAVE_ID, selectSharedFields } from './s3-object-fields.js';
import type { S3ObjectFields } from './s3-object-fields.js';
import { MAX_PUT_BYTES, type S3Settings } from './s3-options.js';
import { getStatus, storeError } from './s3-errors.js';
import { S3Request } from './s3-request.js';
import { createPayload, type Payload } from './s3-upload-body.js';

/** The object under the key: made by this save, by another one, absent, or unknown because the request failed. */
type ObjectState =
  | { readonly owner: 'self' | 'other'; readonly object: HeadObjectCommandOutput }
  | { readonly owner: 'none' }
  | { readonly owner: 'unknown'; readonly error: unknown };

export class S3Target implements SaveTarget {
  readonly #settings: S3Settings;
  readonly #bucket: Bucket;
  readonly #name: string;
  readonly #options: PrepareOptions;
  /** The bucket, the key, and the host's fields that every request needs. */
  #location: ObjectLocation;
  readonly #saveId = randomUUID();

  constructor(settings: S3Settings, bucket: Bucket, name: string, options: PrepareOptions) {
    this.#settings = settings;
    this.#bucket = bucket;
    this.#name = name;
    this.#options = options;
    this.#location = {
      ...(typeof settings.object === 'function' ? {} : selectSharedFields(settings.object)),
      Bucket: settings.bucket,
      Key: settings.prefix + name,
    };
  }

  /** Refuses a name that is taken. Without the right to read, the condition of the upload decides. */
  async assertNotExists(): Promise<void> {
    const { client, answerTimeout } = this.#settings;
    try {
      await client.send(new HeadObjectCommand(this.#location), {
        abortSignal: AbortSignal.timeout(answerTimeout),
      });
    } catch (error) {
      const status = getStatus(error);
      if (status === 404 || status === 403) return;
      throw this.#bucket.recordFailure(storeError(error));
    }
    throw new SaveError('file-exists');
  }

  async publish(image: InspectedImage, options: PublishOptions): Promise<PublishResult> {
    const { overwrite, signal } = this.#options;
    const { type, width, height } = image;
    // Outside the `try`: an error of the host's own function is no failure of the store.
    const fields = resolveObjectFields(this.#settings.object, { name: this.#name, type, width, height });
    this.#location = { ...selectSharedFields(fields), ...this.#location };
    try {
      signal.throwIfAborted();
      // Not all gateways honour a condition on the request that completes parts; all do on PutObject.
      const maxBytes = overwrite ? this.#settings.partSize : MAX_PUT_BYTES;
      return await (image.bytes.length > maxBytes
        ? this.#publishParts(image, fields, options)
        : this.#publishAtOnce(image, fields, options));
    } catch (error) {
      if (signal.aborted && error === signal.reason) throw error;
      throw this.#bucket.recordFailure(storeError(error));
    }
  }

  async #publishAtOnce(
    image: InspectedImage,
    fields: S3ObjectFields,
    options: PublishOptions,
  ): Promise<PublishResult> {
    const payload = await createPayload(image.bytes, 0, image.bytes.length);
    const command = new PutObjectCommand({
      ...createObjectInput(fields, image, this.#saveId),
      ...this.#location,
      ...this.#condition(),
    });
    const request = this.#createRequest(options, payload);
    const unconfirmed = await this.#sendOrResolve(command, request);
    if (unconfirmed !== undefined) return unconfirmed;
    // The `Date` of the answer is within a second of the object's time, which saves a request per image.
    return request.date === undefined ? this.#readTime(request) : { lastUpdated: request.date };
  }

  async #publishParts(
    image: InspectedImage,
    fields: S3ObjectFields,
    options: PublishOptions,
  ): Promise<PublishResult> {
    const upload = new MultipartUpload(this.#settings, this.#location, this.#options.signal);
    await upload.create(createObjectInput(fields, image, this.#saveId));
    try {
      const parts = await upload.send(image.bytes);
      const command = new CompleteMultipartUploadCommand({
        ...this.#location,
        ...this.#condition(),
        UploadId: upload.id,
        MultipartUpload: { Parts: parts },
      });
      const request = this.#createRequest(options);
      const unconfirmed = await this.#sendOrResolve(command, request);
      // Amazon S3 dates such an object by the beginning of its upload, which may be minutes ago.
      return unconfirmed ?? (await this.#readTime(request));
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  #condition(): { IfNoneMatch?: string } {
    return this.#options.overwrite ? {} : { IfNoneMatch: '*' };
  }

  #createRequest({ commit, rollback }: PublishOptions, payload?: Payload): S3Request {
    const { answerTimeout } = this.#settings;
    const { signal } = this.#options;
    const publishing = { commit, rollback, answerTimeout };
    return new S3Request({ ...(payload && { payload }), signal, publishing });
  }

  /**
   * Sends the request that publishes the object.
   *
   * @returns The result if only a HEAD of the object confirms the save; undefined if the answer does.
   */
  async #sendOrResolve(
    command: PutObjectCommand | CompleteMultipartUploadCommand,
    request: S3Request,
  ): Promise<PublishResult | undefined> {
    try {
      await request.send(this.#settings.client, command);
      return undefined;
    } catch (error) {
      const { signal } = this.#options;
      const abandoned = signal.aborted && error === signal.reason && !request.outcomeUnknown;
      if (abandoned || !request.lastByteSent) throw error;
      return await this.#resolveOutcome(request, error);
    }
  }

  /** Reads the object's head after the whole request was sent and no answer has confirmed the save. */
  async #resolveOutcome(request: S3Request, error: unknown): Promise<PublishResult> {
    const state = await this.#headObject();
    if (state.owner === 'self') return { lastUpdated: getLastModified(state.object), warning: error };
    const status = getStatus(error);
    // The condition is false (412), or another save of the name is in progress (409): the name is taken.
    if (state.owner === 'other' && (status === 412 || status === 409)) {
      throw new SaveError('file-exists', {}, error);
    }
    throw request.outcomeUnknown ? new SaveError('store-no-response', {}, error) : error;
  }

  /** Asks the store for the time of the published object. */
  async #readTime(request: S3Request): Promise<PublishResult> {
    const state = await this.#headObject();
    if (state.owner === 'self') return { lastUpdated: getLastModified(state.object) };
    // Another save has replaced the object, or the store did not say: the time of the answer is the nearest.
    const lastUpdated = request.date ?? Date.now();
    return { lastUpdated, ...(state.owner === 'unknown' && { warning: state.error }) };
  }

  async #headObject(): Promise<ObjectState> {
    try {
      const object = await this.#settings.client.send(new HeadObjectCommand(this.#location), {
        abortSignal: AbortSignal.timeout(FOLLOW_UP_TIMEOUT_MS),
      });
      return { owner: object.Metadata?.[SAVE_ID] === this.#saveId ? 'self' : 'other', object };
    } catch (error) {
      return getStatus(error) === 404 ? { owner: 'none' } : { owner: 'unknown', error };
    }
  }
}

function getLastModified({ LastModified }: HeadObjectCommandOutput): number {
  return LastModified?.getTime() ?? Date.now();
}
