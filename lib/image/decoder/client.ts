// One decoder process, as its host sees it, and the messages between them: lines of JSON, and after a request the bytes
// of its image.
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { waitAtMost, type Waiter } from '../../abort.js';
import type { SaveErrorCode } from '../../errors.js';
import type { ImageFormat } from '../formats.js';
import type { ImageInfo, InspectOptions } from '../types.js';
import { getDecoderProgram } from './program.js';

/** A file, by its current path and its identity, so that a file that replaces it is recognised. */
export interface FileIdentity {
  readonly path: string;
  /** The numbers of device and inode, in decimal, because they may have 64 bits. */
  readonly identity: string;
}

/** Host → decoder: an image to be inspected. */
export interface DecodeRequest extends Pick<InspectOptions, 'verify' | 'maxPixels'> {
  /** The format that its first bytes announce. */
  readonly format: ImageFormat;
  /** Bytes of the image. They follow the line, unless the image is in a file. */
  readonly length: number;
  readonly file?: FileIdentity | undefined;
}

/** Decoder → host: what a request has come to. */
export type DecoderReply =
  | { readonly info: ImageInfo }
  | { readonly error: { code: SaveErrorCode; message: string; cause?: string | undefined } };

/** Decoder → host: ready, or the error that prevents it; then a reply for each image. `memory` is in bytes, now. */
export type DecoderMessage =
  { readonly unable: string } | ({ readonly memory: number } & ({ readonly ready: true } | DecoderReply));

/** The process of a decoder has ended, or could not be started. The cause is an error of the system, if there is one. */
export class DecoderEnded extends Error {
  override readonly name = 'DecoderEnded';
  /** The signal that ended it, unless it was ours. */
  readonly signal: NodeJS.Signals | undefined;

  constructor(reason: string, options: ErrorOptions & { signal?: NodeJS.Signals | undefined } = {}) {
    super(`The decoder process cannot be used: ${reason}`, options);
    this.signal = options.signal;
  }
}

/** A decoder that is not ready by then is given up, in milliseconds. */
const START_TIMEOUT_MS = 10_000;

/** The longest line and the last part of its error output that are kept, in characters. */
const MAX_LINE = 64 * 1024;
const MAX_COMPLAINT = 1000;

/** A process that inspects one image at a time. Node keeps running for it only while it starts or has an image. */
export class Decoder {
  /** Resolves when the process takes images. Rejects with {@link DecoderEnded} if it fails to start. */
  readonly ready: Promise<unknown>;
  /** Resolves when the process has ended, however that came about. Never rejects. */
  readonly ended: Promise<void>;
  /** By how many bytes its process has grown since it was ready. */
  growth = 0;
  isClosed = false;
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  readonly #handles: readonly { ref(): void; unref(): void }[];
  /** The caller that waits for the next message. */
  #waiting: Waiter<DecoderMessage> | undefined;
  #memoryAtStart: number | undefined;
  #received = '';
  /** What its libraries have written last before they ended it. */
  #complaint = '';

