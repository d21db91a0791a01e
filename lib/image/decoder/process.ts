// The program of a decoder process: it inspects one image after the other, and ends when its host does.
import { constants, writeFileSync } from 'node:fs';
import { access, open, type FileHandle } from 'node:fs/promises';
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import { FileBytes, MemoryBytes } from '../../bytes/image-bytes.js';
import { describeError, SaveError, toSaveError } from '../../errors.js';
import { unreadable } from '../refusals.js';
import type { ImageInfo } from '../types.js';
// Types alone: the program must not load its host's side.
import type { DecodeRequest, DecoderMessage, FileIdentity } from './client.js';

try {
  // The first process that Linux ends when memory is short.
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // Another system, or one without /proc.
}

/** The buffer for a request's line, which is shorter. */
const line = Buffer.allocUnsafeSlow(64 * 1024);
let lineBytes = 0;
/** The buffer for an image's bytes, reused unless the image is longer. */
let image = Buffer.alloc(0);
let imageBytes = 0;
/** The request whose image is awaited or inspected. */
let request: DecodeRequest | undefined;

// Read directly into the buffer. Copying the chunks of a stream would take ten times as long.
const socketOptions: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
  // The last of `stdio` in `client.ts`.
  fd: 3,
  onread: {
    buffer: () =>
      request === undefined || imageBytes === request.length
        ? line.subarray(lineBytes)
        : image.subarray(imageBytes, request.length),
    callback: (count) => {
      if (request === undefined) receiveLine(count);
      else imageBytes += count;
      if (request?.length === imageBytes) void answer(request);
      return true;
    },
  },
};
const channel = new Socket(socketOptions);

function end(): void {
  // An orderly exit would wait for the decoding thread.
  process.kill(process.pid, 'SIGKILL');
}

function send(message: DecoderMessage): void {
  channel.write(`${JSON.stringify(message)}\n`);
}

function receiveLine(count: number): void {
  const received = line.subarray(0, lineBytes + count);
  lineBytes = received.length;
  const lineEnd = received.indexOf('\n');
  if (lineEnd === -1) return;
  lineBytes = 0;
  request = JSON.parse(received.toString('utf8', 0, lineEnd)) as DecodeRequest;
  const { length, file } = request;
  if (file !== undefined) {
    imageBytes = length;
    return;
  }
  if (image.length < length) image = Buffer.allocUnsafeSlow(length);
  imageBytes = received.copy(image, 0, lineEnd + 1);
}

async function answer(asked: DecodeRequest): Promise<void> {
  const result = await checkOne(asked)
    .then((info) => ({ info }))
    .catch((thrown: unknown) => {
      const { code, message, cause } = toSaveError(thrown);
      const text = cause instanceof Error ? cause.message : describeError(cause);
      return { error: { code, message, cause: cause === undefined ? undefined : text.slice(0, 4000) } };
    });
  request = undefined;
  send({ ...result, memory: occupiedMemory() });
}

/** In bytes: now, or without /proc the most that it has been. */
function occupiedMemory(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

async function checkOne({ format, verify, maxPixels, length, file }: DecodeRequest): Promise<ImageInfo> {
  const { checkImage } = await loaded;
  const options = { verify, maxPixels };
  if (file === undefined) return checkImage(format, new MemoryBytes(image.subarray(0, length)), options);
  const handle = await openFile(file);
  try {
    // The fd stays with the checked file, even if its name leads to another one now. Where the system has no names for
    // fds, or Node's permission model allows none, the library must open the file by its own.
    const byFd = `/proc/self/fd/${handle.fd}`;
    const path = await access(byFd).then(
      () => byFd,
      () => file.path,
    );
    return await checkImage(format, new OpenedFile(handle, path, length), options);
  } finally {
    await handle.close();
  }
}

class OpenedFile extends FileBytes {
  readonly path: string;
  readonly length: number;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, path: string, length: number) {
    super();
    this.#handle = handle;
    this.path = path;
    this.length = length;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    for (let filled = 0; ;) {
      const count = buffer.byteLength - filled;
      const { bytesRead } = await this.#handle.read(buffer, filled, count, position + filled);
      filled += bytesRead;
      if (bytesRead === 0 || filled === buffer.byteLength) return filled;
    }
  }
}

async function openFile({ path, identity }: FileIdentity): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let handle: FileHandle;
  try {
    // Windows has neither flag.
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
    handle = await open(path, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0));
  } catch (error) {
    throw unreadable(error);
  }
  const { dev, ino } = await handle.stat({ bigint: true });
  if (`${dev}:${ino}` === identity) return handle;
  await handle.close();
  throw new SaveError('folder-changed');
}

// Ctrl-C and service managers signal whole groups of processes. The host may finish its saves; this one ends with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
channel.on('close', end).on('error', end).on('end', end);

const loaded = import('../check-image.js');

channel.resume();
void loaded.then(
  ({ useOwnSettings }) => {
    useOwnSettings();
    send({ ready: true, memory: occupiedMemory() });
  },
  (error: unknown) => {
    send({ unable: error instanceof Error ? error.message : String(error) });
  },
);
