// Images in a bucket of an S3 store: one object for each name, published by the one request that completes it.
import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { SaveError } from '../../errors.js';
import type { ImageBytes, ImageInfo } from '../../image/types.js';
import { isIntegerBetween, MAX_TIMEOUT_MS } from '../../options.js';
import { createPayload, type Payload } from './upload-body.js';
import { concernsBucket, getErrorName, refusal, getStatus, storeError } from './s3-errors.js';
import { S3Request } from './s3-request.js';
import { ServerClock, type RoundTrip } from './server-clock.js';
import type { ImageStore, SaveTarget, PrepareOptions, PublishResult, InspectedImage } from '../types.js';
import { fileExists } from '../folder/target.js';

/** What {@link s3Store} is given. */
export interface S3StoreOptions {
  /** The client, with its endpoint, region and credentials. It stays the host's: nobody else closes it. */
  client: S3Client;
  /** The existing bucket that images are saved to. */
  bucket: string;
  /** What the key of each object begins with, before its name; a folder's ends with `/`. Default `''`. */
  prefix?: string | undefined;
  /** Bytes of one part: a larger image is sent in parts of this size. From 5 MiB to 5 GiB, default 128 MiB. */
  partSize?: number | undefined;
  /** How long to wait for the store's answer once it has been sent everything, in milliseconds. Default 10,000. */
  answerTimeout?: number | undefined;
}

/** The options, complete and checked. */
type Settings = { readonly [Name in keyof S3StoreOptions]-?: Exclude<S3StoreOptions[Name], undefined> };

const MIB = 1024 ** 2;

/** The limits that S3 sets. (Amazon S3 User Guide, "Amazon S3 multipart upload limits".) */
const MAX_PARTS = 10_000;
const MAX_PUT_BYTES = 5 * 1024 ** 3;
const MAX_KEY_BYTES = 1024;

/** How long looking at an object or tidying up may keep an answer waiting, in milliseconds. */
const FOLLOW_UP_TIMEOUT_MS = 2000;

/** How long a refusal that concerns the whole bucket is taken for granted, in milliseconds. */
const REFUSAL_TTL_MS = 3000;

/** How long an upload that cannot be aborted is left alone before the next try, in milliseconds; doubled each time. */
const ABORT_RETRY_DELAY_MS = 1000;
const MAX_ABORT_ATTEMPTS = 12;

/** The entry of an object's metadata that tells whose save it is. */
const SAVE_ID = 'save-id';

/** What each option must be, in words, and whether it is. The type keeps the list complete. */
const VALIDATORS: {
  readonly [Name in keyof Settings]: readonly [string, (value: unknown) => boolean];
} = {
  client: [
    'an S3Client, as in new S3Client({ region })',
    (value) => typeof (value as Partial<S3Client> | null | undefined)?.send === 'function',
  ],
  bucket: ['the name of a bucket', (value) => typeof value === 'string' && value !== ''],
  prefix: [
    "a string that does not begin with /, such as 'saved/'",
    (value) => typeof value === 'string' && !value.startsWith('/'),
  ],
  partSize: ['whole bytes from 5 MiB to 5 GiB', (value) => isIntegerBetween(value, 5 * MIB, MAX_PUT_BYTES)],
  answerTimeout: [
    `whole milliseconds from 1 to ${MAX_TIMEOUT_MS}`,
    (value) => isIntegerBetween(value, 1, MAX_TIMEOUT_MS),
  ],
};

function checkOptions(options: S3StoreOptions): Settings {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) {
    throw new TypeError("s3Store takes an object, as in s3Store({ client, bucket: 'renders' })");
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(VALIDATORS, name)) {
      throw new TypeError(
        `s3Store has no option "${name}"; its options are ${Object.keys(VALIDATORS).join(', ')}`,
      );
    }
  }
  const { client, bucket, prefix = '', partSize = 128 * MIB, answerTimeout = 10_000 } = options;
  const all = { client, bucket, prefix, partSize, answerTimeout };
  for (const [name, [expected, isValid]] of Object.entries(VALIDATORS)) {
    if (!isValid(all[name as keyof typeof all])) {
      throw new TypeError(`The option ${name} of s3Store must be ${expected}`);
    }
  }
  return all;
}

