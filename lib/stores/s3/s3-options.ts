// The options of s3Store, checked once.
import type { S3Client } from '@aws-sdk/client-s3';
import { isIntegerBetween, MILLISECONDS, validateOptions, type Rules } from '../../validate-options.js';
import { findObjectMistake, type ObjectOption } from './s3-object-fields.js';

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

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TypeError An option is missing, unknown or wrong. The message names the fix.
 */
export function checkS3StoreOptions(options: S3StoreOptions): S3Settings {
  validateOptions<S3StoreOptions>('s3Store', "s3Store({ client, bucket: 'renders' })", RULES, options);
  const { client, bucket } = options;
  const { prefix = '', partSize = 128 * MIB, answerTimeout = 10_000, object = {} } = { ...options };
  const mistake = typeof object === 'function' ? undefined : findObjectMistake(object);
  if (mistake !== undefined) throw new TypeError(`The option "object" of s3Store ${mistake}`);
  return { client, bucket, prefix, partSize, answerTimeout, object };
}
