// The options of s3Store, checked once.
import type { S3Client } from '@aws-sdk/client-s3';
import { isIntegerBetween, MAX_TIMEOUT_MS } from '../../options.js';
import { findObjectMistake, type ObjectOption } from './object-fields.js';

/** The options of {@link s3Store}. */
export interface S3StoreOptions {
  /** The client, with its endpoint, region and credentials. It stays the host's: the store never destroys it. */
  client: S3Client;
  /** The existing bucket that images are saved to. */
  bucket: string;
  /** The start of each object's key, before the name. A folder's ends with `/`. Default `''`. */
  prefix?: string | undefined;
  /** The length of one part in bytes. A larger image is sent in several parts. From 5 MiB to 5 GiB, default 128 MiB. */
  partSize?: number | undefined;
  /** How long to wait for the store's answer once the whole image is sent, in milliseconds. Default 10,000. */
  answerTimeout?: number | undefined;
  /**
   * More fields of each object, such as `CacheControl` or `StorageClass`, or a function that returns them for an
   * image. They are sent with `PutObject` and with `CreateMultipartUpload`. Default: none.
   */
  object?: ObjectOption | undefined;
}

/** The options, complete and checked. */
export type S3Settings = {
  readonly [Name in keyof S3StoreOptions]-?: Exclude<S3StoreOptions[Name], undefined>;
};

const MIB = 1024 ** 2;

/** The largest part and the largest single upload. (Amazon S3 User Guide, "Amazon S3 multipart upload limits".) */
export const MAX_PUT_BYTES = 5 * 1024 ** 3;

/** For each option: what it must be, in words, and the check. The type keeps the list complete. */
const VALIDATORS: {
  readonly [Name in keyof S3Settings]: readonly [string, (value: unknown) => boolean];
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
  object: [
    "an object such as { CacheControl: 'max-age=3600' }, or a function that returns one",
    (value) => typeof value === 'function' || (typeof value === 'object' && value !== null),
  ],
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TypeError An option is missing, unknown or wrong. The message names the fix.
 */
export function checkS3StoreOptions(options: S3StoreOptions): S3Settings {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) {
    throw new TypeError("s3Store takes an object, as in s3Store({ client, bucket: 'renders' })");
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(VALIDATORS, name)) continue;
    throw new TypeError(
      `s3Store has no option "${name}"; its options are ${Object.keys(VALIDATORS).join(', ')}`,
    );
  }
  const { client, bucket, prefix = '', partSize = 128 * MIB, answerTimeout = 10_000, object = {} } = options;
  const settings = { client, bucket, prefix, partSize, answerTimeout, object };
  for (const [name, [expected, isValid]] of Object.entries(VALIDATORS)) {
    if (isValid(settings[name as keyof typeof settings])) continue;
    throw new TypeError(`The option ${name} of s3Store must be ${expected}`);
  }
  const mistake = typeof object === 'function' ? undefined : findObjectMistake(object);
  if (mistake !== undefined) throw new TypeError(`The option object of s3Store ${mistake}`);
  return settings;
}
