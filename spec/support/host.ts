// Hosts to mount the middleware in: real servers on real sockets, each with a chain of (req, res, next).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';

export type Handler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => unknown;

/** A chain in the order in which a request goes through it. */
type Host = (chain: Handler[]) => (req: IncomingMessage, res: ServerResponse) => void;

export const hosts: Record<string, Host> = {
  'Express 5': (chain) => {
    const app = express();
    for (const handler of chain) app.use(handler as express.RequestHandler);
    return app as (req: IncomingMessage, res: ServerResponse) => void;
  },
  'Express 4': (chain) => {
    const app = express4();
    for (const handler of chain) app.use(handler as express.RequestHandler);
    return app as (req: IncomingMessage, res: ServerResponse) => void;
  },
  connect: (chain) => {
    const app = connect();
    for (const handler of chain) app.use(handler as connect.NextHandleFunction);
    return app;
  },
  'http.createServer': (chain) => (req, res) => {
    const run = (at: number): unknown => chain[at]?.(req, res, () => run(at + 1));
    run(0);
  },
};

export interface Running {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
}

const running: Server[] = [];

/** Starts a host; {@link stopAll} stops it. */
export async function start(chain: Handler[], host = 'Express 5'): Promise<Running> {
  const server = createServer(hosts[host]!(chain));
  running.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, server };
}

export async function stopAll(): Promise<void> {
  for (const server of running.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
