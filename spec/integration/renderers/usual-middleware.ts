// The usual middleware of real apps, around a renderer. Each server gets new instances, since some of them count requests.
import { Writable } from 'node:stream';
import compression from 'compression';
import { rateLimit } from 'express-rate-limit';
import session from 'express-session';
import helmet from 'helmet';
import morgan from 'morgan';
import { pinoHttp } from 'pino-http';
import { imageSave } from '../../../lib/index.js';
import { start, type Handler } from '../../support/host.js';

function nowhere(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}

const MIDDLEWARE: Record<string, () => Handler> = {
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

const MAKE: Record<Place, () => { before: Handler[]; behind: Handler[] }> = {
  alone: () => ({ before: [], behind: [] }),
  'behind all of the usual middleware': () => ({ before: all(), behind: [] }),
  'with all of the usual middleware between': () => ({ before: [], behind: all() }),
};

function all(): Handler[] {
  return Object.values(MIDDLEWARE).map((make) => make());
}

export const places = Object.keys(MAKE) as Place[];

/** The addresses of a server without the middleware and of one with it, and where that saves. */
export interface Pair {
  readonly bare: string;
  readonly url: string;
  readonly savePath: string;
}

/** Starts a renderer twice, without the middleware and with it. */
export async function startPair(make: () => Handler, place: Place, savePath: string): Promise<Pair> {
  const [one, other] = [MAKE[place](), MAKE[place]()];
  const bare = await start([...one.before, ...one.behind, make()]);
  const saving = await start([...other.before, imageSave({ savePath }), ...other.behind, make()]);
  return { bare: bare.url, url: saving.url, savePath };
}
