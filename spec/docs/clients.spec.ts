// The clients of docs/protocol.md save an image, also after a proxy gave up, and tell why one is refused.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { imageSave } from '../../lib/index.js';
import { list, makeTempDir, removeTempDirs } from '../support/temp-dir.js';
import { blocks, read } from './markdown.js';

const NAME = 'Größe 1 + 2.png';
const CLIENTS = [
  ['sh', 'save.sh', 'sh', 'curl'],
  ['python', 'save.py', 'python3', 'python3'],
  ['java', 'Save.java', 'java', 'javac'],
] as const;

let cwd: string;
let savePath: string;
let proxyFails: boolean;
const server = createServer();

beforeAll(async () => {
  cwd = makeTempDir();
  savePath = join(cwd, 'saved');
  mkdirSync(savePath);
  const image = await sharp({ create: { width: 4, height: 3, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const save = imageSave({ savePath });
  server.on('request', (req, res) => {
    if (proxyFails) {
      proxyFails = false;
      res.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>502 Bad Gateway</h1>');
    } else {
      save(req, res, () => res.end(image));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.close();
  removeTempDirs();
});

for (const [language, file, command, tool] of CLIENTS) {
  const isInstalled = spawnSync(tool, ['--version']).status === 0;
  (isInstalled ? test : test.skip)(`${file} saves after a 502, and tells a refusal`, async () => {
    const program = blocks(read('docs/protocol.md')).findLast(
      (block) => block.language === language && block.text.includes(file),
    );
    writeFileSync(join(cwd, file), program!.text);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/is/image/shoe?wid=4`;
    const run = (name: string) => promisify(execFile)(command, [join(cwd, file), url, name], { cwd });
    proxyFails = true;
    expect((await run(NAME)).stdout).toContain('done');
    expect([proxyFails, list(savePath)]).toEqual([false, [NAME]]);
    await expect(run('../x.png')).rejects.toThrow('Choose another name');
    expect(list(savePath)).toEqual([NAME]);
  });
}
