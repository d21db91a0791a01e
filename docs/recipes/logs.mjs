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

const app = express();
app.use('/is/image', imageSave({ savePath: './saved', onSave: logSave }), renderer);
app.listen(3000);
