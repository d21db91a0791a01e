// lib/ with one promise broken at a time, and the check that must notice it.
import { fullDisk, noInodes } from '../checks/full-disk.js';
import { kill, sweep } from '../checks/kill.js';
import { load } from '../checks/load.js';
import { memory } from '../checks/memory.js';
import { hostileNames, hostileQueries, slowQueries } from '../checks/names.js';
import { changedPlaces, oddNames, race } from '../checks/places.js';
import { power } from '../checks/power.js';
import { systemCalls } from '../checks/system-calls.js';
import { oneName, oneWinner } from '../checks/writers.js';
import type { Edit } from '../support/build.js';
import { compiling, demoting, mounting, tracing, type Check, type Need } from '../support/check.js';

/** A fault, and a check that is run against it. */
export interface Variant {
  readonly check: string;
  readonly fault: string;
  readonly run: Check;
  readonly edit: Edit;
  /** What the check must say: that it fails for another reason proves nothing. */
  readonly says: RegExp;
  readonly needs?: readonly Need[];
  /** How much of the check is run. All of it by default: it ends where it notices. */
  readonly share?: number;
}

const RENAME =
  'await fsCalls.rename(this.tempFile.path, directory.join(basename));\n      this.tempFile.markPublished();';
const IS_STILL_THERE = 'return now === this.path;';

const straightToTheName: Edit = {
  file: 'stores/folder/folder-store.ts',
  pieces: [
    [
      RENAME,
      `const fs = await import('node:fs/promises');
      await fs.writeFile(directory.join(basename), await fs.readFile(this.tempFile.path));`,
    ],
  ],
};
const leavesItsFile: Edit = {
  file: 'temp-files/temp-file.ts',
  pieces: [['if (!this.#published) await fsCalls.unlink(this.path).catch(() => undefined);', '']],
};
const ignoresShortWrites: Edit = {
  file: 'temp-files/temp-file.ts',
  pieces: [['rest = withoutFirst(bytesWritten, rest);', 'rest = withoutFirst(Infinity, rest);']],
};
const ignoresFlushErrors: Edit = {
  file: 'temp-files/temp-file.ts',
  pieces: [['await fsCalls.fsync(fd);', 'await fsCalls.fsync(fd).catch(() => undefined);']],
};
const goesByPath: Edit = {
  file: 'stores/folder/directory.ts',
  pieces: [
    ['return join(this.#base, basename);', 'return join(this.path, basename);'],
    [IS_STILL_THERE, 'return true;'],
  ],
};

