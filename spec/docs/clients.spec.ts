// The clients of docs/clients save an image, also after a proxy gave up, and tell why one is refused.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { imageSave } from '../../lib/index.js';
import { start, stopAll, type Handler } from '../support/host.js';
import { png } from '../support/images.js';
import { list, makeTempDir, removeTempDirs } from '../support/temp-dir.js';

const NAME = 'Größe 1 + 2.png';
/** The file, the program that runs it, one that must be installed, and a nested request. (Java takes no braces.) */
const CLIENTS = [
  ['save.sh', 'sh', 'curl', '{a[1-3]?req=img&name=x}'],
  ['save.py', 'python3', 'python3', '{a[1-3]?req=img&name=x}'],
  ['Save.java', 'java', 'javac', '(a?req=img&name=x)'],
] as const;

let cwd: string;
let savePath: string;
let proxyFails: boolean;
let url: string;

beforeAll(async () => {
  cwd = makeTempDir();
  savePath = join(cwd, 'saved');
  mkdirSync(savePath);
  const image = await png(4, 3);
  const proxy: Handler = (_req, res, next) => {
    if (!proxyFails) {
      next();
      return;
    }
    proxyFails = false;
    res.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>502 Bad Gateway</h1>');
  };
  ({ url } = await start([proxy, imageSave({ savePath }), (_req, res) => res.end(image)]));
});
afterAll(stopAll);
afterAll(removeTempDirs);

for (const [file, command, tool, nested] of CLIENTS) {
  const isInstalled = spawnSync(tool, ['--version']).status === 0;
  (isInstalled ? test : test.skip)(`${file} saves after a 502, and tells a refusal`, async () => {
    const path = join(process.cwd(), 'docs/clients', file);
    const run = (name: string) =>
      promisify(execFile)(command, [path, `${url}/is/image/shoe?wid=4&src=is${nested}`, name], { cwd });
    proxyFails = true;
    expect((await run(NAME)).stdout).toContain('done');
    expect([proxyFails, list(savePath)]).toEqual([false, [NAME]]);
    await expect(run('../x.png')).rejects.toThrow('Choose another name');
    expect(list(savePath)).toEqual([NAME]);
  });
}
