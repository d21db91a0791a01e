// A server with a save folder for each image catalog, and with other limits for saves than for deliveries.
import { join } from 'node:path';
import express from 'express';
import sharp from 'sharp';
import { imageSave, saveOf } from 'express-image-save';

// IS::SaveDirectory, and attribute::SavePath of each catalog. An empty one disables saving.
const saveDirectory = './saved';
const savePaths = new Map([
  ['default', 'misc'],
  ['shoes', 'products/shoes'],
  ['drafts', ''],
]);

// What a catalog does not set, it inherits. No text of the request becomes part of a path.
function savePath(req) {
  const [, catalog] = req.path.split('/');
  const folder = savePaths.get(catalog) ?? savePaths.get('default');
  return folder === '' ? '' : join(saveDirectory, folder);
}

async function renderer(req, res) {
  const [width, height] = [Number(req.query.wid ?? 400), Number(req.query.hei ?? 400)];
  // IS::MaxSavePixels for saves, IS::MaxRenderRgnPixels for deliveries.
  const maxPixels = saveOf(res) === undefined ? 16_000_000 : 100_000_000;
  if (!(width >= 1 && height >= 1 && width * height <= maxPixels)) {
    return res.status(403).send(`Ask for 1 to ${maxPixels} pixels`);
  }
  const size = { width: Math.floor(width), height: Math.floor(height) };
  const image = sharp({ create: { ...size, channels: 3, background: 'teal' } });
  res.type('png').send(await image.png().toBuffer());
}

const app = express();
app.use('/is/image', imageSave({ savePath }));
app.get('/is/image/*path', renderer);
app.listen(3000);
