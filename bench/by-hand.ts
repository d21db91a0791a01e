// What people would write instead: routes that have the image in hand and save it themselves.
import type { Request, RequestHandler, Response } from 'express';
import { randomBytes } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { access, lstat, open, readlink, realpath, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import sharp from 'sharp';
import writeFileAtomic from 'write-file-atomic';
import { inspectImage } from '../dist/image/inspect.js';

export interface SavingOptions {
  readonly root: string;
  readonly verify: 'pixels' | 'header';
  readonly durable: boolean;
}

/** What a route replies with. */
interface Saved {
  readonly width: number;
  readonly height: number;
  readonly type: string;
  readonly length: number;
  readonly lastUpdated: number;
}

/** Saves so that a name holds the old file whole or the new file whole, and nothing outside the root is reached. */
export function saveByHand(file: string, options: SavingOptions): RequestHandler {
  const image = readFileSync(file);
  return async (req, res) => {
    const name = checkedName(req);
    const folder = await realpath(join(options.root, dirname(name)));
    if (!folder.startsWith(options.root + sep)) throw new Error('outside');
    sendProperties(res, name, await publish(image, { folder, entry: basename(name) }, options));
  };
}

/**
 * The same, with what else the middleware promises: a name that cannot be saved to is known before there is an image,
 * a link put in the folder's place in the meantime is not followed, a deadline and a client that leaves end the save,
 * and what has failed leaves no temporary file.
 */
export function saveWithAllPromises(file: string, options: SavingOptions): RequestHandler {
  const image = readFileSync(file);
  return async (req, res) => {
    const purpose = new AbortController();
    const lost = (): void => {
      purpose.abort();
    };
    const timer = setTimeout(lost, 60_000);
    res.once('close', lost);
    try {
      await saveInHeldFolder(image, req, res, options, purpose.signal);
    } finally {
      res.off('close', lost);
      clearTimeout(timer);
    }
  };
}

async function saveInHeldFolder(
  image: Buffer,
  req: Request,
  res: Response,
  options: SavingOptions,
  signal: AbortSignal,
): Promise<void> {
  const name = checkedName(req);
  const root = await realpath(options.root);
  const handle = await open(join(root, dirname(name)), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const folder = `/proc/self/fd/${handle.fd}`;
    const entry = basename(name);
    const place = await readlink(folder);
    if (!place.startsWith(root + sep)) throw new Error('outside');
    const [taken] = await Promise.all([
      lstat(join(folder, entry)).catch(() => undefined),
      access(folder, constants.W_OK | constants.X_OK),
    ]);
    if (taken?.isDirectory()) throw new Error('Choose another name');
    const lastLook = async (): Promise<void> => {
      if ((await readlink(folder)) !== place) throw new Error('The folder has changed');
      signal.throwIfAborted();
    };
    sendProperties(res, name, await publish(image, { folder, entry, lastLook }, options));
  } finally {
    await handle.close();
  }
}

/** As it is mostly written: a package that writes atomically, and the reply from what is then under the path. */
export function saveWithWriteFileAtomic(file: string, options: SavingOptions): RequestHandler {
  const image = readFileSync(file);
  return async (req, res) => {
    const name = checkedName(req);
    const path = join(options.root, name);
    await writeFileAtomic(path, image, { fsync: options.durable });
    const { width, height, format } = await sharp(path).metadata();
    sendProperties(res, name, {
      ...{ width, height, type: `image/${format}` },
      ...{ length: image.length, lastUpdated: Date.now() },
    });
  };
}

/** The least that saving takes, without a server: a temporary file, a rename, and a look at the header. */
export async function saveRaw(image: Buffer, path: string, durable: boolean): Promise<void> {
  const temporary = `${path}.${randomBytes(16).toString('hex')}`;
  const handle = await open(temporary, 'wx');
  await handle.write(image);
  if (durable) await handle.sync();
  await handle.close();
  await rename(temporary, path);
  await sharp(image).metadata();
}

function checkedName(req: Request): string {
  const { name } = req.query;
  const isSafe =
    typeof name === 'string' && /^(?:[\w-][\w .-]{0,99}\/)*[\w-][\w .-]{0,99}\.jpe?g$/i.test(name);
  if (!isSafe) throw new Error('Choose another name');
  return name;
}

interface Place {
  readonly folder: string;
  readonly entry: string;
  /** Throws where there must be no file any more. */
  readonly lastLook?: () => Promise<void>;
}

async function publish(
  image: Buffer,
  { folder, entry, lastLook }: Place,
  { verify, durable }: SavingOptions,
): Promise<Saved> {
  const facts = await inspectImage(image, { verify, maxPixels: 100_000_000 });
  if (facts.format !== 'jpeg') throw new Error('Choose another name');
  const temporary = join(folder, `.${randomBytes(16).toString('hex')}.tmp`);
  await lastLook?.();
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  const handle = await open(temporary, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o666);
  try {
    const lastUpdated = await fill(handle, image, durable);
    await lastLook?.();
    await rename(temporary, join(folder, entry));
    if (durable) await flush(folder);
    const { width, height, type } = facts;
    return { width, height, type, length: image.length, lastUpdated };
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

async function fill(handle: FileHandle, image: Buffer, durable: boolean): Promise<number> {
  try {
    await handle.write(image);
    if (durable) await handle.sync();
    const { size, mtimeMs } = await handle.stat();
    if (size !== image.length) throw new Error('The disk is full');
    return Math.floor(mtimeMs);
  } finally {
    await handle.close();
  }
}

async function flush(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync();
  await handle.close();
}

function sendProperties(res: Response, name: string, { width, height, ...saved }: Saved): void {
  const properties = {
    status: 'done',
    lastUpdated: saved.lastUpdated,
    pixelsTotal: width * height,
    name,
    'image.width': width,
    'image.height': height,
    'image.type': saved.type,
    'image.length': saved.length,
  };
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
  const text = `#S7Z OK\n#${new Date().toUTCString()}\n${lines.join('\n')}\n`;
  res
    .set('Cache-Control', 'no-store')
    .set('Content-Length', String(text.length))
    .type('text/plain')
    .end(text);
}
