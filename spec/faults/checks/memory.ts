// The resident size of the server while it saves an image larger than that.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { megabytes, type Check } from '../support/check.js';
import { verdictOf } from '../support/files.js';
import { assertPromise } from '../support/assert-promise.js';
import { Server } from '../support/server.js';

const MB = 1_000_000;
const GIGABYTE = 1_000 * MB;
/** The memory that an image of any size may add. */
const MOST = 64 * MB;
/** How much more a large image may add than a small one, by chance. */
const FLAT = 32 * MB;

interface Growth {
  /** The growth of the resident size of the process, with its decoder. */
  readonly resident: number;
  /** The growth of JavaScript memory, buffers included. */
  readonly ours: number;
}

/** An image of a gigabyte adds little to the process, and no more than a small one does. */
export const memory =
  (verify: 'header' | 'pixels'): Check =>
  async ({ app, folder, times }) => {
    const options = { savePath: folder, verify, maxBytes: 2 * GIGABYTE, maxPixels: 2 * GIGABYTE };
    const server = await Server.start({
      app,
      options,
      nodeOptions: ['--expose-gc'],
      env: { WATCH_MEMORY: 'yes' },
    });
    // The first use of the decoder loads code, which does not count.
    await growth(server, folder, `stream/1/${16 * MB}`);
    const small = await growth(server, folder, `stream/2/${64 * MB}`);
    const size = Math.min(GIGABYTE, times(GIGABYTE));
    const large = await growth(server, folder, `stream/3/${size}`);
    const figures =
      `${megabytes(size)} added ${megabytes(large.resident)}, of which ours ${megabytes(large.ours)}; ` +
      `${megabytes(64 * MB)} added ${megabytes(small.resident)}`;
    assertPromise(large.ours < MOST && large.ours - small.ours < FLAT, figures);
    // With `verify: 'pixels'`, the rest belongs to the decoder. It is reported without a limit.
    if (verify === 'header') {
      assertPromise(large.resident < MOST && large.resident - small.resident < FLAT, figures);
    }
    await server.stop();
    return figures;
  };

async function growth(server: Server, folder: string, what: string): Promise<Growth> {
  const { memory: before } = await server.state();
  const resident = statusOf(server, 'VmRSS');
  // The high-water mark starts anew from here. (proc(5), clear_refs.)
  writeFileSync(`/proc/${server.pid}/clear_refs`, '5');
  const verdict = verdictOf(await server.save(what, 'image.tif'));
  assertPromise(verdict === 'done', `${what}: ${verdict}`);
  const { peak } = await server.state();
  rmSync(join(folder, 'image.tif'));
  return {
    resident: Math.max(0, statusOf(server, 'VmHWM') - resident),
    ours: Math.max(0, peak - before.heapUsed - before.external),
  };
}

/** A line of the process's status, in bytes. */
function statusOf(server: Server, name: string): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
}
