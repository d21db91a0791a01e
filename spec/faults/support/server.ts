// Starts the server under test as a process of its own, talks to it, and ends it: in peace, or not.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { get, type Answer } from '../../support/client.js';
import { eventually, assertPromise } from './assert-promise.js';
import type { FromServer, Saved, State, ToServer } from './messages.js';

/** The options of the middleware that can be written down. */
export interface SaveOptions {
  readonly createFolders?: boolean;
  readonly savePath: string;
  readonly timeout?: number;
  readonly maxTimeout?: number;
  readonly maxPixels?: number;
  readonly maxBytes?: number;
  readonly verify?: 'pixels' | 'header';
  readonly overwrite?: boolean;
  readonly durable?: boolean;
}

/** How the process is started. */
export interface Start {
  /** The program, from `build`. */
  readonly app: string;
  readonly options: SaveOptions;
  /** A program, with its arguments, that starts the server in turn. */
  readonly under?: readonly string[];
  readonly nodeOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const running = new Set<Server>();

export class Server {
  pid = 0;
  url = '';
  /** Whatever must not happen in a server: unhandled rejections, warnings, words on standard error. */
  readonly faults: string[] = [];
  /** How each command ended, from the middleware's own report. */
  readonly saved: Saved[] = [];
  readonly #asked = new Set<string>();
  readonly #states: State[] = [];
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;

  private constructor({ app, options, under = [], nodeOptions = [], env, cwd }: Start) {
    const [program, ...given] = [...under, process.execPath, ...nodeOptions, app];
    this.#child = spawn(program, given, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NODE_OPTIONS: '', IMAGE_SAVE_OPTIONS: JSON.stringify(options), ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#exit = once(this.#child, 'exit');
    this.#child.on('message', (message: FromServer) => {
      this.#hear(message);
    });
    this.#child.stderr?.on('data', (text: Buffer) => this.faults.push(text.toString()));
    running.add(this);
  }

  static async start(how: Start): Promise<Server> {
    const server = new Server(how);
    await eventually(
      () => server.pid > 0 || server.#hasExited(),
      () => `the server does not start: ${server.faults.join('\n')}`,
    );
    // Not a broken promise, because a server that cannot start was not checked.
    if (server.#hasExited()) throw new Error(`The server does not start: ${server.faults.join('\n')}`);
    return server;
  }

  #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #hear(message: FromServer): void {
    if (message.kind === 'listening') {
      this.pid = message.pid;
      this.url = `http://127.0.0.1:${message.port}`;
    } else if (message.kind === 'asked') this.#asked.add(message.key);
    else if (message.kind === 'fault') this.faults.push(message.text);
    else if (message.kind === 'saved') this.saved.push(message);
    else this.#states.push(message);
  }

  #say(message: ToServer): void {
    this.#child.send(message);
  }

  /** Sends a save command with a picture, a name and further parameters. */
  save(what: string, name: string, more = ''): Promise<Answer> {
    return get(`${this.url}/${what}?req=saveToFile&name=${encodeURIComponent(name)}${more}`);
  }

  /** Resolves when the renderer with this key waits. */
  async asked(key: string): Promise<void> {
    await eventually(
      () => this.#asked.has(key),
      () => `the renderer is not asked for ${key}; the last save: ${JSON.stringify(this.saved.at(-1))}`,
    );
  }

  /** Lets the renderer with this key continue. */
  go(key: string): void {
    this.#say({ kind: 'go', key });
  }

  async state(): Promise<State> {
    this.#say({ kind: 'state' });
    await eventually(() => this.#states.length > 0, 'the server does not answer');
    return this.#states.shift()!;
  }

  /** The paths of its open fds; none on systems without `/proc`. */
  descriptors(): string[] {
    if (process.platform !== 'linux') return [];
    return readdirSync(`/proc/${this.pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${this.pid}/fd/${fd}`);
      } catch {
        return 'closed since';
      }
    });
  }

  /** Resolves when it has no open fd below a folder. */
  async letsGoOf(folder: string): Promise<void> {
    const below = (): string[] => this.descriptors().filter((path) => path.startsWith(folder));
    await eventually(
      () => below().length === 0,
      () => `descriptors are left open: ${below().join(', ')}`,
    );
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    running.delete(this);
    if (!this.#hasExited()) {
      if (this.pid > 0) process.kill(this.pid, 'SIGKILL');
      else this.#child.kill('SIGKILL');
    }
    await this.#exit;
  }

  /** Ends it, and asserts that it had no fault until then. */
  async stop(): Promise<void> {
    assertPromise(!this.#hasExited(), `the server crashed: ${this.faults.join('\n')}`);
    await this.kill();
    assertPromise(this.faults.length === 0, `the server said: ${this.faults.join('\n')}`);
  }
}

/** Ends every server of a failed check. */
export async function killServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.kill()));
}
