// The options of s3Store, checked once, and the fields of an object: the host's own, and those of every saved image.
import type { CreateMultipartUploadCommandInput, PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import type { ImageInfo } from '../../image/types.js';
import { isIntegerBetween, MILLISECONDS, validateOptions, type Rules } from '../../validate-options.js';

/** The input of every request about an object: the client sends those of its fields that the request has. */
export type S3Object = Pick<
  PutObjectCommandInput,
  keyof PutObjectCommandInput & keyof CreateMultipartUploadCommandInput
>;

/** The fields that a host can set, by the names of the AWS client's own input. The store sets the others. */
export type S3ObjectFields = Omit<S3Object, 'Bucket' | 'Key' | 'ContentType' | 'ChecksumAlgorithm'>;

/** The image that an object is made for. */
export interface S3ObjectImage extends Pick<ImageInfo, 'type' | 'width' | 'height'> {
  /** The name in the save command, without the store's prefix. */
  readonly name: string;
}

/** The options of {@link s3Store}. */
export interface S3StoreOptions {
  /** The client, with its endpoint, region and credentials. It stays the host's: the store never destroys it. */
  client: S3Client;
  /** The existing bucket that images are saved to. */
  bucket: string;
  /** The start of each object's key, before the name. A folder's ends with `/`. Default `''`. */
  prefix?: string | undefined;
  /** Bytes of one part: 5 MiB to 5 GiB, default 128 MiB. With `overwrite: true`, a larger image is sent in parts. */
  partSize?: number | undefined;
  /** How long to wait for the store's answer once the whole image is sent, in milliseconds. Default 10,000. */
  answerTimeout?: number | undefined;
  /**
   * More fields of each object, such as `CacheControl` or `StorageClass`, or a function that returns them for an
   * image. They are sent with `PutObject` and with `CreateMultipartUpload`. Default: none.
   */
  object?: S3ObjectFields | ((image: S3ObjectImage) => S3ObjectFields) | undefined;
}

/** The options, complete and checked. */
export type S3Settings = {
  readonly [Name in keyof S3StoreOptions]-?: Exclude<S3StoreOptions[Name], undefined>;
};

const MIB = 1024 ** 2;

/** The largest part and the largest single upload. (Amazon S3 User Guide, "Amazon S3 multipart upload limits".) */
export const MAX_PUT_BYTES = 5 * 1024 ** 3;

const RULES: Rules<S3StoreOptions> = {
  client: {
    expected: 'an S3Client, as in new S3Client({ region })',
    isValid: (value) => typeof (value as Partial<S3Client> | null)?.send === 'function',
    required: true,
  },
  bucket: {
    expected: 'the name of a bucket',
    isValid: (value) => typeof value === 'string' && value !== '',
    required: true,
  },
  prefix: {
    expected: "a string that does not begin with /, such as 'saved/'",
    isValid: (value) => typeof value === 'string' && !value.startsWith('/'),
  },
  partSize: {
    expected: 'whole bytes from 5 MiB to 5 GiB',
    isValid: (value) => isIntegerBetween(value, 5 * MIB, MAX_PUT_BYTES),
  },
  answerTimeout: MILLISECONDS,
  object: {
    expected: "a plain object such as { CacheControl: 'max-age=3600' }, or a function that returns one",
    isValid: (value) => typeof value === 'function' || (typeof value === 'object' && value !== null),
  },
};

export function checkS3StoreOptions(options: S3StoreOptions): S3Settings {
  validateOptions<S3StoreOptions>('s3Store', "s3Store({ client, bucket: 'renders' })", RULES, options);
  // Own properties only, which are those that have been checked.
  const own: S3StoreOptions = { ...options };
  const { client, bucket, prefix = '', partSize = 128 * MIB, answerTimeout = 10_000, object = {} } = own;
  if (typeof object !== 'function') checkFields(object, 'The option "object" of s3Store');
  return { client, bucket, prefix, partSize, answerTimeout, object };
}

/** Every field that a host can set. The type keeps the list complete. */
const HOST_FIELDS: Readonly<Record<keyof S3ObjectFields, true>> = {
  ACL: true,
  BucketKeyEnabled: true,
  CacheControl: true,
  ContentDisposition: true,
  ContentEncoding: true,
  ContentLanguage: true,
  ExpectedBucketOwner: true,
  Expires: true,
  GrantFullControl: true,
  GrantRead: true,
  GrantReadACP: true,
  GrantWriteACP: true,
  Metadata: true,
  ObjectLockEventHold: true,
  ObjectLockEventHoldDurationDays: true,
  ObjectLockEventHoldDurationYears: true,
  ObjectLockLegalHoldStatus: true,
  ObjectLockMode: true,
  ObjectLockRetainUntilDate: true,
  RequestPayer: true,
  SSECustomerAlgorithm: true,
  SSECustomerKey: true,
  SSECustomerKeyMD5: true,
  SSEKMSEncryptionContext: true,
  SSEKMSKeyId: true,
  ServerSideEncryption: true,
  StorageClass: true,
  Tagging: true,
  WebsiteRedirectLocation: true,
};

/** The metadata entry that tells which save made an object. */
export const SAVE_ID = 'save-id';

const OWN_METADATA: readonly string[] = ['image-width', 'image-height', 'image-pixels', SAVE_ID];

function checkFields(fields: unknown, subject: string): void {
  const refuse = (mistake: string): never => {
    throw new TypeError(`${subject} ${mistake}`);
  };
  if (!isPlainObject(fields)) {
    // A promise is a mistake. Where it rejects, that must not end the process.
    Promise.resolve(fields).catch(() => undefined);
    return refuse(
      "must be a plain object such as { CacheControl: 'max-age=3600' }: await a promise first, and turn a Map into an object",
    );
  }
  const unknown = Object.keys(fields).find((name) => !Object.hasOwn(HOST_FIELDS, name));
  if (unknown !== undefined) {
    refuse(`must not have "${unknown}"; it can have ${Object.keys(HOST_FIELDS).join(', ')}`);
  }
  const { Metadata: metadata = {} } = fields as { Metadata?: unknown };
  if (!isPlainObject(metadata)) return refuse('must have a plain object of strings as Metadata');
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') refuse(`must have a string as Metadata["${name}"]`);
    // Metadata is sent in headers, whose names are case-insensitive.
    if (OWN_METADATA.includes(name.toLowerCase())) {
      refuse(`must not set Metadata["${name}"]: the store sets it itself`);
    }
  }
}

/** Whether all that a value holds are its own properties, which `...` copies. A Map or a promise would lose its content. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Object.prototype has no prototype, also that of another realm, such as a vm context.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The object before its image is known. */
export function locateObject({ bucket, prefix, object }: S3Settings, name: string): S3Object {
  return { ...(typeof object === 'function' ? {} : object), Bucket: bucket, Key: prefix + name };
}

/** @throws TypeError The host's function returned something else than fields. */
export function createObject(
  settings: S3Settings,
  name: string,
  { type, width, height, pixels }: ImageInfo,
  saveId: string,
): S3Object {
  let fields = settings.object;
  if (typeof fields === 'function') {
    fields = fields({ name, type, width, height });
    checkFields(fields, 'The result of the function object of s3Store');
  }
  const Metadata = {
    ...fields.Metadata,
    'image-width': String(width),
    'image-height': String(height),
    'image-pixels': String(pixels),
    [SAVE_ID]: saveId,
  };
  return { ...fields, ...locateObject(settings, name), ContentType: type, Metadata };
}
