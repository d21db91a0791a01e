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

const nowhere = (): Writable =>
  new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });

const all = (): Handler[] => [
  compression({ threshold: 0 }) as Handler,
  helmet(),
  morgan('combined', { stream: nowhere() }),
  session({ secret: 'x', resave: true, saveUninitialized: true, rolling: true }) as Handler,
  rateLimit({ limit: 100, standardHeaders: true }) as unknown as Handler,
  pinoHttp(nowhere()),
];

/** What is before the save, and what between the save and the renderer. */
const MAKE = {
  alone: () => ({ before: [], behind: [] }),
  'behind all of the usual middleware': () => ({ before: all(), behind: [] }),
  'with all of the usual middleware between': () => ({ before: [], behind: all() }),
} satisfies Record<string, () => { before: Handler[]; behind: Handler[] }>;
export type Place = keyof typeof MAKE;
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
