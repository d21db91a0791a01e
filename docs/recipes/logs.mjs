// Structured logs: one line of JSON for each save command.
import express from 'express';
import { imageSave } from 'express-image-save';
import pino from 'pino';
import { renderer } from './renderer.mjs';

const log = pino();

function logSave({ cause, warning, ...facts }, req) {
  const level = facts.outcome === 'done' && warning === undefined ? 'info' : 'warn';
  // The path alone, because a query may contain a signature, which is as good as a password.
  const [path] = req.originalUrl.split('?');
  log[level]({ ...facts, path, err: cause ?? warning }, 'image save');
}

// A signature must not get into the other logs either. pino-http writes whole URLs: give it
//   redact: { paths: ['req.url', 'req.query'], censor: (value) => String(value).split('?')[0] }
// and nginx a format with $uri, which has no query:
//   log_format saves '$remote_addr [$time_iso8601] "$request_method $uri" $status $request_time';
const app = express();
app.use('/is/image', imageSave({ savePath: './saved', onSave: logSave }), renderer);
app.listen(3000);
