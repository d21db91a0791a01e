// A server with the middleware in front of a renderer that counts its renders in a file.
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [library, savePath, renders, port] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const { imageSave } = require(library);

// A PNG of one pixel.
const IMAGE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

const middleware = imageSave({ savePath, verify: 'header', durable: false, concurrency: 4 });
const server = createServer((req, res) => {
  middleware(req, res, async () => {
    appendFileSync(renders, `${req.url}\n`);
    if (req.url.startsWith('/missing')) {
      res.statusCode = 404;
      res.end('no such picture');
      return;
    }
    await sleep(10);
    res.setHeader('Content-Type', 'image/png');
    res.end(IMAGE);
  });
});
server.listen(Number(port), '127.0.0.1', () => process.send(server.address().port));