/**
 * Makes a store that keeps each image as an object of a bucket, under the key prefix + name.
 *
 * @throws TypeError An option is missing, unknown or wrong.
 * @example
 * imageSave({ store: s3Store({ client: new S3Client({}), bucket: 'renders', prefix: 'saved/' }) })
 */
export function s3Store(options: S3StoreOptions): ImageStore {
  return new S3Store(checkOptions(options));
}

class S3Store implements ImageStore {
  readonly #options: Settings;
  readonly #bucket: Bucket;
  readonly #clock = new ServerClock();

  constructor(options: Settings) {
    this.#options = options;
    this.#bucket = new Bucket(options);
  }

  async prepare(name: string, wish: PrepareOptions): Promise<SaveTarget> {
    const key = this.#options.prefix + name;
    if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw refusal('name-invalid');
    await unlessAborted(wish.signal, this.#bucket.check());
    const place = new S3Target(this.#options, this.#bucket, this.#clock, key, wish);
    if (!wish.overwrite) await unlessAborted(wish.signal, place.assertNotExists());
    return place;
  }
}

/** What is known of the bucket, shared by all saves to it. */
class Bucket {
  readonly #options: Settings;
  #checking: Promise<void> | undefined;
  #refusal: { readonly error: SaveError; readonly until: number } | undefined;

  constructor(options: Settings) {
    this.#options = options;
  }

  /** Costs one request in the life of a bucket that is in order. Rejects with why nothing can be saved to it. */
  async check(): Promise<void> {
    if (this.#refusal !== undefined && performance.now() < this.#refusal.until) throw this.#refusal.error;
    this.#checking ??= this.#headBucket();
    await this.#checking;
  }

  async #headBucket(): Promise<void> {
    const { client, bucket, answerTimeout } = this.#options;
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }), {
        abortSignal: AbortSignal.timeout(answerTimeout),
      });
    } catch (cause) {
      // Who may not ask for the bucket may all the same be allowed to save to it.
      if (getStatus(cause) === 403) return;
      throw this.recordFailure(
        getStatus(cause) === 404 ? refusal('store-missing', cause) : storeError(cause),
      );
    }
  }

  /** Takes note of a failure, and returns it. */
  recordFailure(error: SaveError): SaveError {
    if (concernsBucket(error)) this.#refusal = { error, until: performance.now() + REFUSAL_TTL_MS };
    if (concernsBucket(error) || error.code === 'store-unavailable') this.#checking = undefined;
    return error;
  }
}

/** What a look at the object under a name has found. */
type ObjectState =
  | { readonly owner: 'ours' | 'another'; readonly object: HeadObjectCommandOutput }
  | { readonly owner: 'nobody' }
  | { readonly owner: 'unknown'; readonly error: unknown };

class S3Target implements SaveTarget {
  readonly #options: Settings;
  readonly #bucket: Bucket;
  readonly #clock: ServerClock;
  readonly #prepareOptions: PrepareOptions;
  readonly #object: { readonly Bucket: string; readonly Key: string };
  readonly #saveId = randomUUID();

  constructor(options: Settings, bucket: Bucket, clock: ServerClock, key: string, wish: PrepareOptions) {
    this.#options = options;
    this.#bucket = bucket;
    this.#clock = clock;
    this.#prepareOptions = wish;
    this.#object = { Bucket: options.bucket, Key: key };
  }

  /** Refuses a name that is taken. Who may not look is told when the image is sent. */
  async assertNotExists(): Promise<void> {
    const { client, answerTimeout } = this.#options;
    try {
      await client.send(new HeadObjectCommand(this.#object), {
        abortSignal: AbortSignal.timeout(answerTimeout),
      });
    } catch (error) {
      const status = getStatus(error);
      if (status === 404 || status === 403) return;
      throw this.#bucket.recordFailure(storeError(error));
    }
    throw fileExists();
  }

