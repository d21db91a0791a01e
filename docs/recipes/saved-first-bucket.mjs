// Saved first, in a bucket: sends visitors to the saved object. If it is missing, it is rendered and saved before.
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import express from 'express';
import { imageSave, parseReply } from 'express-image-save';
import { s3Store } from 'express-image-save/s3';
import { renderer } from './renderer.mjs';

const bucket = process.env.BUCKET;
if (!bucket) throw new Error('Set BUCKET to the name of the bucket');

// Region, credentials and endpoint come from the environment: AWS_REGION, AWS_ACCESS_KEY_ID, …
const client = new S3Client();
const save = imageSave({ store: s3Store({ client, bucket }), overwrite: false });
const internal = express().use('/is/image', save, renderer).listen(0, '127.0.0.1');

const presets = new Map([
  ['thumb', 'wid=120'],
  ['page', 'wid=800'],
]);

async function sendCommand(picture, preset, name) {
  const query = `${presets.get(preset)}&req=saveToFile&timeout=20000&name=${encodeURIComponent(name)}`;
  const response = await fetch(`http://127.0.0.1:${internal.address().port}/is/image/${picture}?${query}`);
  return { reply: parseReply(await response.text()), retryAfter: response.headers.get('retry-after') };
}

const saves = new Map();

function saveOnce(picture, preset, name) {
  if (!saves.has(name)) {
    const saving = sendCommand(picture, preset, name).finally(() => saves.delete(name));
    saves.set(name, saving);
  }
  return saves.get(name);
}

const app = express();
app.get('/images/:file', async (req, res, next) => {
  const [name, picture, preset] = req.params.file.match(/^([a-z0-9-]{1,100})\.([a-z]+)\.png$/) ?? [];
  if (!presets.has(preset)) return next();
  // An object that exists is refused before the renderer is called, by one HEAD request to the bucket.
  const { reply, retryAfter } = await saveOnce(picture, preset, name);
  const code = reply.error?.code;
  if (reply.status === 'done' || code === 'file-exists') {
    // The link works for ten minutes; browsers and a CDN keep it for five. A public bucket needs no signature.
    const url = await getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: name }), {
      expiresIn: 600,
    });
    return res.set('Cache-Control', 'public, max-age=300').redirect(url);
  }
  if (retryAfter) res.set('Retry-After', retryAfter);
  res.set('Cache-Control', 'no-store');
  res.status(reply.error.retry ? 503 : 502).send(`No image: ${code}`);
});
app.listen(3000);