export const variants: readonly Variant[] = [
  {
    check: 'kill',
    fault: 'writes straight to the final name',
    run: kill,
    edit: straightToTheName,
    says: /is torn/,
  },
  {
    check: 'kill',
    fault: 'acknowledges before it publishes',
    run: kill,
    edit: {
      file: 'stores/folder/folder-store.ts',
      pieces: [
        [
          RENAME,
          'setTimeout(() => fsCalls.rename(this.tempFile.path, directory.join(basename)), 50);\nthis.tempFile.markPublished();',
        ],
      ],
    },
    says: /was acknowledged/,
  },
  {
    check: 'sweep',
    fault: 'sweeps nothing',
    run: sweep,
    edit: {
      file: 'temp-files/stale-files.ts',
      pieces: [['if (lifetime === undefined) continue;', 'continue;']],
    },
    says: /are not swept/,
  },
  {
    check: 'sweep',
    fault: 'sweeps whatever it finds',
    run: sweep,
    edit: { file: 'temp-files/stale-files.ts', pieces: [['stats.mtimeMs < time', 'time > 0']] },
    says: /young leftovers of|files were swept/,
  },
  {
    check: 'full disk',
    fault: 'ignores a short write',
    run: fullDisk,
    edit: ignoresShortWrites,
    says: /on a full disk: done/,
    needs: [mounting],
  },
  {
    check: 'full disk',
    fault: 'leaves its temporary file when it fails',
    run: fullDisk,
    edit: leavesItsFile,
    says: /temporary files are left/,
    needs: [mounting],
  },
  {
    check: 'out of inodes',
    fault: 'does not know the error',
    run: noInodes,
    edit: { file: 'errors.ts', pieces: [["['ENOSPC', DISK_FULL]", "['ENOSPC', WRITE_FAILED]"]] },
    says: /on a full disk: write-failed/,
    needs: [mounting],
  },
  {
    check: 'failing system calls',
    fault: 'ignores an error of fsync',
    run: systemCalls,
    edit: ignoresFlushErrors,
    says: /fsync .*: done, not write-failed/,
    needs: [compiling],
  },
  {
    check: 'failing system calls',
    fault: 'ignores a short write',
    run: systemCalls,
    edit: ignoresShortWrites,
    says: /image of .* is torn/,
    needs: [compiling],
  },
  {
    check: 'failing system calls',
    fault: 'leaves its temporary file when it fails',
    run: systemCalls,
    edit: leavesItsFile,
    says: /temporary files are left/,
    needs: [compiling],
  },
  {
    check: 'failing system calls',
    fault: 'leaves the folder open',
    run: systemCalls,
    edit: { file: 'stores/folder/folder-store.ts', pieces: [['this.#resolved.directory.close();', '']] },
    says: /descriptors are left open/,
    needs: [compiling],
  },
  {
    check: 'odd names',
    fault: 'follows links at the final name',
    run: oddNames,
    edit: straightToTheName,
    says: /escaping\.tif|dangling\.tif/,
  },
  {
    check: 'places that change',
    fault: 'goes by path and looks only once',
    run: changedPlaces,
    edit: goesByPath,
    says: /not folder-changed|is outside/,
    needs: [demoting],
  },
  {
    check: 'race for a folder',
    fault: 'goes by path and looks only once',
    run: race,
    edit: goesByPath,
    says: /outside/,
  },
  {
    check: 'race for a folder',
    fault: 'goes by path and looks twice',
    run: race,
    edit: {
      file: 'stores/folder/directory.ts',
      pieces: [['const fdTarget = readFdPath(fd);', 'const path2: string | undefined = undefined;']],
    },
    says: /outside/,
  },
  {
    check: 'hostile names',
    fault: 'allows names that start with a dot',
    run: hostileNames,
    edit: {
      file: 'protocol/file-name.ts',
      pieces: [["if (segment.startsWith('.'))", "if (segment === '.' || segment === '..')"]],
    },
    says: /is illegal/,
  },
  {
    check: 'hostile queries',
    fault: 'takes a command from a nested request',
    run: hostileQueries,
    edit: {
      file: 'protocol/parse-command.ts',
      pieces: [['const partner = partners.get(at);', 'const partner = partners.get(-1);']],
    },
    says: /nested/,
  },
  {
    check: 'slow queries',
    fault: 'has a regular expression that backtracks',
    run: slowQueries,
    edit: {
      file: 'protocol/parse-command.ts',
      pieces: [['return SAVE_TO_FILE.test(url);', 'return SAVE_TO_FILE.test(url) || /\\(+!/.test(url);']],
    },
    says: /a megabyte of .* takes/,
  },
  {
    check: 'load',
    fault: 'leaves its timers running',
    run: load,
    edit: { file: 'save/cancellation.ts', pieces: [['clearTimeout(this.#timer);', '']] },
    says: /come to rest.*Timeout/,
    share: 0.02,
  },
  {
    check: 'load',
    fault: 'keeps every save in memory',
    run: load,
    edit: {
      file: 'save/save-operation.ts',
      pieces: [
        ['checkName(command.name);', 'checkName(command.name); kept.push(Buffer.alloc(100_000), this);'],
        ['interface SaveRequest {', 'const kept: unknown[] = [];\n\ninterface SaveRequest {'],
      ],
    },
    says: /come to rest.*of memory more/,
    share: 0.05,
  },
  {
    check: "memory, verify: 'header'",
    fault: 'holds the image in memory',
    run: memory('header'),
    edit: {
      file: 'save/collect-body.ts',
      pieces: [['const MAX_BUFFERED_BYTES = 1024 * 1024;', 'const MAX_BUFFERED_BYTES = 1e12;']],
    },
    says: /256 MB added/,
    share: 0.256,
  },
  {
    check: 'one name, many writers',
    fault: 'writes straight to the final name',
    run: oneName,
    edit: straightToTheName,
    says: /is torn/,
  },
  {
    check: 'one winner',
    fault: 'replaces what it was to keep',
    run: oneWinner,
    edit: {
      file: 'stores/folder/folder-store.ts',
      pieces: [['await fsCalls.link(from, to);', 'await fsCalls.rename(from, to);']],
    },
    says: /writers won/,
  },
  {
    check: 'power loss',
    fault: 'does not flush the file',
    run: power,
    edit: { file: 'temp-files/temp-file.ts', pieces: [['if (flush) await fsCalls.fsync(fd);', '']] },
    says: /0 calls for the fsync of the file/,
    needs: [tracing],
  },
  {
    check: 'power loss',
    fault: 'does not flush the folder',
    run: power,
    edit: { file: 'stores/folder/directory.ts', pieces: [['await fsCalls.fsync(this.#fd);', '']] },
    says: /0 calls for the fsync of the folder/,
    needs: [tracing],
  },
  {
    check: 'power loss',
    fault: 'flushes the folder too early',
    run: power,
    edit: {
      file: 'stores/folder/folder-store.ts',
      pieces: [
        ['await directory.sync().catch(', 'await Promise.resolve().catch('],
        ['commit();', 'commit();\n    await directory.sync();'],
      ],
    },
    says: /the rename has not returned when the fsync of the folder begins/,
    needs: [tracing],
  },
];