  async publish(image: InspectedImage, commit: () => void): Promise<PublishResult> {
    try {
      this.#prepareOptions.signal.throwIfAborted();
      // Gateways do not all keep to a condition on what completes an upload, but on what puts an object they do.
      const maxBytes = this.#prepareOptions.overwrite ? this.#options.partSize : MAX_PUT_BYTES;
      return await (image.bytes.length > maxBytes
        ? this.#publishParts(image, commit)
        : this.#publishAtOnce(image, commit));
    } catch (error) {
      if (this.#prepareOptions.signal.aborted && error === this.#prepareOptions.signal.reason) throw error;
      throw this.#bucket.recordFailure(storeError(error));
    }
  }

  async #publishAtOnce({ bytes, ...image }: InspectedImage, commit: () => void): Promise<PublishResult> {
    const payload = await createPayload(bytes, 0, bytes.length);
    const command = new PutObjectCommand({
      ...this.#object,
      ...createMetadata(image, this.#saveId),
      ...this.#condition(),
    });
    return this.#sendAndConfirm(command, this.#publishing(commit, payload), true);
  }

  async #publishParts({ bytes, ...image }: InspectedImage, commit: () => void): Promise<PublishResult> {
    const upload = new MultipartUpload(this.#options, this.#object, this.#prepareOptions.signal);
    await upload.create(createMetadata(image, this.#saveId));
    try {
      const parts = await upload.send(bytes);
      const command = new CompleteMultipartUploadCommand({
        ...this.#object,
        ...this.#condition(),
        UploadId: upload.id,
        MultipartUpload: { Parts: parts },
      });
      return await this.#sendAndConfirm(command, this.#publishing(commit), false);
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  #condition(): { IfNoneMatch?: string } {
    return this.#prepareOptions.overwrite ? {} : { IfNoneMatch: '*' };
  }

  #publishing(commit: () => void, payload?: Payload): S3Request {
    const { answerTimeout } = this.#options;
    const { signal } = this.#prepareOptions;
    return new S3Request({ ...(payload && { payload }), signal, publishing: { commit, answerTimeout } });
  }

  /**
   * Sends what publishes the object, and finds out what has become of it.
   *
   * @param timeIsBracketed Does the object's time lie between the request and the answer? Else it has to be asked for.
   */
  async #sendAndConfirm(
    command: PutObjectCommand | CompleteMultipartUploadCommand,
    request: S3Request,
    timeIsBracketed: boolean,
  ): Promise<PublishResult> {
    try {
      await request.send(this.#options.client, command);
    } catch (error) {
      if (!request.lastByteSent) throw error;
      return await this.#resolveOutcome(request, error);
    }
    return this.#published(request.exchange, timeIsBracketed);
  }

  /** Everything was sent, and no answer says that the object is there: is it? */
  async #resolveOutcome(request: S3Request, error: unknown): Promise<PublishResult> {
    const found = await this.#headObject();
    if (found.owner === 'ours') return { lastUpdated: getLastModified(found.object), warning: error };
    const status = getStatus(error);
    // The answer to a condition that does not hold, or to one that is being decided: the name is taken.
    if (found.owner === 'another' && (status === 412 || status === 409)) throw fileExists(error);
    throw request.outcomeUnknown ? refusal('store-no-response', error) : error;
  }

  /** The object is in place: when was that? */
  async #published(exchange: RoundTrip | undefined, timeIsBracketed: boolean): Promise<PublishResult> {
    if (exchange !== undefined) {
      this.#clock.observe(exchange);
      const known = timeIsBracketed ? this.#clock.estimateTime(exchange) : undefined;
      if (known !== undefined) return { lastUpdated: known };
    }
    const found = await this.#headObject();
    if (found.owner === 'ours') {
      const lastUpdated = getLastModified(found.object);
      if (timeIsBracketed && exchange !== undefined) this.#clock.verify(exchange, lastUpdated);
      return { lastUpdated };
    }
    // Somebody else has saved under the same name since, or nobody says: the answer's own time is the nearest.
    const lastUpdated = exchange?.date ?? Date.now();
    return found.owner === 'unknown' ? { lastUpdated, warning: found.error } : { lastUpdated };
  }

  async #headObject(): Promise<ObjectState> {
    try {
      const object = await this.#options.client.send(new HeadObjectCommand(this.#object), {
        abortSignal: AbortSignal.timeout(FOLLOW_UP_TIMEOUT_MS),
      });
      return { owner: object.Metadata?.[SAVE_ID] === this.#saveId ? 'ours' : 'another', object };
    } catch (error) {
      return getStatus(error) === 404 ? { owner: 'nobody' } : { owner: 'unknown', error };
    }
  }
}

