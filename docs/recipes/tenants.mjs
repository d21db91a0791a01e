// One folder for each tenant: which one, the tenant's key decides, and nothing else that a request can hold.
import { createHash } from 'node:crypto';
import express from 'express';
import { imageSave } from 'express-image-save';
import { renderer } from './renderer.mjs';

const digest = (text) => createHash('sha256').update(text).digest('hex');

function keyOf(tenant) {
  const key = process.env[`KEY_${tenant.toUpperCase()}`];
  if (!key) throw new Error(`Set KEY_${tenant.toUpperCase()} to the key of ${tenant}`);
  return digest(`Bearer ${key}`);
}

// The whole list, and the folders written out: no text of a request becomes part of a path.
const folders = new Map([
  [keyOf('acme'), './saved/acme'],
  [keyOf('globex'), './saved/globex'],
]);

const folderOf = (req) => folders.get(digest(req.get('authorization') ?? ''));

const app = express();
const save = imageSave({
  authorize: (req) => folderOf(req) !== undefined,
  savePath: (req) => folderOf(req) ?? '',
});
app.use('/is/image', save, renderer);
app.listen(3000);
