// The demo's server: a renderer, and in front of it the middleware that saves what it renders.

import { fileURLToPath } from 'node:url';
import express from 'express';
import { imageSave } from '../lib/index.js';
import { createPage } from './page.js';
import { createRenderer } from './renderer.js';

const PICTURES = fileURLToPath(new URL('pictures', import.meta.url));

export function createApp(savePath: string): express.Express {
  const app = express();
  app.use('/is/image', imageSave({ savePath }), createRenderer(PICTURES));
  // Whoever may save chooses what is served here: no browser shall take it for anything but its type.
  const setHeaders = (res: express.Response) => res.set('X-Content-Type-Options', 'nosniff');
  app.use('/saved', express.static(savePath, { setHeaders }));
  app.use(createPage(PICTURES, savePath));
  return app;
}
