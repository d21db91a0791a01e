// A worker: each line of standard input is a job, {"source": "https://…", "name": "shoe.jpg"}, as a queue would give it.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { SaveError, createImageSaver } from 'express-image-save';

const ATTEMPTS = 5;
const save = createImageSaver({ savePath: './saved' });

async function work({ source, name }) {
  for (let attempt = 1; ; attempt++) {
    try {
      // The response is read by the save: its status, its length and each of its bytes are checked.
      const { pixels } = await save(await fetch(source), { name });
      return console.log('saved', name, pixels);
    } catch (error) {
      // Any other error is of `fetch`: the source cannot be reached, which may pass.
      const mayPass = !(error instanceof SaveError) || error.retry;
      if (!mayPass || attempt === ATTEMPTS) return console.log('failed', name, error.code ?? error.message);
      await sleep(100 * 2 ** attempt);
    }
  }
}

// The saves limit themselves: no more compete than help. The next job is taken while fewer than eight are on their way.
const working = new Set();
for await (const line of createInterface({ input: process.stdin })) {
  const job = work(JSON.parse(line)).finally(() => working.delete(job));
  working.add(job);
  if (working.size >= 8) await Promise.race(working);
}
await Promise.all(working);
