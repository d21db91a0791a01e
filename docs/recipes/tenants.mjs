// One folder for each tenant. Only the tenant's key chooses the folder.
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

// A fixed list of folders, so that no text of a request becomes part of a path.
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
