// The fields of an object: those that the host wants (`object`), and those that every saved image gets.
import type { CreateMultipartUploadCommandInput, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { ImageInfo } from '../../image/types.js';

/** The fields that the store sets itself. The others of the client's input are the host's. */
type OwnField = 'Bucket' | 'Key' | 'ContentType' | 'ChecksumAlgorithm';

type HostField = Exclude<keyof PutObjectCommandInput & keyof CreateMultipartUploadCommandInput, OwnField>;

/** The fields of an object that a host can set, by the names of the AWS client's own input. */
export type S3ObjectFields = Pick<PutObjectCommandInput, HostField>;

/** The image that an object is made for. */
export interface S3ObjectImage {
  /** The name in the save command, without the store's prefix. */
  readonly name: string;
  /** The media type, such as `image/jpeg`. */
  readonly type: string;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
}

export type ObjectOption = S3ObjectFields | ((image: S3ObjectImage) => S3ObjectFields);

/** Every field that a host can set. The type keeps the list complete. */
const HOST_FIELDS: Readonly<Record<HostField, true>> = {
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

/** The fields that S3 also wants with each part and each HEAD of the object. */
const FIELDS_OF_ALL_REQUESTS = [
  'ExpectedBucketOwner',
  'RequestPayer',
  'SSECustomerAlgorithm',
  'SSECustomerKey',
  'SSECustomerKeyMD5',
] as const;

/** The metadata entry that tells which save made an object. */
export const SAVE_ID = 'save-id';

const OWN_METADATA: readonly string[] = ['image-width', 'image-height', 'image-pixels', SAVE_ID];

/** The fault of a host's fields, as the end of a sentence; undefined if they are right. */
export function findObjectMistake(fields: unknown): string | undefined {
  if (!isPlainObject(fields)) {
    // A promise is a mistake. Where it rejects, that must not end the process.
    Promise.resolve(fields).catch(() => undefined);
    return "must be a plain object such as { CacheControl: 'max-age=3600' }: await a promise first, and turn a Map into an object";
  }
  const unknown = Object.keys(fields).find((name) => !Object.hasOwn(HOST_FIELDS, name));
  if (unknown !== undefined) {
    return `must not have "${unknown}"; it can have ${Object.keys(HOST_FIELDS).join(', ')}`;
  }
  const { Metadata: metadata = {} } = fields as { Metadata?: unknown };
  if (!isPlainObject(metadata)) return 'must have a plain object of strings as Metadata';
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') return `must have a string as Metadata["${name}"]`;
    // Metadata is sent in headers, whose names are case-insensitive.
    if (OWN_METADATA.includes(name.toLowerCase())) {
      return `must not set Metadata["${name}"]: the store sets it itself`;
    }
  }
  return undefined;
}

/** Whether all that a value holds are its own properties, which `...` copies. A Map or a promise would lose its content. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Object.prototype has no prototype, also that of another realm, such as a vm context.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Reads the host's fields for an image.
 *
 * @throws TypeError The host's function returned something else.
 */
export function resolveObjectFields(option: ObjectOption, image: S3ObjectImage): S3ObjectFields {
  if (typeof option !== 'function') return option;
  const fields = option(image);
  const mistake = findObjectMistake(fields);
  if (mistake !== undefined) throw new TypeError(`The result of the function object of s3Store ${mistake}`);
  return fields;
}

/** The fields of an image's object, for `PutObject` and `CreateMultipartUpload`. */
export function createObjectInput(
  fields: S3ObjectFields,
  { type, width, height, pixels }: ImageInfo,
  saveId: string,
): S3ObjectFields & { readonly ContentType: string } {
  return {
    ...fields,
    ContentType: type,
    Metadata: {
      ...fields.Metadata,
      'image-width': String(width),
      'image-height': String(height),
      'image-pixels': String(pixels),
      [SAVE_ID]: saveId,
    },
  };
}

/** The host's fields that belong to every request about the object. */
export function selectSharedFields(fields: S3ObjectFields): S3ObjectFields {
  return Object.fromEntries(FIELDS_OF_ALL_REQUESTS.map((name) => [name, fields[name]]));
}
