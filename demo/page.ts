// The demo's page: its files, under a strict policy, and the two lists that it shows.

import { fileURLToPath } from 'node:url';
import express from 'express';
import { readFacts, savedImages } from './saved-images.js';
import { picturesIn } from './renderer.js';

const FILES = fileURLToPath(new URL('page', import.meta.url));

/** Nothing inline, nothing from elsewhere. `blob:` is the rendering, which the page has fetched itself. */
const POLICY = [
  "default-src 'self'",
  "img-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

export function createPage(picturesFolder: string, savePath: string): express.Router {
  const router = express.Router();
  router.use((_req, res, next) => {
    res.set({
      'Content-Security-Policy': POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'same-origin',
    });
    next();
  });
  router.use(express.static(FILES));
  router.get('/pictures.json', async (_req, res) => {
    const pictures = [...picturesIn(picturesFolder)].map(async ([id, file]) => {
      const { width, height } = await readFacts(file);
      return { id, width, height };
    });
    res.json(await Promise.all(pictures));
  });
  router.get('/saved.json', async (_req, res) => {
    res.set('Cache-Control', 'no-store').json(await savedImages(savePath));
  });
  return router;
}
