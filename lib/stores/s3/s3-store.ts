// Keeps images in a bucket of an S3 store, one object per name.
import { SaveError, TOO_LONG } from '../../errors.js';
import type { ImageStore, PrepareOptions, SaveTarget } from '../types.js';
import { Bucket } from './bucket.js';
import { checkS3StoreOptions, type S3Settings, type S3StoreOptions } from './options.js';

import { S3Target } from './s3-target.js';

/** The longest key, in bytes. (Amazon S3 User Guide, "Naming Amazon S3 objects".) */
const MAX_KEY_BYTES = 1024;

/**
 * Makes a store that keeps each image as an object of a bucket, under the key prefix + name.
 *
 * @throws TypeError An option is missing, unknown or wrong.
 * @example
 * imageSave({ store: s3Store({ client: new S3Client({}), bucket: 'renders', prefix: 'saved/' }) })
 */
export function s3Store(options: S3StoreOptions): ImageStore {
  return new S3Store(checkS3StoreOptions(options));
}

class S3Store implements ImageStore {
  readonly #settings: S3Settings;
  readonly #bucket: Bucket;

  constructor(settings: S3Settings) {
    this.#settings = settings;
    this.#bucket = new Bucket(settings);
  }

  async prepare(name: string, options: PrepareOptions): Promise<SaveTarget> {
    if (Buffer.byteLength(this.#settings.prefix + name) > MAX_KEY_BYTES) {
      throw new SaveError('name-invalid', { rule: TOO_LONG });
    }
    await raceAbort(options.signal, this.#bucket.check());
    const target = new S3Target(this.#settings, this.#bucket, name, options);
    if (!options.overwrite) await raceAbort(options.signal, target.assertNotExists());
    return target;
  }

  check(): Promise<void> {
    return this.#bucket.probe();
  }
}

/** Settles like a promise, or rejects with the signal's reason if that aborts first. */
async function raceAbort<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  const listening = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { signal: listening.signal });
  });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    listening.abort();
  }
}
