// The usual middleware of real apps. Each server gets new instances, since some of them count requests.
import { Writable } from 'node:stream';
import compression from 'compression';
import { rateLimit } from 'express-rate-limit';
import session from 'express-session';
import helmet from 'helmet';
import morgan from 'morgan';
import { pinoHttp } from 'pino-http';
import type { Handler } from '../../support/host.js';

function nowhere(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}

export const surroundings: Record<string, () => Handler> = {
  compression: () => compression({ threshold: 0 }) as Handler,
  helmet: () => helmet(),
  morgan: () => morgan('combined', { stream: nowhere() }),
  'express-session': () =>
    session({ secret: 'x', resave: true, saveUninitialized: true, rolling: true }) as Handler,
  'express-rate-limit': () => rateLimit({ limit: 100, standardHeaders: true }) as unknown as Handler,
  'pino-http': () => pinoHttp(nowhere()),
};

/** Before the save, and between the save and the renderer. */
export type Place =
  'alone' | 'behind all of the usual middleware' | 'with all of the usual middleware between';

export const places: Record<Place, () => { before: Handler[]; behind: Handler[] }> = {
  alone: () => ({ before: [], behind: [] }),
  'behind all of the usual middleware': () => ({ before: all(), behind: [] }),
  'with all of the usual middleware between': () => ({ before: [], behind: all() }),
};

function all(): Handler[] {
  return Object.values(surroundings).map((make) => make());
}
