// Keeps images in a bucket of an S3 store, one object per name.
import { raceAbort } from '../../abort.js';
import { SaveError, TOO_LONG } from '../../errors.js';
import type { ImageStore } from '../types.js';
import { Bucket, readError, storeError } from './s3-bucket.js';
import { abortUpload, createUpload } from './s3-multipart-upload.js';
import { checkS3StoreOptions, locateObject, type S3StoreOptions } from './s3-options.js';
import { prepareTarget } from './s3-target.js';

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
        await abortUpload(settings, await createUpload(settings, object));
      } catch (error) {
        // Some gateways have no uploads in parts, and take images up to `partSize` all the same.
        if (readError(error).status !== 501) throw bucket.recordFailure(storeError(error));
      }
    },
  };
}
