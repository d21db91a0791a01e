// A proxy in front of a gateway that injects faults into requests.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The treatment of a request. */
export type Fate =
  | 'passes'
  /** The proxy drops the request and never answers. */
  | 'hangs'
  /** The proxy passes the request on and drops the answer. */
  | 'unanswered'
  /** The proxy passes the request on and breaks the connection when the answer comes. */
  | 'broken-at-answer'
  /** The proxy changes the last byte of the body. */
  | 'garbled'
  /** The proxy passes on so many bytes, calls this and breaks the connection. */
  | { readonly brokenAfter: number; readonly then?: () => void };

const REQUEST_LINE = /^(?:GET|HEAD|PUT|POST|DELETE) \S+ HTTP\/1\.1\r\n/;

export class Proxy {
  /** The first lines of the requests that came, such as `PUT /bucket/key`. */
  readonly requests: string[] = [];
  /** Decides about each request by its first line. */
  fateOf: (request: string) => Fate = () => 'passes';
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((client) => {
      this.#serve(client);
    });
  }

  static async start(target: string): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    const store = connect(Number(this.#target.port), this.#target.hostname);
    for (const socket of [client, store]) {
      this.#sockets.add(socket);
      // Broken connections are intended here.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        store.destroy();
      });
    }
    let fate: Fate = 'passes';
    let passed = 0;
    client.on('data', (chunk) => {
      const line = REQUEST_LINE.exec(chunk.toString('latin1', 0, 4096))?.[0];
      if (line !== undefined) {
        const request = line.slice(0, line.lastIndexOf(' '));
        this.requests.push(request);
        fate = this.fateOf(request);
        passed = 0;
      }
      if (fate === 'hangs') {
        client.pause();
      } else if (typeof fate === 'object') {
        passed += chunk.length;
        if (passed <= fate.brokenAfter) {
          store.write(chunk);
        } else {
          fate.then?.();
          client.resetAndDestroy();
        }
      } else {
        const garbled = fate === 'garbled' && line === undefined;
        if (!store.write(garbled ? changed(chunk) : chunk)) {
          client.pause();
          store.once('drain', () => client.resume());
        }
      }
    });
    store.on('data', (chunk) => {
      const goesOn = chunk.toString('latin1', 0, 12) === 'HTTP/1.1 100';
      if (fate === 'broken-at-answer' && !goesOn) client.resetAndDestroy();
      else if (fate !== 'unanswered' || goesOn) client.write(chunk);
    });
  }
}

function changed(chunk: Buffer): Buffer {
  const copy = Buffer.from(chunk);
  copy[copy.length - 1]! ^= 1;
  return copy;
}
