// The client, in a process of its own: raw connections, one request at a time on each. Node's own client costs as
// much as the server that is measured, and would take the processor from it.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { answer } from './helper.js';

export interface Run {
  readonly port: number;
  readonly connections: number;
  /** Requests in all. */
  readonly requests: number;
  /** The path, with `#` where the number of the request goes. */
  readonly path: string;
}

/** One for all connections: what is in it has been looked at before the next one reads. */
const buffer = Buffer.allocUnsafe(1 << 18);
const HEAD_END = Buffer.from('\r\n\r\n');
let lines: Line[] = [];

/** A connection that is kept: a response is read to the end its `Content-Length` tells, and thrown away. */
class Line {
  readonly socket: Socket;
  #head = Buffer.alloc(0);
  /** Bytes of the body that are still to come; undefined while the head is. */
  #left: number | undefined;
  #done: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  constructor(port: number) {
    const callback = (bytes: number): boolean => {
      this.#read(buffer.subarray(0, bytes));
      return true;
    };
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
    this.socket.on('error', (error) => this.#failed?.(error));
    this.socket.on('close', () => this.#failed?.(new Error('The server hung up')));
  }

  get(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#left = undefined;
      this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'latin1');
    });
  }

  #read(bytes: Buffer): void {
    let { length } = bytes;
    if (this.#left === undefined) {
      this.#head = Buffer.concat([this.#head, bytes]);
      const end = this.#head.indexOf(HEAD_END);
      if (end < 0) return;
      const head = this.#head.toString('latin1', 0, end);
      length = this.#head.length - end - HEAD_END.length;
      const announced = /^content-length: *(\d+)$/im.exec(head)?.[1];
      if (!head.startsWith('HTTP/1.1 200') || announced === undefined) {
        this.#failed?.(new Error(this.#head.toString('latin1', 0, 1000)));
        return;
      }
      this.#left = Number(announced);
      this.#head = Buffer.alloc(0);
    }
    this.#left -= length;
    if (this.#left === 0) this.#done?.();
  }
}

answer({
  /** Not part of what is measured. */
  connect: async ({ port, connections }: Run) => {
    lines = Array.from({ length: connections }, () => new Line(port));
    await Promise.all(lines.map(({ socket }) => once(socket, 'connect')));
  },
  /** Sends all requests, each connection its next as soon as it has its answer; in microseconds. */
  run: async ({ requests, path }: Run) => {
    const [before = '', after = ''] = path.split('#');
    let sent = 0;
    const begin = process.hrtime.bigint();
    await Promise.all(
      lines.map(async (line) => {
        while (sent < requests) await line.get(`${before}${sent++}${after}`);
      }),
    );
    return Number(process.hrtime.bigint() - begin) / 1000;
  },
  hangUp: () => {
    for (const { socket } of lines) socket.destroy();
    lines = [];
  },
});
