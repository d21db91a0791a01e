// Runs the demo: opens a bucket, starts the processes, saves, kills some of them, checks the objects, and prints the result.

import { getBucketLocation, openBucket } from './bucket.js';
import { Saves } from './saves.js';
import { Servers } from './servers.js';

const PROCESSES = 4;
const MAX_KILLS = 12;
/** A new process takes about a second to start. */
const MIN_SAVES_PER_KILL = 50;

/**
 * Saves `argument` images and prints the result. Exits with 1 if an acknowledged image is missing or broken, and with 2
 * if the argument is not a whole number.
 */
export async function run(argument = '3000'): Promise<void> {
  const count = Number(argument);
  if (!Number.isInteger(count) || count < 1) {
    console.error('The number of saves must be a whole number, as in: npm run demo:cluster -- 500');
    process.exit(2);
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stop.abort(new Error('Stopped'));
    });
  }
  let close = (): Promise<void> => Promise.resolve();
  let isComplete = false;
  try {
    close = await openBucket();
    stop.signal.throwIfAborted();
    isComplete = await saveAndCheck(count, stop);
  } catch (error) {
    // After an abort, its reason says more than the errors that it caused.
    console.error(stop.signal.aborted ? String(stop.signal.reason) : String(error));
  }
  stop.abort();
  await Servers.stop();
  await close();
  process.exit(isComplete ? 0 : 1);
}

async function saveAndCheck(count: number, stop: AbortController): Promise<boolean> {
  const location = getBucketLocation();
  const saves = new Saves();
  const { servers, url } = await Servers.start(PROCESSES, stop);
  console.log(
    `${PROCESSES} processes serve ${url} and save to the bucket ${location.bucket}. Saving ${count} times …`,
  );

  const start = performance.now();
  const killEvery = Math.max(MIN_SAVES_PER_KILL, Math.ceil(count / MAX_KILLS));
  await saves.make(count, url, stop.signal, async () => {
    if (saves.acknowledged % killEvery === 0) await servers.kill();
  });
  const seconds = (performance.now() - start) / 1000;
  const { checked, missing, broken } = await saves.check(location);

  console.log(`
  saves acknowledged     ${saves.acknowledged}
  saves interrupted      ${saves.interrupted} (and sent again)
  processes killed       ${servers.killed}
  objects checked whole  ${checked - missing.length - broken.length} of ${checked}
  objects missing        ${[missing.length, ...missing.slice(0, 5)].join(' ')}
  objects broken         ${[broken.length, ...broken.slice(0, 5)].join(' ')}
  saves per second       ${Math.round(count / seconds)}
`);
  return missing.length + broken.length === 0;
}
