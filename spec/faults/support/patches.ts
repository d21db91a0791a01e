// Breaks promises of a running server: replaces its file-system calls, timers or clock, or wraps a function of lib/.
import fs from 'node:fs';
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { checkName } from '../../../lib/protocol/file-name.js';
import type { hasSaveCommand } from '../../../lib/protocol/parse-command.js';
import type { parseQuery } from '../../../lib/protocol/query.js';
import { Admission, type Slot } from '../../../lib/save/admission.js';
import type { openTarget } from '../../../lib/stores/folder/resolve-path.js';
import type { fsCalls } from '../../../lib/temp-files/fs.js';

type Calls = typeof fsCalls;

/** Whatever is put in here stays in memory. */
const kept: unknown[] = [];

const isTempFile = (path: unknown): boolean => basename(String(path)).startsWith('.image-save-');

/** Makes another promise of each result of a call. */
function replace<Name extends keyof Calls>(
  calls: Calls,
  name: Name,
  instead: (real: Calls[Name], ...args: Parameters<Calls[Name]>) => unknown,
): void {
  const real = calls[name];
  calls[name] = ((...args: Parameters<Calls[Name]>) => instead(real, ...args)) as Calls[Name];
}

async function isDirectory(calls: Calls, fd: number): Promise<boolean> {
  return (await calls.fstat(fd)).isDirectory();
}

/** Patches to the file-system calls and the globals of the server, applied before it listens. */
export const patches = {
  writesStraightToTheName: (calls: Calls) => {
    replace(calls, 'rename', async (_real, from, to) => {
      await writeFile(to, await readFile(from));
      await calls.unlink(from);
    });
  },

  renamesLate: (calls: Calls) => {
    replace(calls, 'rename', async (real, from, to) => {
      // The descriptor of the directory is closed by then.
      const [source, target] = await Promise.all(
        [from, to].map(async (path) => join(await realpath(dirname(String(path))), basename(String(path)))),
      );
      setTimeout(() => void real(source!, target!).catch(() => undefined), 50);
    });
  },

  sweepsNothing: (calls: Calls) => {
    const created = new Set<string>();
    replace(calls, 'open', (real, path, ...rest) => {
      created.add(basename(String(path)));
      return real(path, ...rest);
    });
    replace(calls, 'unlink', async (real, path) => {
      if (!isTempFile(path) || created.has(basename(String(path)))) await real(path);
    });
  },

  believesThatYearsHavePassed: () => {
    const { now } = Date;
    Date.now = () => now() + 10 * 365 * 86_400_000;
  },

  ignoresShortWrites: (calls: Calls) => {
    const claimed = new Map<number, number>();
    replace(calls, 'open', async (real, ...args) => {
      const fd = await real(...args);
      claimed.delete(fd);
      return fd;
    });
    replace(calls, 'writev', async (real, fd, chunks, position) => {
      const result = await real(fd, chunks, position);
      const bytesWritten = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
      claimed.set(fd, position + bytesWritten);
      return { ...result, bytesWritten };
    });
    const fstat: (fd: number, options: { bigint: true }) => Promise<fs.BigIntStats> = calls.fstat;
    replace(calls, 'fstat', async (_real, fd) => {
      const stats = await fstat(fd, { bigint: true });
      stats.size = BigInt(claimed.get(fd) ?? stats.size);
      return stats;
    });
  },

  keepsTempFiles: (calls: Calls) => {
    replace(calls, 'unlink', () => Promise.resolve());
  },

  hidesErrorCodes: (calls: Calls) => {
    for (const name of ['open', 'writev'] as const) {
      replace(calls, name, (real, ...args) =>
        (real as (...args: unknown[]) => Promise<unknown>)(...args).catch((cause: unknown) => {
          throw new Error('The call failed', { cause });
        }),
      );
    }
  },

  ignoresErrorsOfFsync: (calls: Calls) => {
    replace(calls, 'fsync', (real, fd) => real(fd).catch(() => undefined));
  },

  leavesDirectoriesOpen: () => {
    fs.closeSync = () => undefined;
  },

  goesByPath: hideFdPaths,

  goesByPathAndLooksOnce: (calls: Calls) => {
    hideFdPaths();
    const opened = new Set<string>();
    const checked = new Set<string>();
    replace(calls, 'open', (real, path, ...rest) => {
      opened.add(String(path));
      return real(path, ...rest);
    });
    replace(calls, 'realpath', async (real, path) => {
      // The first look follows the opening of the directory. Each later look finds what the first one found.
      if (!opened.delete(String(path)) && checked.has(String(path))) return String(path);
      const found = await real(path);
      checked.add(found);
      return found;
    });
  },

  replacesOnLink: (calls: Calls) => {
    replace(calls, 'link', (_real, from, to) => calls.rename(from, to));
  },

  flushesNoFile: (calls: Calls) => {
    replace(calls, 'fsync', async (real, fd) => {
      if (await isDirectory(calls, fd)) await real(fd);
    });
  },

  flushesNoFolder: (calls: Calls) => {
    replace(calls, 'fsync', async (real, fd) => {
      if (!(await isDirectory(calls, fd))) await real(fd);
    });
  },

  flushesTheFolderTooEarly: (calls: Calls) => {
    const { fsync } = calls;
    patches.flushesNoFolder(calls);
    for (const name of ['rename', 'link'] as const) {
      replace(calls, name, async (real, from, to) => {
        const fd = await calls.open(dirname(String(to)), 'r');
        await fsync(fd);
        await calls.close(fd);
        await real(from, to);
      });
    }
  },

  leavesTimersRunning: () => {
    globalThis.clearTimeout = () => undefined;
  },

  leaksSlotsOfTimeouts: leakingSlots('timeout'),

  leaksSlotsOfFailures: leakingSlots('failed'),

  keepsMemoryOfEverySave: (calls: Calls) => {
    replace(calls, 'rename', (real, ...args) => {
      kept.push(Buffer.alloc(100_000));
      return real(...args);
    });
  },

  keepsTheImageInMemory: (calls: Calls) => {
    replace(calls, 'writev', (real, fd, chunks, position) => {
      kept.push(Buffer.concat(chunks));
      return real(fd, chunks, position);
    });
  },
};

