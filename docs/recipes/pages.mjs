// Saves every page of a document as a JPEG: node pages.mjs scan.tif
import { basename, extname } from 'node:path';
import { createImageSaver } from 'express-image-save';
import sharp from 'sharp';

const [file] = process.argv.slice(2);
if (!file) throw new Error('Name a document of several pages, as in: node pages.mjs scan.tif');

const save = createImageSaver({ savePath: './saved', createFolders: true });
const folder = basename(file, extname(file));
const { pages = 1 } = await sharp(file).metadata();
for (let page = 0; page < pages; page++) {
  // A stream: a page of any size needs little memory.
  const image = sharp(file, { page }).jpeg();
  const { name, width, height } = await save(image, { name: `${folder}/${page + 1}.jpg` });
  console.log(name, `${width} × ${height}`);
}
