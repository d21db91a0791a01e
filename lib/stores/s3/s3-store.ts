// Keeps images in a bucket of an S3 store, one object per name, and finds out whether an unanswered save succeeded.
import { randomUUID } from 'node:crypto';
import { CompleteMultipartUploadCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { raceAbort } from '../../abort.js';
import type { ReadableBytes } from '../../bytes/image-bytes.js';
import { SaveError, TOO_LONG } from '../../errors.js';
import type { ImageStore, PrepareOptions, PublishOptions, PublishResult, SaveTarget } from '../types.js';
import { Bucket, readError, storeError } from './s3-bucket.js';
import { FOLLOW_UP_TIMEOUT_MS, MultipartUpload } from './s3-multipart-upload.js';
import { checkS3StoreOptions, createObject, locateObject, MAX_PUT_BYTES, SAVE_ID } from './s3-options.js';
import type { S3Settings, S3StoreOptions } from './s3-options.js';
import { createPayload, S3Request, type Payload } from './s3-request.js';

/** The longest key. (Amazon S3 User Guide, "Naming Amazon S3 objects".) */
const MAX_KEY_BYTES = 1024;

/**
 * Makes a store that keeps each image as an object of a bucket, under the key prefix + name.
 *
 * @throws TypeError An option is missing, unknown or wrong.
 * @example
 * imageSave({ store: s3Store({ client: new S3Client({}), bucket: 'renders', prefix: 'saved/' }) })
 */
export function s3Store(options: S3StoreOptions): ImageStore {
  const settings = checkS3StoreOptions(options);
  const bucket = new Bucket(settings);
  return {
    async prepare(name, prepareOptions) {
      if (Buffer.byteLength(settings.prefix + name) > MAX_KEY_BYTES) {
        throw new SaveError('name-invalid', { rule: TOO_LONG });
      }
      const { signal } = prepareOptions;
      await raceAbort(signal, bucket.check());
      return raceAbort(signal, prepareTarget(settings, bucket, name, prepareOptions));
    },
    async check() {
      await bucket.probe();
      // The parts of one object may be forbidden where the bucket is not. An upload in parts leaves no object.
      const object = { ...locateObject(settings, 'image-save-check'), ContentType: 'image/png' };
      try {
        const upload = await MultipartUpload.create(settings, object);
        await upload.abort();
      } catch (error) {
        // Some gateways have no uploads in parts, and take images up to `partSize` all the same.
        const { status } = readError(error);
        if (status !== 405 && status !== 501) throw bucket.recordFailure(storeError(error));
      }
    },
  };
}

/** The object under the key, as one request shows it. */
interface ObjectState {
  /** Which save made it; `unknown` if the request failed. */
  readonly owner: 'self' | 'other' | 'none' | 'unknown';
  readonly lastUpdated: number;
  readonly error?: unknown;
}

/** @throws SaveError `file-exists`, or the bucket cannot be asked whether the name is taken. */
async function prepareTarget(
  settings: S3Settings,
  bucket: Bucket,
  name: string,
  { overwrite, signal }: PrepareOptions,
): Promise<SaveTarget> {
  const { client, partSize, answerTimeout } = settings;
  const saveId = randomUUID();
  const condition = overwrite ? {} : { IfNoneMatch: '*' };
  let object = locateObject(settings, name);
  const isAbort = (error: unknown): boolean => signal.aborted && error === signal.reason;

  async function headObject(timeout = FOLLOW_UP_TIMEOUT_MS): Promise<ObjectState> {
    try {
      const abortSignal = AbortSignal.timeout(timeout);
      const { Metadata, LastModified } = await client.send(new HeadObjectCommand(object), { abortSignal });
      const owner = Metadata?.[SAVE_ID] === saveId ? 'self' : 'other';
      return { owner, lastUpdated: LastModified?.getTime() ?? Date.now() };
    } catch (error) {
      const owner = readError(error).status === 404 ? 'none' : 'unknown';
      return { owner, lastUpdated: Date.now(), error };
    }
  }

  /** Sends the request that publishes. Without an answer to it, a HEAD of the object tells the outcome. */
  async function publishBy(
    command: PutObjectCommand | CompleteMultipartUploadCommand,
    options: PublishOptions,
    payload?: Payload,
  ): Promise<PublishResult> {
    const request = new S3Request(settings, signal, payload, options);
    try {
      await request.send(command);
    } catch (error) {
      if (!request.lastByteSent || (isAbort(error) && !request.outcomeUnknown)) throw error;
      const { owner, lastUpdated } = await headObject();
      if (owner === 'self') return { lastUpdated, warning: error };
      const { status } = readError(error);
      // The condition is false (412), or another save of the name is in progress (409): the name is taken.
      if (!overwrite && owner === 'other' && (status === 412 || status === 409)) {
        throw new SaveError('file-exists', {}, error);
      }
      throw request.outcomeUnknown ? new SaveError('store-no-response', {}, error) : error;
    }
    // The `Date` of an answer is within a second of the object's time, which saves a request per image. But Amazon S3
    // dates an object in parts by the beginning of its upload, which may be minutes ago.
    if (payload !== undefined && request.date !== undefined) return { lastUpdated: request.date };
    const { owner, lastUpdated, error } = await headObject();
    if (owner === 'self') return { lastUpdated };
    // Another save has replaced the object, or the store did not say: the time of the answer is the nearest.
    return { lastUpdated: request.date ?? Date.now(), ...(owner === 'unknown' && { warning: error }) };
  }

  async function publishParts(bytes: ReadableBytes, options: PublishOptions): Promise<PublishResult> {
    const upload = await MultipartUpload.create(settings, object);
    try {
      const parts = { MultipartUpload: { Parts: await upload.sendParts(bytes, signal) } };
      const command = new CompleteMultipartUploadCommand({ ...upload.input, ...condition, ...parts });
      return await publishBy(command, options);
    } catch (error) {
      await upload.remove();
      throw error;
    }
  }

  if (!overwrite) {
    const { owner, error } = await headObject(answerTimeout);
    if (owner === 'other') throw new SaveError('file-exists');
    // Without the right to read, the condition of the upload decides.
    if (owner === 'unknown' && readError(error).status !== 403) throw bucket.recordFailure(storeError(error));
  }
  return {
    async publish(image, options) {
      // Outside the `try`: an error of the host's own function is no failure of the store.
      object = createObject(settings, name, image, saveId);
      const { bytes } = image;
      try {
        signal.throwIfAborted();
        // Not all gateways honour a condition on the request that completes parts; all do on PutObject.
        if (bytes.length > (overwrite ? partSize : MAX_PUT_BYTES)) return await publishParts(bytes, options);
        const payload = await createPayload(bytes, 0, bytes.length);
        return await publishBy(new PutObjectCommand({ ...object, ...condition }), options, payload);
      } catch (error) {
        throw isAbort(error) ? error : bucket.recordFailure(storeError(error));
      }
    },
  };
}
