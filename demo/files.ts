// Sends the files of a folder: those of the page, and the saved images.

import { open } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.gif': 'image/gif',
  '.tif': 'image/tiff',
  '.tiff': 'image/tiff',
};

/** Sends the file that the path of the URL names. Names with a leading dot, as of temporary files, are not found. */
export function serveFiles(folder: string): RequestListener {
  return (req, res) => {
    send(new URL(req.url ?? '/', 'http://demo').pathname).catch(() => {
      res.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not found\n');
    });

    async function send(pathname: string): Promise<void> {
      // Normalized as an absolute path, it leads to no place above the folder.
      const name = path.normalize(decodeURIComponent(pathname === '/' ? '/index.html' : pathname));
      const type = TYPES[path.extname(name).toLowerCase()];
      if (type === undefined || name.split(path.sep).some((part) => part.startsWith('.')))
        throw new Error('No file');
      const file = await open(path.join(folder, name));
      const { size } = await file.stat();
      res.writeHead(200, { 'Content-Type': type, 'Content-Length': size, 'Cache-Control': 'no-cache' });
      // A browser that leaves is no fault.
      await pipeline(file.createReadStream(), res).catch(() => undefined);
    }
  };
}
