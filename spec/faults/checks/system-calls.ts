// Each system call of a save, in each of the ways in which it can fail, one at a time.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { countsOf, number, type Check } from '../support/check.js';
import { FailingCalls, type NotedCall } from '../support/failing-calls.js';
import { assertNoLeftovers, seedIn, temporaryFiles, verdictOf } from '../support/files.js';
import { eventually, assertPromise } from '../support/assert-promise.js';
import { Server } from '../support/server.js';

/** The code that a client gets for each error. */
const ERRORS: Readonly<Record<string, string>> = {
  EIO: 'write-failed',
  ENOSPC: 'disk-full',
  EMFILE: 'too-many-open-files',
  EACCES: 'not-writable',
  EROFS: 'not-writable',
  EXDEV: 'write-failed',
};

/** One way through publishing. */
interface Way {
  readonly how: string;
  readonly bytes: number;
  readonly name: string;
  readonly overwrite: boolean;
  /** The outcome without a failure. */
  readonly verdict: string;
}

const WAYS: readonly Way[] = [
  { how: 'whole', bytes: 50_000, name: 'image.tif', overwrite: true, verdict: 'done' },
  { how: 'stream', bytes: 3_000_000, name: 'image.tif', overwrite: true, verdict: 'done' },
  { how: 'whole', bytes: 50_000, name: 'image.tif', overwrite: false, verdict: 'done' },
  { how: 'stream', bytes: 3_000_000, name: 'image.tif', overwrite: false, verdict: 'done' },
  { how: 'stream', bytes: 3_000_000, name: 'image.jpg', overwrite: true, verdict: 'wrong-extension' },
];

/** A call that is to fail: the `which`th of its operation. */
interface Victim {
  readonly operation: string;
  readonly which: number;
  /** Whether it is a call on the save folder itself, not on a file in it. */
  readonly onFolder: boolean;
}

interface Tally {
  faults: number;
  refused: number;
  done: number;
  left: number;
}

export const systemCalls: Check = async ({ app, folder, times }) => {
  const savePath = join(folder, 'saved');
  mkdirSync(savePath);
  const calls = new FailingCalls(folder, savePath);
  const tally = { faults: 0, refused: 0, done: 0, left: 0 };
  for (const way of WAYS.slice(0, times(WAYS.length))) await allFaults(app, savePath, calls, way, tally);
  const { faults, refused, done, left } = tally;
  return (
    `${number(faults)} faults, ${refused} refused with the old image whole, ${done} done with the new one whole, ` +
    `0 descriptors, ${left} files left where they could not be removed`
  );
};

async function allFaults(
  app: string,
  savePath: string,
  calls: FailingCalls,
  way: Way,
  tally: Tally,
): Promise<void> {
  const options = { savePath, overwrite: way.overwrite };
  const server = await Server.start({ app, options, env: calls.env });
  const trial = new Trial(server, savePath, calls, way);
  for (const victim of victimsAmong(await trial.undisturbed(), savePath)) {
    const faults = [...Object.keys(ERRORS), ...(victim.operation === 'write' ? ['short', 'nothing'] : [])];
    for (const fault of faults) await trial.disturbed(victim, fault, tally);
  }
  await trial.undisturbed();
  await server.stop();
}

/** The first and the last call of each kind. */
function victimsAmong(calls: readonly NotedCall[], savePath: string): Victim[] {
  const counted = new Map<string, number>();
  const all = calls.map(({ operation, path }) => {
    const which = (counted.get(operation) ?? 0) + 1;
    counted.set(operation, which);
    return { operation, which, onFolder: path === savePath };
  });
  const same = (a: Victim, b: Victim): boolean => a.operation === b.operation && a.onFolder === b.onFolder;
  return all.filter((victim) => {
    const alike = all.filter((other) => same(victim, other));
    return victim === alike[0] || victim === alike.at(-1);
  });
}

/** Saves along one way, with or without a fault. */
class Trial {
  readonly #server: Server;
  readonly #savePath: string;
  readonly #calls: FailingCalls;
  readonly #way: Way;
  #seed = 0;
  /** The picture under the name, if there is one. */
  #old: number | undefined;

