// An image renderer: sends `GET /:picture` as the commands of Image Serving in its query require. The renderer does not
// know that imageSave() is mounted in front of it.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import express from 'express';
import sharp from 'sharp';
import { BadCommand, MAX_PIX, parseCommands, type Box, type Commands } from './commands.js';

// `DefaultPix` of Image Serving: without wid, hei and scl, the rendering fits into a square of this size.
const DEFAULT_PIX = 400;

interface Size {
  width: number;
  height: number;
}

interface Picture extends Size {
  /** The pixels, four bytes each. */
  rgba: Buffer;
}

/** Maps the id of each picture in a folder, which is its file name without the extension, to its path. */
export function findPictures(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => /\.(jpe?g|png)$/i.test(name));
  return new Map(names.map((name) => [path.parse(name).name, path.join(folder, name)]));
}

export function createRenderer(picturesFolder: string): express.Router {
  // Ids are looked up here and never become paths, so that no request can leave the folder.
  const pictures = findPictures(picturesFolder);
  const router = express.Router();

  router.get('/:picture', async (req, res) => {
    const file = pictures.get(req.params.picture);
    if (file === undefined) {
      res
        .status(404)
        .type('text')
        .send(`Unknown picture. Available: ${[...pictures.keys()].join(', ')}\n`);
      return;
    }
    try {
      const [, query = ''] = /\?(.*)/s.exec(req.url) ?? [];
      const commands = parseCommands(query);
      const image = await render(file, commands);
      res.type(`image/${commands.fmt.type}`).send(image);
    } catch (error) {
      if (!(error instanceof BadCommand)) throw error;
      res.status(400).type('text').send(`${error.message}\n`);
    }
  });

  return router;
}

async function render(file: string, commands: Commands): Promise<Buffer> {
  const picture = await cropAndRotate(file, commands);
  const drawn = getDrawnSize(picture, commands);
  const view = getViewSize(drawn, commands);
  for (const { width, height } of [drawn, view]) {
    if (Math.max(width, height) > MAX_PIX) {
      throw new BadCommand(
        `wid, hei, scl: the image would be ${width} x ${height}, and at most ${MAX_PIX} x ${MAX_PIX} is allowed`,
      );
    }
  }
  return encode(picture, drawn, view, commands);
}

// A pass of its own, because sharp cannot crop, rotate and resize in this order in one pass.
async function cropAndRotate(file: string, { crop, flip, rotate }: Commands): Promise<Picture> {
  const image = sharp(file).ensureAlpha();
  if (crop) image.extract(await checkCrop(crop, file));
  const { data, info } = await image
    .flop(flip.startsWith('lr'))
    .flip(flip.endsWith('ud'))
    .rotate(rotate, { background: 'transparent' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { rgba: data, width: info.width, height: info.height };
}

// Image Serving would fill the area outside the picture. Here such a crop is more likely a mistake.
async function checkCrop(crop: Box, file: string): Promise<Box> {
  const { width, height } = await sharp(file).metadata();
  if (crop.left + crop.width > width || crop.top + crop.height > height) {
    throw new BadCommand(`crop extends beyond the picture, which is ${width} x ${height}`);
  }
  return crop;
}

/** Returns the size of the whole picture after scaling. */
function getDrawnSize(picture: Size, commands: Commands): Size {
  const [x, y] = getScales(picture, commands);
  return {
    width: Math.max(1, Math.round(picture.width * x)),
    height: Math.max(1, Math.round(picture.height * y)),
  };
}

function getScales({ width, height }: Size, { scl, wid, hei, fit }: Commands): [x: number, y: number] {
  if (scl !== undefined) return [1 / scl, 1 / scl];
  if (wid === undefined && hei === undefined) {
    const scale = Math.min(1, DEFAULT_PIX / Math.max(width, height));
    return [scale, scale];
  }
  const x = wid === undefined ? hei! / height : wid / width;
  const y = hei === undefined ? x : hei / height;
  // The default of Image Serving is fit=fit,0. A single side is always exact, because there is no box to fit into.
  const { mode, upscale } = fit ?? { mode: 'fit', upscale: wid === undefined || hei === undefined };
  const limited = (scale: number) => (upscale ? scale : Math.min(scale, 1));
  const uniform = {
    fit: Math.min(x, y),
    constrain: Math.min(x, y),
    crop: Math.max(x, y),
    wrap: Math.max(x, y),
    hfit: x,
    vfit: y,
  };
  if (mode === 'stretch') return [limited(x), limited(y)];
  return [limited(uniform[mode]), limited(uniform[mode])];
}

/** Returns the size of the rendering, which has the picture in its centre. */
function getViewSize(drawn: Size, { scl, wid, hei, fit }: Commands): Size {
  const asDrawn = scl === undefined && (fit?.mode === 'constrain' || fit?.mode === 'wrap');
  return asDrawn ? drawn : { width: wid ?? drawn.width, height: hei ?? drawn.height };
}

function encode(picture: Picture, drawn: Size, view: Size, { bgc, fmt, qlt }: Commands): Promise<Buffer> {
  const { rgba, width, height } = picture;
  const image = sharp(rgba, { raw: { width, height, channels: 4 } });
  if (!fmt.alpha) image.flatten({ background: bgc });

  // Cuts off the parts outside the view, or adds margins, evenly on both sides.
  const shown = { width: Math.min(drawn.width, view.width), height: Math.min(drawn.height, view.height) };
  const left = Math.floor((view.width - shown.width) / 2);
  const top = Math.floor((view.height - shown.height) / 2);
  return image
    .resize(drawn.width, drawn.height, { fit: 'fill' })
    .extract({
      left: Math.floor((drawn.width - shown.width) / 2),
      top: Math.floor((drawn.height - shown.height) / 2),
      ...shown,
    })
    .extend({
      left,
      right: view.width - shown.width - left,
      top,
      bottom: view.height - shown.height - top,
      background: fmt.alpha ? 'transparent' : bgc,
    })
    .toFormat(fmt.type, getEncoderOptions(fmt.type, qlt))
    .toBuffer();
}

function getEncoderOptions(type: Commands['fmt']['type'], quality: number) {
  switch (type) {
    case 'jpeg':
    case 'webp':
      return { quality };
    case 'avif':
      // The least effort, because a visitor waits for the image.
      return { quality, effort: 0 };
    case 'tiff':
      return { compression: 'lzw' };
    default:
      return {};
  }
}
