// nginx with proxy_store in front of the same app: what keeps copies of what an app sends without any code.
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { start, stop } from './processes.js';

const program = ['nginx', '/usr/sbin/nginx'].find((path) => spawnSync(path, ['-v']).status === 0);

export class Nginx {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** Whether it is installed here. */
  static readonly isThere = program !== undefined;

  /** @param folder Where it keeps what it is sent for, and its own files. */
  static async start(folder: string, appPort: number): Promise<Nginx> {
    const port = await freePort();
    const own = join(folder, `nginx-${port}`);
    mkdirSync(own, { recursive: true });
    const file = join(own, 'nginx.conf');
    writeFileSync(file, configuration(folder, own, port, appPort));
    const child = start(program ?? 'nginx', ['-p', own, '-c', file, '-e', 'stderr']);
    while (!(await accepts(port))) {
      if (child.exitCode !== null) throw new Error('nginx did not start');
      await sleep(20);
    }
    return new Nginx(port, child);
  }

  /** Processor time since the start, in microseconds. (Linux, proc(5), schedstat: nanoseconds.) */
  cpu(): number {
    const file = `/proc/${this.#child.pid ?? 0}/schedstat`;
    return existsSync(file) ? Number(readFileSync(file, 'utf8').split(' ')[0]) / 1000 : NaN;
  }

  async stop(): Promise<void> {
    await stop(this.#child);
  }
}

// One process: the processor's other half belongs to the client and the app.
function configuration(folder: string, own: string, port: number, appPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(own, kind)};`,
  );
  return `
    daemon off; master_process off; pid ${join(own, 'pid')}; error_log stderr error;
    events { worker_connections 4096; }
    http {
      access_log off; tcp_nodelay on; keepalive_requests 1000000; ${temporary.join(' ')}
      upstream app { server 127.0.0.1:${appPort}; keepalive 64; keepalive_requests 1000000; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_store ${folder}$uri; proxy_store_access user:rw group:r all:r;
        }
      }
    }`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const [event] = await Promise.race([
    once(socket, 'connect').then(() => ['connect']),
    new Promise<string[]>((resolve) =>
      socket.once('error', () => {
        resolve(['error']);
      }),
    ),
  ]).catch(() => ['error']);
  socket.destroy();
  return event === 'connect';
}
