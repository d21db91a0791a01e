// What a developer would write instead of the middleware: routes that have the image in memory and save it.
import type { Request, RequestHandler, Response } from 'express';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, open, readlink, realpath, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import sharp from 'sharp';
import writeFileAtomic from 'write-file-atomic';
// The same inspection as the middleware's, so that the comparison is about everything else.
import { inspectImage } from '../dist/image/inspect.js';

export interface SaveOptions {
  readonly savePath: string;
  readonly verify: 'pixels' | 'header';
  readonly durable: boolean;
}

/**
 * The usual way: a package that writes atomically, then `sharp` for the size. Without a flush of the folder, a
 * deadline, or any check of the image before it replaces the old one.
 */
export function writeFileAtomicRoute(
  image: Buffer,
  { savePath, durable, verify }: SaveOptions,
): RequestHandler {
  return async (req, res) => {
    const name = readName(req);
    if (verify === 'pixels') await sharp(image).raw().toBuffer();
    const file = join(savePath, name);
    await writeFileAtomic(file, image, { fsync: durable });
    const { width, height, format } = await sharp(file).metadata();
    reply(res, name, { width, height, type: `image/${format}` }, image.length, Date.now());
  };
}

/**
 * The same guarantees as the middleware: the name is checked before the work begins, the folder stays open by its
 * fd so that no link can redirect the save, a deadline and a disconnect abort it, and a failure leaves no
 * temporary file.
 */
export function sameGuaranteesRoute(image: Buffer, options: SaveOptions): RequestHandler {
  return async (req, res) => {
    const cancellation = new AbortController();
    const abort = (): void => {
      cancellation.abort();
    };
    const timer = setTimeout(abort, 60_000);
    res.once('close', abort);
    try {
      await save(image, readName(req), res, options, cancellation.signal);
    } finally {
      res.off('close', abort);
      clearTimeout(timer);
    }
  };
}

async function save(
  image: Buffer,
  name: string,
  res: Response,
  { savePath, verify, durable }: SaveOptions,
  signal: AbortSignal,
): Promise<void> {
  const root = await realpath(savePath);
  const { O_RDONLY, O_DIRECTORY, O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW, W_OK, X_OK } = constants;
  const dir = await open(join(root, dirname(name)), O_RDONLY | O_DIRECTORY);
  const path = `/proc/self/fd/${dir.fd}`;
  const target = join(path, basename(name));
  const tempFile = join(path, `.${randomBytes(16).toString('hex')}.tmp`);
  try {
    const dirPath = await readlink(path);
    if (!dirPath.startsWith(root + sep)) throw new Error('The folder is outside the save path');
    const [existing] = await Promise.all([lstat(target).catch(() => undefined), access(path, W_OK | X_OK)]);
    if (existing?.isDirectory()) throw new Error('The name is a folder');
    const info = await inspectImage(image, { verify, maxPixels: 100_000_000 });
    if (info.format !== 'jpeg') throw new Error('The extension does not match the image');
    const file = await open(tempFile, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o666);
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
    signal.throwIfAborted();
    await rename(tempFile, target);
    if (durable) await dir.sync();
    reply(res, name, info, image.length, lastUpdated);
  } catch (error) {
    await unlink(tempFile).catch(() => undefined);
    throw error;
  } finally {
    await dir.close();
  }
}

function readName(req: Request): string {
  const { name } = req.query;
  if (typeof name === 'string' && /^(?:[\w-][\w .-]{0,99}\/)*[\w-][\w .-]{0,99}\.jpe?g$/i.test(name))
    return name;
  throw new Error('Choose another name');
}

function reply(
  res: Response,
  name: string,
  { width, height, type }: { width: number; height: number; type: string },
  length: number,
  lastUpdated: number,
): void {
  const text = `#S7Z OK
#${new Date().toUTCString()}
status=done\nlastUpdated=${lastUpdated}\npixelsTotal=${width * height}\nname=${name}
image.width=${width}\nimage.height=${height}\nimage.type=${type}\nimage.length=${length}\n`;
  res.set({ 'Cache-Control': 'no-store', 'Content-Length': String(text.length) });
  res.type('text/plain').end(text);
}
