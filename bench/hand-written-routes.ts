// What a developer would write instead of the middleware: routes that have the image in memory and save it.
import type { RequestHandler, Response } from 'express';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, open, readlink, realpath, rename, unlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, sep } from 'node:path';
import sharp from 'sharp';
import writeFileAtomic from 'write-file-atomic';
import type * as Bytes from '../lib/bytes/image-bytes.js';
import type * as Inspect from '../lib/image/inspect.js';

// The same inspection as the middleware's, so that the comparison is about everything else.
const require = createRequire(import.meta.url);
const { inspectImage } = require('../dist/image/inspect.js') as typeof Inspect;
const { MemoryBytes } = require('../dist/bytes/image-bytes.js') as typeof Bytes;

export interface SaveOptions {
  readonly savePath: string;
  readonly verify: 'pixels' | 'header';
  readonly durable: boolean;
}

type Save = (
  image: Buffer,
  name: string,
  options: SaveOptions,
  res: Response,
) => Promise<{ width: number; height: number; type: string; lastUpdated: number }>;

/** A route that saves an image under the name in the query, and replies as the middleware does. */
export function saveRoute(save: Save, image: Buffer, options: SaveOptions): RequestHandler {
  return async (req, res) => {
    const { name } = req.query;
    if (typeof name !== 'string' || !/^(?:[\w-][\w .-]{0,99}\/)*[\w-][\w .-]{0,99}\.jpe?g$/i.test(name))
      throw new Error('Choose another name');
    const { width, height, type, lastUpdated } = await save(image, name, options, res);
    const text = `#S7Z OK
#${new Date().toUTCString()}
status=done\nlastUpdated=${lastUpdated}\npixelsTotal=${width * height}\nname=${name}
image.width=${width}\nimage.height=${height}\nimage.type=${type}\nimage.length=${image.length}\n`;
    res.set({ 'Cache-Control': 'no-store', 'Content-Length': String(text.length) });
    res.type('text/plain').end(text);
  };
}

/**
 * The usual way: a package that writes atomically, then `sharp` for the size. Without a flush of the folder, a
 * deadline, or any check of the image before it replaces the old one.
 */
const saveWithPackages: Save = async (image, name, { savePath, durable, verify }) => {
  if (verify === 'pixels') await sharp(image).raw().toBuffer();
  const file = join(savePath, name);
  await writeFileAtomic(file, image, { fsync: durable });
  const { width, height, format } = await sharp(file).metadata();
  return { width, height, type: `image/${format}`, lastUpdated: Date.now() };
};

/**
 * The same guarantees as the middleware: the name is checked before the work begins, the folder stays open by its
 * fd so that no link can redirect the save, nothing is published after the deadline or a disconnect, and a failure
 * leaves no temporary file.
 */
const saveWithSameGuarantees: Save = async (image, name, { savePath, durable, verify }, res) => {
  const deadline = Date.now() + 60_000;
  const { O_DIRECTORY, W_OK, X_OK } = constants;
  const root = await realpath(savePath);
  const dir = await open(join(root, dirname(name)), O_DIRECTORY);
  const path = `/proc/self/fd/${dir.fd}`;
  const target = join(path, basename(name));
  const tempFile = join(path, `.${randomBytes(16).toString('hex')}.tmp`);
  try {
    const dirPath = await readlink(path);
    if (!dirPath.startsWith(root + sep)) throw new Error('The folder is outside the save path');
    const [existing] = await Promise.all([lstat(target).catch(() => undefined), access(path, W_OK | X_OK)]);
    if (existing?.isDirectory()) throw new Error('The name is a folder');
    const { format, ...info } = await inspectImage(new MemoryBytes(image), {
      verify,
      maxPixels: 100_000_000,
    });
    if (format !== 'jpeg') throw new Error('The extension does not match the image');
    const file = await open(tempFile, 'wx');
    let lastUpdated: number;
    try {
      await file.write(image);
      if (durable) await file.sync();
      const { size, mtimeMs } = await file.stat();
      if (size !== image.length) throw new Error('The disk is full');
      lastUpdated = Math.floor(mtimeMs);
    } finally {
      await file.close();
    }
    if ((await readlink(path)) !== dirPath) throw new Error('The folder was moved');
    if (res.destroyed || Date.now() > deadline) throw new Error('Nobody waits any more');
    await rename(tempFile, target);
    if (durable) await dir.sync();
    return { ...info, lastUpdated };
  } catch (error) {
    await unlink(tempFile).catch(() => undefined);
    throw error;
  } finally {
    await dir.close();
  }
};

/** The ways to save, by their names in the tables. */
export const HAND_WRITTEN: Readonly<Record<string, Save>> = {
  'hand-written, same guarantees': saveWithSameGuarantees,
  'write-file-atomic and sharp': saveWithPackages,
};
