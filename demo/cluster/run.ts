// The whole run, in order: a bucket, the processes, the saves, the kills, the check, and what is told of it.

import { openBucket, placeInStore } from './bucket.js';
import { Saves } from './saves.js';
import { Servers } from './servers.js';

const PROCESSES = 4;
const MOST_KILLS = 12;
/** A new process takes a second to start. */
const LEAST_SAVES_PER_KILL = 50;

/** Makes so many saves and prints what became of them. Exits with 1 where anything acknowledged is not there, whole. */
export async function run(given = '3000'): Promise<void> {
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1) {
    console.error('Say how many saves: npm run demo:cluster -- 500');
    process.exit(2);
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stop.abort(new Error('Stopped'));
    });
  }
  let close = (): Promise<void> => Promise.resolve();
  let isGood = false;
  try {
    close = await openBucket();
    stop.signal.throwIfAborted();
    isGood = await saveAndCheck(count, stop);
  } catch (error) {
    // What ended everything else, rather than what came of it.
    console.error(stop.signal.aborted ? String(stop.signal.reason) : String(error));
  }
  stop.abort();
  await Servers.stop();
  await close();
  process.exit(isGood ? 0 : 1);
}

async function saveAndCheck(count: number, stop: AbortController): Promise<boolean> {
  const place = placeInStore();
  const saves = new Saves();
  const { servers, url } = await Servers.start(PROCESSES, stop);
  console.log(
    `${PROCESSES} processes serve ${url} and save to the bucket ${place.bucket}. Saving ${count} times …`,
  );

  const begin = performance.now();
  const killEvery = Math.max(LEAST_SAVES_PER_KILL, Math.ceil(count / MOST_KILLS));
  await saves.make(count, url, stop.signal, async () => {
    if (saves.acknowledged % killEvery === 0) await servers.kill();
  });
  const seconds = (performance.now() - begin) / 1000;
  const { checked, missing, broken } = await saves.check(place);

  console.log(`
  saves acknowledged     ${saves.acknowledged}
  saves that broke off   ${saves.brokenOff} (and were sent again)
  processes killed       ${servers.killed}
  objects checked whole  ${checked - missing.length - broken.length} of ${checked}
  objects missing        ${[missing.length, ...missing.slice(0, 5)].join(' ')}
  objects broken         ${[broken.length, ...broken.slice(0, 5)].join(' ')}
  saves per second       ${Math.round(count / seconds)}
`);
  return missing.length + broken.length === 0;
}
