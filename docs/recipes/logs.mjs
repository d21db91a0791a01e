// Structured logs: one line of JSON for each request, and one more for each save command.
import express from 'express';
import { imageSave } from 'express-image-save';
import pino from 'pino';
import { pinoHttp } from 'pino-http';
import { renderer } from './renderer.mjs';

const log = pino();

// The path alone, because a query may contain a signature, which is as good as a password. For nginx:
//   log_format saves '$remote_addr [$time_iso8601] "$request_method $uri" $status $request_time';
const pathOf = (url) => url.split('?')[0];
const req = ({ id, method, url }) => ({ id, method, path: pathOf(url) });

function logSave({ cause, warning, ...facts }, { originalUrl }) {
  const level = facts.outcome === 'done' && warning === undefined ? 'info' : 'warn';
  log[level]({ ...facts, path: pathOf(originalUrl), err: cause ?? warning }, 'image save');
}

const app = express();
app.use(pinoHttp({ logger: log, serializers: { req } }));
app.use('/is/image', imageSave({ savePath: './saved', onSave: logSave }), renderer);
app.listen(3000);