function getLastModified({ LastModified }: HeadObjectCommandOutput): number {
  return LastModified?.getTime() ?? Date.now();
}

/** What is kept with an object. */
interface Metadata {
  readonly ContentType: string;
  readonly Metadata: Record<string, string>;
}

function createMetadata({ type, width, height, pixels }: ImageInfo, saveId: string): Metadata {
  return {
    ContentType: type,
    Metadata: {
      'image-width': String(width),
      'image-height': String(height),
      'image-pixels': String(pixels),
      [SAVE_ID]: saveId,
    },
  };
}

/** An upload in parts, of which nobody sees anything before it is complete. */
class MultipartUpload {
  /** What the store calls it, once it is created. */
  id: string | undefined;
  readonly #options: Settings;
  readonly #object: { readonly Bucket: string; readonly Key: string };
  readonly #signal: AbortSignal;
  /** Whether a part was broken off on its way. */
  #partAborted = false;
  #aborts = 0;

  constructor(options: Settings, object: { Bucket: string; Key: string }, signal: AbortSignal) {
    this.#options = options;
    this.#object = object;
    this.#signal = signal;
  }

  /**
   * Begins the upload. A save that loses its purpose meanwhile does not break this off, or else there would be an
   * upload whose name nobody has learnt.
   */
  async create(metadata: Metadata): Promise<void> {
    const { client, answerTimeout } = this.#options;
    const command = new CreateMultipartUploadCommand({
      ...this.#object,
      ...metadata,
      ChecksumAlgorithm: 'SHA256',
    });
    const { UploadId } = await client.send(command, { abortSignal: AbortSignal.timeout(answerTimeout) });
    this.id = UploadId;
  }

  /** Sends all parts, one after another: the checksum of the next is made while one is sent. */
  async send(bytes: ImageBytes): Promise<CompletedPart[]> {
    const size = Math.max(this.#options.partSize, Math.ceil(bytes.length / MAX_PARTS));
    const payloadAt = (start: number): Promise<Payload> =>
      createPayload(bytes, start, Math.min(start + size, bytes.length));
    const parts: CompletedPart[] = [];
    let next = payloadAt(0);
    for (let start = 0; start < bytes.length; start += size) {
      const payload = await next;
      if (start + size < bytes.length) next = payloadAt(start + size);
      // It is waited for by the next turn, if there is one.
      next.catch(() => undefined);
      parts.push(await this.#sendPart(parts.length + 1, payload));
    }
    return parts;
  }

  async #sendPart(number: number, payload: Payload): Promise<CompletedPart> {
    const command = new UploadPartCommand({ ...this.#object, UploadId: this.id, PartNumber: number });
    const request = new S3Request({ payload, signal: this.#signal });
    try {
      const { ETag } = await request.send(this.#options.client, command);
      return { ETag, PartNumber: number, ChecksumSHA256: payload.sha256.toString('base64') };
    } catch (error) {
      this.#partAborted = true;
      throw error;
    }
  }

  /** Takes back all parts. Where the store does not take that now, it is told again later. Never fails. */
  async abort(): Promise<void> {
    const { client } = this.#options;
    const command = new AbortMultipartUploadCommand({ ...this.#object, UploadId: this.id });
    this.#aborts += 1;
    try {
      await client.send(command, { abortSignal: AbortSignal.timeout(FOLLOW_UP_TIMEOUT_MS) });
      // A part that was still on its way can arrive after this. (Amazon S3 API Reference, AbortMultipartUpload.)
      if (!this.#partAborted || this.#aborts > 1) return;
    } catch (error) {
      if (getErrorName(error) === 'NoSuchUpload' || this.#aborts === MAX_ABORT_ATTEMPTS) return;
    }
    setTimeout(() => void this.abort(), ABORT_RETRY_DELAY_MS * 2 ** (this.#aborts - 1)).unref();
  }
}

/** What a promise brings, or the reason of a signal that aborts before. */
async function unlessAborted<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  const listening = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const tell = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) tell();
    else signal.addEventListener('abort', tell, { signal: listening.signal });
  });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    listening.abort();
  }
}
