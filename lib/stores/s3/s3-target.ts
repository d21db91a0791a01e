// The key of one image: publishes it by one request or in parts, and finds out whether an unanswered save succeeded.
import { randomUUID } from 'node:crypto';
import { CompleteMultipartUploadCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { SaveError } from '../../errors.js';
import type { InspectedImage, PrepareOptions, PublishOptions, PublishResult, SaveTarget } from '../types.js';
import { getStatus, storeError, type Bucket } from './s3-bucket.js';
import { createUpload, FOLLOW_UP_TIMEOUT_MS, removeUpload, sendParts } from './s3-multipart-upload.js';
import { createObject, locateObject, MAX_PUT_BYTES, SAVE_ID } from './s3-options.js';
import type { ObjectLocation, S3Object, S3Settings } from './s3-options.js';
import { createPayload, S3Request } from './s3-request.js';

/** The object under the key, as one request shows it. */
interface ObjectState {
  /** Which save made it; `unknown` if the request failed. */
  readonly owner: 'self' | 'other' | 'none' | 'unknown';
  readonly lastUpdated: number;
  readonly error?: unknown;
}

export class S3Target implements SaveTarget {
  readonly #settings: S3Settings;
  readonly #bucket: Bucket;
  readonly #name: string;
  readonly #options: PrepareOptions;
  #location: ObjectLocation;
  readonly #saveId = randomUUID();

  constructor(settings: S3Settings, bucket: Bucket, name: string, options: PrepareOptions) {
    this.#settings = settings;
    this.#bucket = bucket;
    this.#name = name;
    this.#options = options;
    this.#location = locateObject(settings, name, settings.object);
  }

  /** Refuses a name that is taken. Without the right to read, the condition of the upload decides. */
  async assertNotExists(): Promise<void> {
    const { owner, error } = await this.#headObject(this.#settings.answerTimeout);
    if (owner === 'self' || owner === 'other') throw new SaveError('file-exists');
    if (owner === 'unknown' && getStatus(error) !== 403) {
      throw this.#bucket.recordFailure(storeError(error));
    }
  }

  async publish(image: InspectedImage, options: PublishOptions): Promise<PublishResult> {
    const { overwrite, signal } = this.#options;
    // Outside the `try`: an error of the host's own function is no failure of the store.
    const object = createObject(this.#settings, this.#name, image, this.#saveId);
    this.#location = locateObject(this.#settings, this.#name, object);
    try {
      signal.throwIfAborted();
      // Not all gateways honour a condition on the request that completes parts; all do on PutObject.
      const maxBytes = overwrite ? this.#settings.partSize : MAX_PUT_BYTES;
      return await (image.bytes.length > maxBytes
        ? this.#publishParts(image, object, options)
        : this.#publishAtOnce(image, object, options));
    } catch (error) {
      if (signal.aborted && error === signal.reason) throw error;
      throw this.#bucket.recordFailure(storeError(error));
    }
  }

  async #publishAtOnce(
    { bytes }: InspectedImage,
    object: S3Object,
    options: PublishOptions,
  ): Promise<PublishResult> {
    const payload = await createPayload(bytes, 0, bytes.length);
    const command = new PutObjectCommand({ ...object, ...this.#location, ...this.#condition() });
    const request = new S3Request(this.#settings, this.#options.signal, payload, options);
    const unconfirmed = await this.#sendOrResolve(command, request);
    if (unconfirmed !== undefined) return unconfirmed;
    // The `Date` of the answer is within a second of the object's time, which saves a request per image.
    return request.date === undefined ? this.#readTime(request) : { lastUpdated: request.date };
  }

  async #publishParts(
    { bytes }: InspectedImage,
    object: S3Object,
    options: PublishOptions,
  ): Promise<PublishResult> {
    const { signal } = this.#options;
    const upload = await createUpload(this.#settings, this.#location, object);
    let allSent = false;
    try {
      const Parts = await sendParts(this.#settings, upload, bytes, signal);
      allSent = true;
      const command = new CompleteMultipartUploadCommand({
        ...upload,
        ...this.#condition(),
        MultipartUpload: { Parts },
      });
      const request = new S3Request(this.#settings, signal, undefined, options);
      const unconfirmed = await this.#sendOrResolve(command, request);
      // Amazon S3 dates such an object by the beginning of its upload, which may be minutes ago.
      return unconfirmed ?? (await this.#readTime(request));
    } catch (error) {
      await removeUpload(this.#settings, upload, !allSent);
      throw error;
    }
  }

  #condition(): { IfNoneMatch?: string } {
    return this.#options.overwrite ? {} : { IfNoneMatch: '*' };
  }

  /** @returns The result if only a HEAD of the object confirms the save; undefined if the answer does. */
  async #sendOrResolve(
    command: PutObjectCommand | CompleteMultipartUploadCommand,
    request: S3Request,
  ): Promise<PublishResult | undefined> {
    try {
      await request.send(command);
      return undefined;
    } catch (error) {
      const { signal } = this.#options;
      const abandoned = signal.aborted && error === signal.reason && !request.outcomeUnknown;
      if (abandoned || !request.lastByteSent) throw error;
      const { owner, lastUpdated } = await this.#headObject();
      if (owner === 'self') return { lastUpdated, warning: error };
      const status = getStatus(error);
      // The condition is false (412), or another save of the name is in progress (409): the name is taken.
      if (owner === 'other' && (status === 412 || status === 409))
        throw new SaveError('file-exists', {}, error);
      throw request.outcomeUnknown ? new SaveError('store-no-response', {}, error) : error;
    }
  }

  async #readTime(request: S3Request): Promise<PublishResult> {
    const { owner, lastUpdated, error } = await this.#headObject();
    if (owner === 'self') return { lastUpdated };
    // Another save has replaced the object, or the store did not say: the time of the answer is the nearest.
    return { lastUpdated: request.date ?? Date.now(), ...(owner === 'unknown' && { warning: error }) };
  }

  async #headObject(timeout = FOLLOW_UP_TIMEOUT_MS): Promise<ObjectState> {
    try {
      const { Metadata, LastModified } = await this.#settings.client.send(
        new HeadObjectCommand(this.#location),
        { abortSignal: AbortSignal.timeout(timeout) },
      );
      const owner = Metadata?.[SAVE_ID] === this.#saveId ? 'self' : 'other';
      return { owner, lastUpdated: LastModified?.getTime() ?? Date.now() };
    } catch (error) {
      return { owner: getStatus(error) === 404 ? 'none' : 'unknown', lastUpdated: Date.now(), error };
    }
  }
}
