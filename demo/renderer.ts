// The demo's renderer: sends `GET /PICTURE?wid=…` as the commands of the query ask. The renderer does not know that
// imageSave() is in front of it.

import { readdirSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import path from 'node:path';
import sharp from 'sharp';
import { BadCommand, MAX_PIX, parseCommands, type Commands } from './commands.js';
import { findFault, sendWhole } from './faults.js';

/** `DefaultPix` of Image Serving: without wid and hei, the rendering fits into a square of this size. */
const DEFAULT_PIX = 400;

/** Maps the id of each picture in a folder, which is its file name without the extension, to its path. */
export function findPictures(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => /\.(jpe?g|png|webp)$/i.test(name));
  return new Map(names.sort().map((name) => [path.parse(name).name, path.join(folder, name)]));
}

/** @param pictures Paths by id. Ids never become paths, so that no request can leave the folder. */
export function createRenderer(pictures: ReadonlyMap<string, string>): RequestListener {
  return (req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://demo');
    const refuse = (status: number, message: string): void => {
      res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
    };
    const file = pictures.get(pathname.slice(1));
    if (file === undefined) {
      refuse(404, `Unknown picture. Available: ${[...pictures.keys()].join(', ')}`);
      return;
    }
    const answer = async (): Promise<void> => {
      const commands = parseCommands(searchParams);
      const send = findFault(searchParams.get('fault')) ?? sendWhole;
      send(res, await render(file, commands), `image/${commands.type}`);
    };
    answer().catch((error: unknown) => {
      if (error instanceof BadCommand) refuse(400, error.message);
      else refuse(500, 'The picture cannot be rendered');
    });
  };
}

async function render(file: string, { crop, wid, hei, fit, type, alpha, qlt }: Commands): Promise<Buffer> {
  const image = sharp(file);
  const { width, height } = await image.metadata();
  if (crop) {
    // Image Serving would fill the area outside the picture. Here such a crop is more likely a mistake.
    if (crop.left + crop.width > width || crop.top + crop.height > height) {
      throw new BadCommand(`crop extends beyond the picture, which is ${width} x ${height}`);
    }
    image.extract(crop);
  }
  // The side that is not given follows the proportions.
  const [w, h] = crop ? [crop.width, crop.height] : [width, height];
  const longest = Math.round(
    wid === undefined ? ((hei ?? 0) * w) / h : hei === undefined ? (wid * h) / w : 0,
  );
  if (longest > MAX_PIX) {
    const [name, other] = wid === undefined ? ['hei', 'wide'] : ['wid', 'high'];
    throw new BadCommand(
      `${name} would make the image ${longest} pixels ${other}, and at most ${MAX_PIX} are allowed`,
    );
  }
  const sides = { ...(wid !== undefined && { width: wid }), ...(hei !== undefined && { height: hei }) };
  const size =
    wid === undefined && hei === undefined
      ? { width: DEFAULT_PIX, height: DEFAULT_PIX, fit: 'inside' as const, withoutEnlargement: true }
      : { ...sides, fit };
  image.resize({ ...size, background: alpha ? 'transparent' : 'white' });
  if (!alpha) image.flatten({ background: 'white' });
  return image.toFormat(type, getEncoderOptions(type, qlt)).toBuffer();
}

function getEncoderOptions(type: Commands['type'], quality: number): object {
  if (type === 'jpeg' || type === 'webp') return { quality };
  // The least effort, because a visitor waits for the image.
  if (type === 'avif') return { quality, effort: 0 };
  return type === 'tiff' ? { compression: 'lzw' } : {};
}
