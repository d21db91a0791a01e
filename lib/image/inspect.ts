// Inspects a rendered image. Bytes are decoded in a separate process, because they may be hostile.
import { lstat, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import type sharp from 'sharp';
import type { ImageBytes } from '../bytes/image-bytes.js';
import { SaveError } from '../errors.js';
import { occupyThread } from '../thread-pool.js';
import { countPixels, readPlainHeader } from './containers/index.js';
import type { DecoderReply, FileIdentity } from './decoder/client.js';
import { budget, inspectInPool, NoDecoder } from './decoder/pool.js';
import { getFormatByBytes, getMediaType, MAGIC_BYTES, type ImageFormat } from './formats.js';
import { unreadable } from './refusals.js';
import type { ImageInfo, InspectOptions } from './types.js';

export { warmUp } from './decoder/pool.js';

/**
 * Inspects an image and returns its dimensions, format and pages.
 *
 * Bytes in memory must not change before this settles.
 *
 * @throws SaveError `not-an-image` (none of the raster formats that can be saved), `too-many-pixels`,
 * `incomplete-image`, `broken-image`, `unsupported-compression`, `too-many-open-files`, `out-of-resources`. The reason of
 * the signal, once that has aborted.
 */
export async function inspectImage(bytes: ImageBytes, options: InspectOptions): Promise<ImageInfo> {
  const { verify, maxPixels, signal } = options;
  const first = Buffer.alloc(MAGIC_BYTES);
  const format = getFormatByBytes(first.subarray(0, await bytes.read(first, 0)));
  // Keeps the library from trying its loaders for SVG, PDF and the like.
  if (format === undefined) throw new SaveError('not-an-image');
  if (verify === 'header') {
    const header = await readPlainHeader(format, bytes, signal);
    if (header !== undefined) {
      const { width, height } = header;
      if (width * height > maxPixels) throw new SaveError('too-many-pixels', { maxPixels });
      return { format, type: getMediaType(format), width, height, pages: 1, pixels: width * height };
    }
  }
  try {
    return await inspectInDecoder(format, bytes, options);
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof NoDecoder)) throw error;
    warnOnce(error);
    return inspectInHost(format, bytes, options);
  }
}

async function inspectInDecoder(
  format: ImageFormat,
  bytes: ImageBytes,
  options: InspectOptions,
): Promise<ImageInfo> {
  const { verify, maxPixels, signal } = options;
  const { path, length } = bytes;
  const file = path === undefined ? undefined : await identify(path);
  const inMemory = path === undefined ? await bytes.buffer() : undefined;
  const inspectUpTo = (limit: number): Promise<DecoderReply> =>
    inspectInPool({ format, verify, length, file, maxPixels: limit }, inMemory, maxPixels, signal);
  const pixels = await estimatePixels(format, bytes, options);
  let reply = await inspectUpTo(pixels);
  // Its decoder finds more pixels than its header announces.
  if ('error' in reply && reply.error.code === 'too-many-pixels' && pixels < maxPixels)
    reply = await inspectUpTo(maxPixels);
  if ('info' in reply) return reply.info;
  const { code, message, cause } = reply.error;
  throw new SaveError(code, message, cause === undefined ? undefined : new Error(cause));
}

/** The pixels that an image may have when it is decoded: what its header announces, or `maxPixels`. */
async function estimatePixels(
  format: ImageFormat,
  bytes: ImageBytes,
  { verify, maxPixels, signal }: InspectOptions,
): Promise<number> {
  if (verify === 'header') return maxPixels;
  return Math.min(maxPixels, (await countPixels(format, bytes, signal)) ?? maxPixels);
}

/** Inspects an image without a decoder process. Loads `sharp` into the host and leaves its settings as they were. */
export async function inspectInHost(
  format: ImageFormat,
  bytes: ImageBytes,
  options: InspectOptions,
): Promise<ImageInfo> {
  const restoreSettings = keepSettings();
  const { checkImage, dropCachedOperations } = await import('./check-image.js');
  restoreSettings();
  const pixels = await estimatePixels(format, bytes, options);
  const endTurn = await budget.take(pixels, options.maxPixels, options.signal);
  return occupyThread(async () => {
    try {
      options.signal?.throwIfAborted();
      return await checkImage(format, bytes, options);
    } finally {
      dropCachedOperations();
      endTurn();
    }
  });
}

/**
 * Reads the host's settings of sharp, and returns a function that restores them. To load a second copy of sharp resets
 * libvips, which both share: a host of ES modules has sharp's ES modules, this package requires the CommonJS ones.
 */
function keepSettings(): () => void {
  try {
    const require = createRequire(__filename);
    const path = require.resolve('sharp');
    if (require.cache[path] === undefined) {
      const { default: hosts } = require(join(dirname(path), 'index.mjs')) as { default: typeof sharp };
      const [{ memory, files, items }, threads] = [hosts.cache(), hosts.concurrency()];
      return () => {
        hosts.cache({ memory: memory.max, files: files.max, items: items.max });
        hosts.concurrency(threads);
      };
    }
  } catch {
    // Another version of sharp, or a bundle without it, has no such copy.
  }
  return () => undefined;
}

/**
 * The path of a file for other processes, and its identity. The known path may use a folder's fd, which only this
 * process has. The real path may lead to another file by the time a decoder opens it.
 */
async function identify(path: string): Promise<FileIdentity> {
  try {
    // Windows tells no real path on some drives, such as RAM disks.
    const realPath = realpath(path).catch(() => path);
    const [{ dev, ino }, real] = await Promise.all([lstat(path, { bigint: true }), realPath]);
    return { path: real, identity: `${dev}:${ino}` };
  } catch (error) {
    throw unreadable(error);
  }
}

let hasWarned = false;

function warnOnce({ cause }: NoDecoder): void {
  if (hasWarned) return;
  hasWarned = true;
  process.emitWarning(
    'express-image-save decodes images in this process, since it cannot start a process for that: ' +
      'an image that crashes its decoder ends this process, and a decode that has begun cannot be stopped. ' +
      `The reason: ${inspect(cause)}`,
    { code: 'IMAGE_SAVE_NO_DECODER' },
  );
}
