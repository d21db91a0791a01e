// Keeps images in a bucket of an S3 store, one object per name.
import { raceAbort } from '../../abort.js';
import { SaveError, TOO_LONG } from '../../errors.js';
import type { ImageStore } from '../types.js';
import { Bucket } from './s3-bucket.js';
import { checkS3StoreOptions, type S3StoreOptions } from './s3-options.js';
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
  const settings = checkS3StoreOptions(options);
  const bucket = new Bucket(settings);
  return {
    async prepare(name, prepareOptions) {
      const { overwrite, signal } = prepareOptions;
      if (Buffer.byteLength(settings.prefix + name) > MAX_KEY_BYTES) {
        throw new SaveError('name-invalid', { rule: TOO_LONG });
      }
      await raceAbort(signal, bucket.check());
      const target = new S3Target(settings, bucket, name, prepareOptions);
      if (!overwrite) await raceAbort(signal, target.assertNotExists());
      return target;
    },
    check: () => bucket.probe(),
  };
}
