// Saved first, in a bucket: sends visitors to the saved object. If it is missing, it is rendered and saved before.
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import express from 'express';
import { imageSave } from 'express-image-save';
import { s3Store } from 'express-image-save/s3';
import { saveMissing } from './save-missing.mjs';

const bucket = process.env.BUCKET;
if (!bucket) throw new Error('Set BUCKET to the name of the bucket');

// Region, credentials and endpoint come from the environment: AWS_REGION, AWS_ACCESS_KEY_ID, …
const client = new S3Client();
// An object that exists is refused before the renderer is called, by one HEAD request to the bucket.
const save = imageSave({ store: s3Store({ client, bucket }), overwrite: false });

async function sendLink(name, req, res) {
  // The link works for ten minutes; browsers and a CDN keep it for five. A public bucket needs no signature.
  const object = new GetObjectCommand({ Bucket: bucket, Key: name });
  const url = await getSignedUrl(client, object, { expiresIn: 600 });
  res.set('Cache-Control', 'public, max-age=300').redirect(url);
}

const app = express();
app.get('/images/:file', saveMissing(save, sendLink));
app.listen(3000);
