// The options of s3Store.
import { setImmediate } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { s3Store, type S3StoreOptions } from '../../../../lib/s3.js';

const client = new S3Client({ region: 'us-east-1' });
/** The options that a store needs. */
const needed = { client, bucket: 'b' };

describe('the options', () => {
  it('require only a client and a bucket', () => {
    expect(() => s3Store(needed)).not.toThrow();
  });

  it('may have an object without a prototype, or a function, as object', () => {
    const bare = Object.assign(Object.create(null) as object, { CacheControl: 'no-cache' });
    expect(() => s3Store({ ...needed, object: bare })).not.toThrow();
    expect(() => s3Store({ ...needed, object: () => bare })).not.toThrow();
  });

  const factory = "s3Store takes an object of options, as in s3Store({ client, bucket: 'renders' })";

  it.each<[unknown, string]>([
    [undefined, factory],
    [null, factory],
    [{ bucket: 'b' }, 'The option "client" of s3Store must be an S3Client, as in new S3Client({ region })'],
    [{ ...needed, client: null }, 'The option "client" of s3Store must be an S3Client'],
    [{ client }, 'The option "bucket" of s3Store must be the name of a bucket'],
    [{ client, bucket: '' }, 'The option "bucket" of s3Store must be the name of a bucket'],
    [{ ...needed, prefix: '/saved/' }, 'The option "prefix" of s3Store must be'],
    [{ ...needed, partSize: 1000 }, 'must be whole bytes from 5 MiB to 5 GiB'],
    [{ ...needed, partSize: 6e6 + 0.5 }, 'must be whole bytes from 5 MiB to 5 GiB'],
    [{ ...needed, answerTimeout: 0 }, 'must be whole milliseconds from 1 to 2147483647'],
    [
      { ...needed, prefx: 'a/' },
      's3Store has no option "prefx"; its options are client, bucket, prefix, partSize, answerTimeout, object',
    ],
  ])('cause a TypeError that names the fix, row %#', (options, message) => {
    expect(() => s3Store(options as S3StoreOptions)).toThrow(TypeError);
    expect(() => s3Store(options as S3StoreOptions)).toThrow(message);
  });

  it.each<[string, unknown, string]>([
    ['a string', 'x', 'must be a plain object such as'],
    ['an array', [], 'must be a plain object such as'],
    ['a Map', new Map([['ACL', 'private']]), 'must be a plain object'],
    ['an object of a class', new URL('http://x'), 'must be a plain object'],
    ['a promise', Promise.resolve({}), 'await a promise first'],
    ['a misspelled field', { cacheControl: 'x' }, 'must not have "cacheControl"; it can have ACL,'],
    ...['Bucket', 'Key', 'Body', 'ContentType', 'ContentLength', 'IfNoneMatch', 'ChecksumSHA256'].map(
      (name): [string, unknown, string] => [name, { [name]: 'x' }, `must not have "${name}"`],
    ),
    ['own metadata', { Metadata: { 'Image-Width': '1' } }, 'must not set Metadata["Image-Width"]: the store'],
    [
      'a Map as metadata',
      { Metadata: new Map([['a', 'b']]) },
      'must have a plain object of strings as Metadata',
    ],
    ['a number as metadata', { Metadata: { a: 1 } }, 'must have a string as Metadata["a"]'],
  ])('refuse %s as object or in it', (_, object, message) => {
    expect(() => s3Store({ ...needed, object: object as object })).toThrow(TypeError);
    expect(() => s3Store({ ...needed, object: object as object })).toThrow(message);
  });
});

it('refuses a promise that rejects as object, and leaves no error in the process', async () => {
  const object = Promise.reject(new Error('no settings'));
  expect(() => s3Store({ ...needed, object } as unknown as S3StoreOptions)).toThrow('await a promise first');
  // Jest fails this test for a rejection without a handler, which Node reports after the microtasks.
  await setImmediate();
});
