// The server under test, a process of its own: the middleware, or an image saver, and a renderer of distinguishable pictures.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  createImageSaver,
  imageSave,
  SaveError,
  type ImageSaveOptions,
  type ImageSaverOptions,
  type SaveRecord,
} from '../../../lib/index.js';
import { createReply, type SaveOutcome } from '../../../lib/protocol/reply.js';
import type { FromServer, ToServer } from './messages.js';
import { bytesOf, picture, piecesOf } from './picture.js';

/** The renderers that wait, by their key. */
const waiting = new Map<string, () => void>();

function tell(message: FromServer): void {
  process.send?.(message);
}

function untilTold(key: string): Promise<void> {
  const released = new Promise<void>((resolve) => waiting.set(key, resolve));
  tell({ kind: 'asked', key });
  return released;
}

// The path selects the response: /how/seed/bytes, with a key for renderers that wait for a signal.
async function render(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const [how = '', seed, bytes, key = ''] = (req.url ?? '').slice(1).split(/[/?]/);
  const image = picture(Number(seed), Number(bytes));
  res.setHeader('Content-Type', 'image/tiff');
  if (how === 'whole') {
    res.end(bytesOf(image));
  } else if (how === 'stream') {
    await pipeline(Readable.from(piecesOf(image)), res);
  } else if (how === 'gate') {
    await untilTold(key);
    res.end(bytesOf(image));
  } else if (how === 'half') {
    const all = bytesOf(image);
    // The callback comes when the bytes are in the temporary file, and the next ones are wanted.
    await new Promise((resolve) => res.write(all.subarray(0, all.length / 2), resolve));
    await untilTold(key);
    res.end(all.subarray(all.length / 2));
  } else if (how === 'plain') {
    res.setHeader('Content-Type', 'text/plain').end('ordinary');
  }
  // Any other path never gets a response.
}

const options: ImageSaverOptions = {
  // Most checks count on every save being in progress; the load check sets a limit.
  concurrency: Infinity,
  ...(JSON.parse(process.env['IMAGE_SAVE_OPTIONS'] ?? '{}') as ImageSaverOptions),
  onSave: ({ outcome, code, name, milliseconds, cause }: SaveRecord) => {
    tell({
      kind: 'saved',
      outcome,
      code,
      name,
      milliseconds,
      cause: cause instanceof Error ? (cause.stack ?? '') : String(cause),
    });
  },
};
const fromCode = process.env['SAVE_FROM_CODE'] !== undefined;
const save = imageSave(options as ImageSaveOptions);
const saveImage = createImageSaver(options);

/** Gives the picture to the image saver, and replies as the middleware does. */
async function reply(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const name = new URL(req.url ?? '', 'http://host').searchParams.get('name') ?? '';
  const image = Object.assign(new PassThrough(), { setHeader: () => image });
  render(req, image as never).catch(() => undefined);
  let outcome: SaveOutcome;
  try {
    const { length, lastUpdated, ...info } = await saveImage(image, { name });
    outcome = { status: 'done', name, info: { ...info, format: 'tiff' }, length, lastUpdated };
  } catch (error) {
    if (!(error instanceof SaveError)) throw error;
    outcome = { status: 'failed', error };
  }
  const { status, headers, text } = createReply(outcome);
  res.writeHead(status, headers).end(text);
}

const server = createServer((req, res) => {
  if (fromCode) void reply(req, res);
  else save(req, res, () => render(req, res).catch(() => undefined));
});

function state(): FromServer {
  // Twice, because finalizers of the first collection free memory for the second.
  globalThis.gc?.();
  globalThis.gc?.();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  const { running } = fromCode ? saveImage : save;
  return { kind: 'state', running, resources, listeners, memory: process.memoryUsage(), peak };
}

/** The peak of JavaScript memory since the last request for it, in bytes. */
let peak = 0;
if (process.env['WATCH_MEMORY'] !== undefined) {
  setInterval(() => {
    const { heapUsed, external } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + external);
  }, 20);
}

process.on('message', (message: ToServer) => {
  if (message.kind === 'go') {
    waiting.get(message.key)?.();
    waiting.delete(message.key);
  } else {
    tell(state());
    peak = 0;
  }
});
process.on('unhandledRejection', (error) => {
  tell({ kind: 'fault', text: `unhandled rejection: ${String(error)}` });
});
process.on('uncaughtException', (error) => {
  tell({ kind: 'fault', text: `uncaught exception: ${error.stack ?? String(error)}` });
});
process.on('warning', (warning) => {
  tell({ kind: 'fault', text: `warning: ${String(warning)}` });
});
// The parent process has ended, so this process ends too.
process.on('disconnect', () => process.exit());

server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  tell({ kind: 'listening', pid: process.pid, port: (server.address() as AddressInfo).port });
});
