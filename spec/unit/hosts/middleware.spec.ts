// The middleware, called by hosts of another kind.
import { imageSave } from '../../../lib/index.js';

const next = (): void => undefined;
const request = new Request('http://host/x.jpg?req=saveToFile&name=x.jpg');

it.each<[string, unknown[]]>([
  ['Hono', [{ req: { url: request.url, raw: request } }, next]],
  ['Koa', [{ req: {}, res: {}, request: {}, response: {} }, next]],
  ['h3', [{ req: request, url: new URL(request.url), res: { headers: new Headers() } }, next]],
  ['a handler of the Fetch API', [request]],
  ['a hook of Fastify', [{ raw: {} }, { raw: {}, code: next }, next]],
  ['no host', []],
])('says which entry fits where %s calls it', (_host, args) => {
  const middleware = imageSave() as (...args: unknown[]) => void;
  expect(() => {
    middleware(...args);
  }).toThrow(/express-image-save\/fetch/);
});
