// Serves the files of the demo's page under a strict policy, and the two lists that the page shows.

import { fileURLToPath } from 'node:url';
import express from 'express';
import { listSavedImages, readImageInfo } from './saved-images.js';
import { findPictures } from './renderer.js';

const FILES = fileURLToPath(new URL('page', import.meta.url));

/** Forbids inline code and other sites. `blob:` allows the renderings, which the page fetches itself. */
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
    const pictures = [...findPictures(picturesFolder)].map(async ([id, file]) => {
      const { width, height } = await readImageInfo(file);
      return { id, width, height };
    });
    res.json(await Promise.all(pictures));
  });
  router.get('/saved.json', async (_req, res) => {
    res.set('Cache-Control', 'no-store').json(await listSavedImages(savePath));
  });
  return router;
}
