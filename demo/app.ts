// The demo's server: a renderer with the middleware in front, the saved images, and the page.

import { fileURLToPath } from 'node:url';
import express from 'express';
import { imageSave } from '../lib/index.js';
import { createPage } from './page.js';
import { createRenderer } from './renderer.js';

const PICTURES = fileURLToPath(new URL('pictures', import.meta.url));

export function createApp(savePath: string): express.Express {
  const app = express();
  app.use('/is/image', imageSave({ savePath }), createRenderer(PICTURES));
  // Clients choose these files, so browsers must not guess their type.
  const setHeaders = (res: express.Response) => res.set('X-Content-Type-Options', 'nosniff');
  app.use('/saved', express.static(savePath, { setHeaders }));
  app.use(createPage(PICTURES, savePath));
  return app;
}
