// One decoder process, as its host sees it.
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { CHANNEL_FD, type DecodeRequest, type DecoderMessage } from './messages.js';
import { getDecoderProgram } from './program.js';

/** A reply of a decoder to a request. */
export type DecoderReply = Extract<DecoderMessage, { memory: number }>;

/** The process of a decoder has ended, or could not be started. */
export class DecoderEnded extends Error {
  override readonly name = 'DecoderEnded';
}

/** A decoder that is not ready by then will not be, in milliseconds. */
const START_TIMEOUT_MS = 60_000;

interface Waiting<Value> {
  resolve(value: Value): void;
  reject(error: Error): void;
}

/** A process that inspects one image at a time. Node keeps running for it only while it starts or has an image. */
export class Decoder {
  /** Resolves when it takes images; rejects with {@link DecoderEnded} where it never will. */
  readonly ready: Promise<void>;
  /** Resolves when the process has ended, however that came about. Never rejects. */
  readonly ended: Promise<void>;
  /** What its process occupied after the last image, in bytes. */
  memory = 0;
  hasEnded = false;
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  #starting: Waiting<void> | undefined;
  #replying: Waiting<DecoderReply> | undefined;
  #received = '';

  /**
   * Starts a process.
   *
   * @throws Error The system, or Node's permission model, lets none be started. `code` is `EMFILE` if no fd is free.
   */
  constructor() {
    this.#child = spawnDecoder();
    this.#channel = this.#child.stdio[CHANNEL_FD] as Socket;
    this.ready = new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
    });
    // Each waiting caller has a promise of its own.
    this.ready.catch(() => undefined);
    const timer = setTimeout(() => {
      this.#end('it was not ready in time');
    }, START_TIMEOUT_MS);
    void this.ready
      .catch(() => undefined)
      .then(() => {
        clearTimeout(timer);
      });
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#end(error.message);
        resolve();
      });
      // No caller waits for a reply that may still arrive.
      this.#child.once('exit', () => {
        if (this.#replying === undefined && this.#starting === undefined)
          this.#end('it ended while it was idle');
      });
      this.#child.once('close', (code, signal) => {
        this.#end(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`);
        resolve();
      });
    });
    this.#channel.setEncoding('utf8').on('data', (text: string) => {
      this.#receive(text);
    });
    // The end of the process says it all.
    this.#channel.on('error', () => undefined);
  }

  /**
   * Has an image inspected. To be called when it is ready and has no other.
   *
   * @param bytes Of the image, unless the request names its file; they must not change before this settles.
   * @throws DecoderEnded The process ended without a reply.
   */
  async inspect(request: DecodeRequest, bytes: Buffer | undefined): Promise<DecoderReply> {
    // It may have ended since it was chosen, before its pool knows.
    if (this.hasEnded) throw new DecoderEnded('The decoder process has ended');
    const reply = new Promise<DecoderReply>((resolve, reject) => {
      this.#replying = { resolve, reject };
    });
    this.#channel.cork();
    this.#channel.write(`${JSON.stringify(request)}\n`);
    if (bytes !== undefined) this.#channel.write(bytes);
    this.#channel.uncork();
    return reply;
  }

  /** Ends the process at once, even while it decodes. */
  kill(): void {
    this.#end('it was ended by us');
  }

  /** Node must not exit before the process does, or replies. */
  ref(): void {
    this.#child.ref();
    this.#channel.ref();
  }

  unref(): void {
    this.#child.unref();
    this.#channel.unref();
  }

  #receive(text: string): void {
    this.#received += text;
    const lineEnd = this.#received.indexOf('\n');
    if (lineEnd === -1) return;
    const message = JSON.parse(this.#received.slice(0, lineEnd)) as DecoderMessage;
    this.#received = this.#received.slice(lineEnd + 1);
    if ('ready' in message) {
      this.#starting?.resolve();
      this.#starting = undefined;
    } else if ('unable' in message) {
      this.#end(message.unable);
    } else {
      this.memory = message.memory;
      const waiting = this.#replying;
      this.#replying = undefined;
      waiting?.resolve(message);
    }
  }

  #end(reason: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    const error = new DecoderEnded(`The decoder process cannot be used: ${reason}`);
    this.#starting?.reject(error);
    this.#replying?.reject(error);
    this.#child.kill('SIGKILL');
    this.#channel.destroy();
    this.unref();
  }
}

function spawnDecoder(): ChildProcess {
  const program = getDecoderProgram();
  const child = spawn(process.execPath, program, {
    // The host's folder may go away, or be kept from going away by us.
    cwd: dirname(program.at(-1) ?? ''),
    env: environment(),
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
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
 * The host's environment without the variables for the host alone: options of Node (a debugger's port, profilers) and
 * the channels of `fork` and `cluster`.
 */
function environment(): NodeJS.ProcessEnv {
  const hostOnly = ['NODE_OPTIONS', 'NODE_CHANNEL_FD', 'NODE_UNIQUE_ID', 'NODE_V8_COVERAGE'];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !hostOnly.includes(name)));
  // Electron's program is Node's only then.
  return process.versions['electron'] === undefined ? env : { ...env, ELECTRON_RUN_AS_NODE: '1' };
}
