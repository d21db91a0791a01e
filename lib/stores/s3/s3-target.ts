// The key of one image: publishes it by one request or in parts, and finds out whether an unanswered save succeeded.
import { randomUUID } from 'node:crypto';
import { CompleteMultipartUploadCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { SaveError } from '../../errors.js';
import type { PrepareOptions, PublishOptions, PublishResult, SaveTarget } from '../types.js';
import type { ReadableBytes } from '../../bytes/image-bytes.js';
import { getStatus, storeError, type Bucket } from './s3-bucket.js';
import { createUpload, FOLLOW_UP_TIMEOUT_MS, removeUpload, sendParts } from './s3-multipart-upload.js';
import { createObject, locateObject, MAX_PUT_BYTES, SAVE_ID } from './s3-options.js';
import type { S3Object, S3Settings } from './s3-options.js';
import { createPayload, S3Request } from './s3-request.js';

/** The object under the key, as one request shows it. */
interface ObjectState {
  /** Which save made it; `unknown` if the request failed. */
  readonly owner: 'self' | 'other' | 'none' | 'unknown';
  readonly lastUpdated: number;
  readonly error?: unknown;
}

/** @throws SaveError `file-exists`, or the bucket cannot be asked whether the name is taken. */
export async function prepareTarget(
  settings: S3Settings,
  bucket: Bucket,
  name: string,
  { overwrite, signal }: PrepareOptions,
): Promise<SaveTarget> {
  const { client, partSize, answerTimeout } = settings;
  const saveId = randomUUID();
  const condition = overwrite ? {} : { IfNoneMatch: '*' };
  let location = locateObject(settings, name, settings.object);

  async function headObject(timeout = FOLLOW_UP_TIMEOUT_MS): Promise<ObjectState> {
    try {
      const abortSignal = AbortSignal.timeout(timeout);
      const { Metadata, LastModified } = await client.send(new HeadObjectCommand(location), { abortSignal });
      const owner = Metadata?.[SAVE_ID] === saveId ? 'self' : 'other';
      return { owner, lastUpdated: LastModified?.getTime() ?? Date.now() };
    } catch (error) {
      return { owner: getStatus(error) === 404 ? 'none' : 'unknown', lastUpdated: Date.now(), error };
    }
  }

  async function publishAtOnce(
    bytes: ReadableBytes,
    object: S3Object,
    options: PublishOptions,
  ): Promise<PublishResult> {
    const payload = await createPayload(bytes, 0, bytes.length);
    const command = new PutObjectCommand({ ...object, ...location, ...condition });
    const request = new S3Request(settings, signal, payload, options);
    const unconfirmed = await sendOrResolve(command, request);
    if (unconfirmed !== undefined) return unconfirmed;
    // The `Date` of the answer is within a second of the object's time, which saves a request per image.
    return request.date === undefined ? readTime(request) : { lastUpdated: request.date };
  }

  async function publishParts(
    bytes: ReadableBytes,
    object: S3Object,
    options: PublishOptions,
  ): Promise<PublishResult> {
    const upload = await createUpload(settings, location, object);
    let allSent = false;
    try {
      const Parts = await sendParts(settings, upload, bytes, signal);
      allSent = true;
      const command = new CompleteMultipartUploadCommand({
        ...upload,
        ...condition,
        MultipartUpload: { Parts },
      });
      const request = new S3Request(settings, signal, undefined, options);
      // Amazon S3 dates such an object by the beginning of its upload, which may be minutes ago.
      return (await sendOrResolve(command, request)) ?? (await readTime(request));
    } catch (error) {
      await removeUpload(settings, upload, !allSent);
      throw error;
    }
  }

  /** @returns The result if only a HEAD of the object confirms the save; undefined if the answer does. */
  async function sendOrResolve(
    command: PutObjectCommand | CompleteMultipartUploadCommand,
    request: S3Request,
  ): Promise<PublishResult | undefined> {
    try {
      await request.send(command);
      return undefined;
    } catch (error) {
      const abandoned = signal.aborted && error === signal.reason && !request.outcomeUnknown;
      if (abandoned || !request.lastByteSent) throw error;
      const { owner, lastUpdated } = await headObject();
      if (owner === 'self') return { lastUpdated, warning: error };
      const status = getStatus(error);
      // The condition is false (412), or another save of the name is in progress (409): the name is taken.
      if (owner === 'other' && (status === 412 || status === 409))
        throw new SaveError('file-exists', {}, error);
      throw request.outcomeUnknown ? new SaveError('store-no-response', {}, error) : error;
    }
  }

  async function readTime(request: S3Request): Promise<PublishResult> {
    const { owner, lastUpdated, error } = await headObject();
    if (owner === 'self') return { lastUpdated };
    // Another save has replaced the object, or the store did not say: the time of the answer is the nearest.
    return { lastUpdated: request.date ?? Date.now(), ...(owner === 'unknown' && { warning: error }) };
  }

  if (!overwrite) {
    const { owner, error } = await headObject(answerTimeout);
    if (owner === 'self' || owner === 'other') throw new SaveError('file-exists');
    // Without the right to read, the condition of the upload decides.
    if (owner === 'unknown' && getStatus(error) !== 403) throw bucket.recordFailure(storeError(error));
  }
  return {
    async publish(image, options) {
      // Outside the `try`: an error of the host's own function is no failure of the store.
      const object = createObject(settings, name, image, saveId);
      location = locateObject(settings, name, object);
      try {
        signal.throwIfAborted();
        // Not all gateways honour a condition on the request that completes parts; all do on PutObject.
        const atOnce = image.bytes.length <= (overwrite ? partSize : MAX_PUT_BYTES);
        return await (atOnce ? publishAtOnce : publishParts)(image.bytes, object, options);
      } catch (error) {
        if (signal.aborted && error === signal.reason) throw error;
        throw bucket.recordFailure(storeError(error));
      }
    },
  };
}
