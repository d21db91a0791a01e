// What people would write instead: routes that have the image in hand and save it themselves.
import type { Request, RequestHandler, Response } from 'express';
import { randomBytes } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { open, readlink, realpath, rename, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import sharp from 'sharp';
import writeFileAtomic from 'write-file-atomic';
import { inspectImage } from '../dist/inspect.js';

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
    sendProperties(res, name, await publish(image, name, options, insideRoot));
  };
}

/** The same, and by the folder's descriptor: a link put in the folder's place in the meantime is not followed. */
export function saveByDescriptor(file: string, options: SavingOptions): RequestHandler {
  const image = readFileSync(file);
  return async (req, res) => {
    const name = checkedName(req);
    const folder = await open(join(options.root, dirname(name)), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const byDescriptor = async (root: string): Promise<string> => {
        const path = `/proc/self/fd/${folder.fd}`;
        if (!(await readlink(path)).startsWith(root + sep)) throw new Error('outside');
        return path;
      };
      sendProperties(res, name, await publish(image, name, options, byDescriptor));
    } finally {
      await folder.close();
    }
  };
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

async function insideRoot(root: string, folder: string): Promise<string> {
  const real = await realpath(folder);
  if (!real.startsWith(root + sep)) throw new Error('outside');
  return real;
}

async function publish(
  image: Buffer,
  name: string,
  { root, verify, durable }: SavingOptions,
  findFolder: (root: string, folder: string) => Promise<string>,
): Promise<Saved> {
  const folder = await findFolder(root, join(root, dirname(name)));
  const facts = await inspectImage(image, { verify, maxPixels: 100_000_000 });
  if (facts.format !== 'jpeg') throw new Error('Choose another name');
  const temporary = join(folder, `.${randomBytes(16).toString('hex')}.tmp`);
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  const handle = await open(temporary, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o666);
  const lastUpdated = await fill(handle, image, durable);
  await rename(temporary, join(folder, basename(name)));
  if (durable) await flush(folder);
  const { width, height, type } = facts;
  return { width, height, type, length: image.length, lastUpdated };
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
