// The batch client beside a bare loop of `fetch`, against a server that replies at once.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { compare, type Sampler } from '../comparison.js';
import type { BenchContext } from '../context.js';
import type * as Batch from '../../lib/batch.js';

const CONCURRENCY = 8;

const SERVER = `
const reply = '#S7Z OK\\n#Sun Nov 22 14:11:23 UTC 2026\\nstatus=done\\nlastUpdated=1795356683202\\npixelsTotal=480000\\n' +
  'name=shoe.jpg\\nimage.width=800\\nimage.height=600\\nimage.type=image/jpeg\\nimage.length=20480\\n';
const server = require('node:http').createServer((req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': reply.length }).end(reply);
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.once('disconnect', () => process.exit());`;

export async function batch(context: BenchContext): Promise<void> {
  const { saveAll } = createRequire(import.meta.url)('../../dist/batch.js') as typeof Batch;
  const child = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [port] = (await once(child, 'message')) as [number];
  const server = `http://127.0.0.1:${port}`;
  const numbers = Array.from({ length: context.quick ? 200 : 4000 }, (_, index) => index);
  const jobs = numbers.map((index) => ({ url: `/shoe?n=${index}`, name: `${index}.jpg` }));
  let ledgers = 0;

  const saveJobs = async (ledger?: string): Promise<void> => {
    for await (const { status } of saveAll(jobs, { server, concurrency: CONCURRENCY, ledger }))
      if (status !== 'done') throw new Error(status);
  };
  const fetchJobs = async (): Promise<void> => {
    const waiting = jobs.values();
    const loop = async (): Promise<void> => {
      for (const { url, name } of waiting) {
        const response = await fetch(`${server}${url}&req=saveToFile&name=${name}`);
        if (!(await response.text()).includes('status=done')) throw new Error('not done');
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, loop));
  };
  const measure = (run: () => Promise<void>): Sampler => {
    return async () => {
      const [begin, before] = [performance.now(), process.cpuUsage()];
      await run();
      const { user, system } = process.cpuUsage(before);
      return { time: (performance.now() - begin) / jobs.length, cpu: (user + system) / 1000 / jobs.length };
    };
  };
  const contestants = new Map([
    ['saveAll', measure(() => saveJobs())],
    ['control', measure(() => saveJobs())],
    ['loop of fetch', measure(fetchJobs)],
    ['saveAll with a ledger', measure(() => saveJobs(join(context.diskDir, `ledger-${ledgers++}`)))],
  ]);
  await compare('batch', contestants, 12, context);
  child.kill();
}