/** Makes saves with an outcome keep their slot. */
function leakingSlots(leaking: Parameters<Slot['release']>[0]) {
  return (): void => {
    const admit = Object.getOwnPropertyDescriptor(Admission.prototype, 'admit')?.value as Admission['admit'];
    const leaky = (slot: Slot): Slot => {
      const release = slot.release.bind(slot);
      slot.release = (outcome) => {
        // Only the first call counts.
        slot.release = () => undefined;
        if (outcome !== leaking) release(outcome);
      };
      return slot;
    };
    Admission.prototype.admit = function (...args) {
      const slot = admit.apply(this, args);
      return slot instanceof Promise ? slot.then(leaky) : leaky(slot);
    };
  };
}

/** Makes the server work as on systems where a descriptor does not lead to a path. */
function hideFdPaths(): void {
  const { readlinkSync } = fs;
  const replacement = (path: fs.PathLike): string => {
    if (String(path).startsWith('/proc/self/fd/')) throw new Error('There is no such link');
    return readlinkSync(path);
  };
  fs.readlinkSync = replacement as typeof readlinkSync;
}

/** Functions that take the place of exported functions of lib/; each gets the original. */
export const wrappers = {
  allowsLeadingDots: ((original) => (name) => {
    original(name.replaceAll(/(^|\/)\.+(?=[^./])/g, '$1_'));
    return name.split('/');
  }) satisfies Wrapper<typeof checkName>,

  allowsLeadingParents: ((original) => (name) => {
    original(name.replace(/^(?:\.\.\/)+/, ''));
    return name.split('/');
  }) satisfies Wrapper<typeof checkName>,

  widensTheSavePath: ((original) => (savePath, segments, options) =>
    original(dirname(savePath), [basename(savePath), ...segments], options)) satisfies Wrapper<
    typeof openTarget
  >,

  ignoresBrackets: ((original) => (query) => original(query.replaceAll(/[(){}]/g, '_'))) satisfies Wrapper<
    typeof parseQuery
  >,

  backtracks: ((original) => (url) => original(url) || /\(+!/.test(url)) satisfies Wrapper<
    typeof hasSaveCommand
  >,
};

type Wrapper<F> = (original: F) => F;
