// Purging a cache: it has the new image before the client learns that it is there.
import express from 'express';
import { imageSave } from 'express-image-save';
import { renderer } from './renderer.mjs';

const publicUrl = process.env.PUBLIC_URL ?? 'http://localhost/saved/';
// Where the cache takes orders from this app.
const purgeUrl = process.env.PURGE_URL ?? 'http://127.0.0.1/refresh/saved/';

async function purge({ url }) {
  const path = url.slice(publicUrl.length);
  const response = await fetch(purgeUrl + path, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`The cache replied ${response.status}`);
  // To its end: then nginx has the whole image.
  await response.arrayBuffer();
}

// The image is saved in any case. What could not be purged stays in the cache until it expires.
const onSave = ({ name, warning }) => warning && console.warn(`${name} was not purged:`, warning.message);

const app = express();
app.use('/is/image', imageSave({ savePath: './saved', publicUrl, onPublished: purge, onSave }), renderer);
app.use('/saved', express.static('./saved', { index: false, redirect: false }));
app.listen(3000);