  constructor(server: Server, savePath: string, calls: FailingCalls, way: Way) {
    this.#server = server;
    this.#savePath = savePath;
    this.#calls = calls;
    this.#way = way;
  }

  /** @returns The calls of the save, in their order. */
  async undisturbed(): Promise<readonly NotedCall[]> {
    this.#calls.planNone();
    const verdict = await this.#save();
    assertPromise(verdict === this.#way.verdict, `a save that nothing disturbs: ${verdict}`);
    assertNoLeftovers(this.#savePath);
    return this.#calls.calls();
  }

  async disturbed(victim: Victim, fault: string, tally: Tally): Promise<void> {
    const { operation, which, onFolder } = victim;
    const what = `${fault} at call ${which} of ${operation}${onFolder ? ' on the folder' : ''} (${this.#way.how})`;
    this.#calls.plan(operation, which, fault);
    const verdict = await this.#save();
    await eventually(
      () => this.#calls.calls().some((call) => call.fault === fault),
      `${what}: never comes about`,
    );
    this.#assertVerdict(verdict, victim, fault, what);
    const left = temporaryFiles(this.#savePath);
    // The sweep removes this file later.
    assertPromise(
      left.length <= (operation === 'unlink' ? 1 : 0),
      `${what}: ${left.length} temporary files are left`,
    );
    for (const name of left) rmSync(join(this.#savePath, name));
    tally.faults += 1;
    tally.left += left.length;
    tally[verdict === 'done' ? 'done' : 'refused'] += 1;
  }

  /** Saves, and asserts that the reply is true and that no fd stays open. */
  async #save(): Promise<string> {
    const { how, bytes, name, overwrite } = this.#way;
    if (!overwrite) {
      rmSync(join(this.#savePath, name), { force: true });
      this.#old = undefined;
    }
    const seed = (this.#seed += 1);
    const verdict = verdictOf(await this.#server.save(`${how}/${seed}/${bytes}`, name));
    const found = seedIn(this.#savePath, name);
    const expected = verdict === 'done' ? seed : this.#old;
    assertPromise(
      found === expected,
      `${verdict}, but ${name} holds picture ${found ?? 'none'}, not ${expected ?? 'none'}`,
    );
    this.#old = found;
    await this.#server.letsGoOf(this.#savePath);
    return verdict;
  }

  #assertVerdict(verdict: string, { operation, onFolder }: Victim, fault: string, what: string): void {
    // By then the outcome is final.
    const harmless =
      operation === 'unlink' ||
      (onFolder && operation !== 'open') ||
      (operation === 'close' && this.#way.verdict !== 'done');
    const expected =
      harmless || fault === 'short' ? this.#way.verdict : (ERRORS[fault] ?? ERRORS['EIO'] ?? '');
    assertPromise(verdict === expected, `${what}: ${verdict}, not ${expected}`);
  }
}

/** A server that really has no descriptors left, because so many clients save at once. */
export const descriptors: Check = async ({ app, folder: savePath, times }) => {
  const limit = ['sh', '-c', 'ulimit -n 96 && exec "$@"', 'sh'];
  const server = await Server.start({ app, options: { savePath }, under: limit });
  const tally: Record<string, number> = {};
  for (let round = 0; round < times(3); round += 1) {
    const saves = Array.from({ length: 60 }, async (_, index) => {
      // Without a descriptor for its connection, a client never reaches the server.
      const answer = await server.save(`whole/${index}/2000000`, `${index}.tif`).catch(() => undefined);
      const verdict = answer === undefined ? 'no connection' : verdictOf(answer);
      tally[verdict] = (tally[verdict] ?? 0) + 1;
      if (verdict === 'done')
        assertPromise(seedIn(savePath, `${index}.tif`) === index, 'done, but another picture');
    });
    await Promise.all(saves);
    await server.letsGoOf(savePath);
    assertNoLeftovers(savePath);
  }
  const last = verdictOf(await server.save('whole/1/2000000', 'last.tif'));
  assertPromise(last === 'done', `it does not recover: ${last}`);
  await server.stop();
  return `${countsOf(tally)}; 0 descriptors and 0 files left`;
};