  /**
   * @throws Error The host, the system, or Node's permission model lets no process be started. `code` is `EMFILE` if no
   * fd is free.
   */
  constructor() {
    this.#child = spawnDecoder();
    // Its number is in `process.ts` too.
    this.#channel = this.#child.stdio[3] as Socket;
    const stderr = this.#child.stderr as Socket;
    this.#handles = [this.#child, this.#channel, stderr];
    const guard = spawnGuard(this.#child);
    this.ready = this.#nextMessage();
    void waitAtMost(START_TIMEOUT_MS, this.ready).then(
      (message) => {
        if (message === undefined) this.#end('it was not ready in time');
      },
      () => undefined,
    );
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (cause) => {
        this.#end(cause.message, { cause });
        resolve();
      });
      this.#child.once('exit', () => {
        guard?.kill('SIGKILL');
        // No caller waits for a message that may still arrive.
        if (this.#waiting === undefined) this.#end('it ended while it was idle');
      });
      this.#child.once('close', (code, signal) => {
        const how = signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
        this.#end([how, this.#complaint.trim()].join('\n').trim(), { signal: signal ?? undefined });
        resolve();
      });
    });
    this.#channel.setEncoding('utf8').on('data', (text: string) => {
      this.#receive(text);
    });
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-MAX_COMPLAINT);
    });
    // The end of the process says it all.
    for (const stream of [this.#channel, stderr]) stream.on('error', () => undefined);
  }

  /**
   * Has an image inspected. To be called when it is ready and has no other.
   *
   * @param bytes Of the image, unless the request names its file; they must not change before this settles.
   * @throws DecoderEnded The process ended without a reply.
   */
  async inspect(request: DecodeRequest, bytes: Buffer | undefined): Promise<DecoderReply> {
    // It may have ended since it was chosen, before its pool knows.
    if (this.isClosed) throw new DecoderEnded('it has ended');
    this.#channel.cork();
    this.#channel.write(`${JSON.stringify(request)}\n`);
    if (bytes !== undefined) this.#channel.write(bytes);
    this.#channel.uncork();
    return (await this.#nextMessage()) as DecoderReply;
  }

  /** Ends the process at once, even while it decodes. */
  kill(): void {
    this.#end('it was ended by us');
  }

  /** Node must not exit before the process does, or replies. */
  ref(): void {
    for (const handle of this.#handles) handle.ref();
  }

  unref(): void {
    for (const handle of this.#handles) handle.unref();
  }

  #nextMessage(): Promise<DecoderMessage> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #receive(text: string): void {
    const lines = (this.#received + text).split('\n');
    this.#received = lines.pop() ?? '';
    try {
      if (this.#received.length > MAX_LINE) throw new Error('a line has no end');
      for (const line of lines) {
        const message = JSON.parse(line) as DecoderMessage;
        if ('unable' in message) this.#end(message.unable);
        else if ('memory' in message) this.growth = message.memory - (this.#memoryAtStart ??= message.memory);
        else throw new Error('an unknown message');
        this.#waiting?.resolve(message);
        this.#waiting = undefined;
      }
    } catch (cause) {
      // Another program than ours.
      this.#end('it sent something else than a message', { cause });
    }
  }

  #end(reason: string, options?: ConstructorParameters<typeof DecoderEnded>[1]): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#waiting?.reject(new DecoderEnded(reason, options));
    // It keeps Node running until it has ended, since the next image may wait for its memory.
    this.#child.kill('SIGKILL');
    this.#channel.destroy();
  }
}

function spawnDecoder(): ChildProcess {
  const child = spawn(process.execPath, getDecoderProgram(), {
    // Not in the host's working directory, which may be removed, and which Windows locks while a process runs in it.
    cwd: dirname(process.execPath),
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  // Without free fds, Node creates no channel and emits the error later. The types do not say so.
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
  if (child.stdio === undefined) {
    child.once('error', () => undefined);
    throw Object.assign(new Error('spawn EMFILE'), { code: 'EMFILE' });
  }
  return child;
}

/**
 * Starts a shell that ends a decoder when this process has ended, however: a decoder that is stopped or loads its
 * libraries cannot see that. It has a session of its own, since a terminal signals whole groups of processes. Without a
 * shell, and on Windows, where processes end with the one that started them, there is none.
 */
function spawnGuard({ pid }: ChildProcess): ChildProcess | undefined {
  if (pid === undefined || process.platform === 'win32') return undefined;
  try {
    const guard = spawn('/bin/sh', ['-c', 'read -r _; kill -9 "$0"', String(pid)], {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    guard.once('error', () => undefined).unref();
    (guard.stdin as Socket | null)?.on('error', () => undefined).unref();
    return guard;
  } catch {
    return undefined;
  }
}

/**
 * The host's environment without the variables for the host alone: options of Node (a debugger's port, profilers) and
 * the channels of `fork` and `cluster`.
 */
function environment(): NodeJS.ProcessEnv {
  const hostOnly = ['NODE_OPTIONS', 'NODE_CHANNEL_FD', 'NODE_UNIQUE_ID', 'NODE_V8_COVERAGE'];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !hostOnly.includes(name)));
  // Electron's program is Node's only then.
  return process.versions['electron'] === undefined ? env : { ...env, ELECTRON_RUN_AS_NODE: '1' };
}
