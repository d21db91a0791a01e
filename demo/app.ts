// The demo's server: a renderer, and in front of it the middleware that saves what it renders.

import { fileURLToPath } from 'node:url';
import express from 'express';
import { imageSave } from '../lib/index.js';
import { indexPage } from './index-page.js';
import { createRenderer, picturesIn } from './renderer.js';

const PICTURES = fileURLToPath(new URL('pictures', import.meta.url));

export function createApp(savePath: string): express.Express {
  const app = express();
  app.use('/is/image', imageSave({ savePath }), createRenderer(PICTURES));
  app.use('/saved', express.static(savePath));
  app.get('/', (_req, res) => {
    res.send(indexPage([...picturesIn(PICTURES).keys()]));
  });
  return app;
}
