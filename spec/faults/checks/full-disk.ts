// A file system without room for the image or for one more file: saves are refused, and work again once there is room.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { underMount } from '../../support/run-in-child.js';
import type { Check } from '../support/check.js';
import { assertNoLeftovers, assertSeed, verdictOf } from '../support/files.js';
import { assertPromise } from '../support/assert-promise.js';
import { Server, type SaveOptions } from '../support/server.js';

const MB = 1_000_000;

/** Starts a server with a new tmpfs at its save path. Returns where that is for everybody else. */
async function startMounted(
  app: string,
  options: SaveOptions,
  mount: string,
): Promise<{ readonly server: Server; readonly folder: string }> {
  const server = await Server.start({ app, options, under: underMount(options.savePath, mount) });
  return { server, folder: `/proc/${server.pid}/root${options.savePath}` };
}

/** Expects saves to be refused as the disk is full, and the old picture to be unchanged. */
async function assertRefused(server: Server, folder: string, what: string): Promise<void> {
  const verdict = verdictOf(await server.save(what, 'old.tif'));
  assertPromise(verdict === 'disk-full', `${what} on a full disk: ${verdict}`);
  assertSeed(folder, 'old.tif', 1);
  assertNoLeftovers(folder);
}

async function assertSaved(server: Server, folder: string, what: string, name: string): Promise<void> {
  const verdict = verdictOf(await server.save(what, name));
  assertPromise(verdict === 'done', `${what} with room on the disk: ${verdict}`);
  assertSeed(folder, name, Number(what.split('/')[1]));
}

/** Two megabytes in use of eight: a larger image is refused, from memory and from a file. */
export const fullDisk: Check = async ({ app, folder: savePath, times }) => {
  const options = { savePath, verify: 'header' } as const;
  const { server, folder } = await startMounted(app, options, 'size=8m,mode=777');
  await assertSaved(server, folder, `whole/1/${2 * MB}`, 'old.tif');
  await assertRefused(server, folder, `stream/2/${12 * MB}`);
  await assertRefused(server, folder, `whole/3/${12 * MB}`);
  await assertSaved(server, folder, `stream/4/${5 * MB}`, 'next.tif');

  // Half a megabyte is left. An image this small is in memory, and one write has room for a part of it.
  writeFileSync(join(folder, 'ballast'), Buffer.alloc(0.8 * MB));
  await assertRefused(server, folder, `whole/5/${0.9 * MB}`);
  await assertRefused(server, folder, `stream/6/${0.9 * MB}`);
  rmSync(join(folder, 'next.tif'));

  const [done, refused] = await crowd(server, folder, times(5));
  rmSync(join(folder, 'ballast'));
  await assertSaved(server, folder, `whole/7/${5 * MB}`, 'last.tif');
  await server.stop();
  return `4 refused for want of room, ${done} done and ${refused} refused in a crowd, old images whole, 0 leftovers`;
};

/** Sixteen saves at once with room for a few. */
async function crowd(server: Server, folder: string, rounds: number): Promise<[number, number]> {
  const seeds = Array.from({ length: 16 }, (_, index) => 100 + index);
  let done = 0;
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(
      seeds.map(async (seed) => {
        const verdict = verdictOf(await server.save(`whole/${seed}/${0.9 * MB}`, `${seed}.tif`));
        assertPromise(
          verdict === 'done' || verdict === 'disk-full',
          `one of a crowd on a full disk: ${verdict}`,
        );
        if (verdict === 'done') assertSeed(folder, `${seed}.tif`, seed);
        if (verdict === 'done') done += 1;
      }),
    );
    assertNoLeftovers(folder);
    assertSeed(folder, 'old.tif', 1);
    for (const seed of seeds) rmSync(join(folder, `${seed}.tif`), { force: true });
  }
  return [done, rounds * seeds.length - done];
}

/** A file system that has room for bytes, but for no more files. */
export const noInodes: Check = async ({ app, folder: savePath }) => {
  const { server, folder } = await startMounted(app, { savePath }, 'size=64m,nr_inodes=20,mode=777');
  await assertSaved(server, folder, 'whole/1/50000', 'old.tif');
  const fillers = fill(folder);
  await assertRefused(server, folder, 'whole/2/50000');
  await assertRefused(server, folder, `stream/3/${4 * MB}`);
  rmSync(join(folder, fillers[0]!));
  await assertSaved(server, folder, `stream/4/${4 * MB}`, 'old.tif');
  assertNoLeftovers(folder);
  await server.stop();
  return `2 refused with ${fillers.length} files in the way, old image whole, 0 leftovers, saved with one less`;
};

/** Makes files until no more can be made. */
function fill(folder: string): string[] {
  const names: string[] = [];
  try {
    for (;;) {
      const name = `filler-${names.length}`;
      writeFileSync(join(folder, name), '');
      names.push(name);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  return names;
}
