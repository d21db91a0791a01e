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

const RENAME = 'await disk.rename(this.spool.path, folder.at(entry));\n      this.spool.keep();';
const IS_STILL_THERE = 'return now === this.path;';

const straightToTheName: Edit = {
  file: 'folder-store.ts',
  pieces: [
    [
      RENAME,
      `const fs = await import('node:fs/promises');
      await fs.writeFile(folder.at(entry), await fs.readFile(this.spool.path));`,
    ],
  ],
};
const leavesItsFile: Edit = {
  file: 'spool.ts',
  pieces: [['if (!this.#kept) await disk.unlink(this.path).catch(() => undefined);', '']],
};
const ignoresShortWrites: Edit = {
  file: 'spool.ts',
  pieces: [['rest = withoutFirst(bytesWritten, rest);', 'rest = withoutFirst(Infinity, rest);']],
};
const ignoresFlushErrors: Edit = {
  file: 'spool.ts',
  pieces: [['await disk.fsync(descriptor);', 'await disk.fsync(descriptor).catch(() => undefined);']],
};
const goesByPath: Edit = {
  file: 'target.ts',
  pieces: [
    ['return join(this.#base, entry);', 'return join(this.path, entry);'],
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
      file: 'folder-store.ts',
      pieces: [
        [RENAME, 'setTimeout(() => disk.rename(this.spool.path, folder.at(entry)), 50);\nthis.spool.keep();'],
      ],
    },
    says: /was acknowledged/,
  },
  {
    check: 'sweep',
    fault: 'sweeps nothing',
    run: sweep,
    edit: { file: 'sweeper.ts', pieces: [['if (OUR_TEMPORARY_FILE.test(name))', 'if (name === "")']] },
    says: /are not swept/,
  },
  {
    check: 'sweep',
    fault: 'sweeps whatever it finds',
    run: sweep,
    edit: { file: 'sweeper.ts', pieces: [['now - stats.mtimeMs > this.#maxAge', 'now > 0']] },
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
    edit: { file: 'errors.ts', pieces: [["['ENOSPC', NO_ROOM]", "['ENOSPC', FAILED]"]] },
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
    edit: { file: 'folder-store.ts', pieces: [['this.#target.folder.close();', '']] },
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
      file: 'target.ts',
      pieces: [['const there = whereIs(descriptor);', 'const there: string | undefined = undefined;']],
    },
    says: /outside/,
  },
  {
    check: 'hostile names',
    fault: 'allows names that start with a dot',
    run: hostileNames,
    edit: {
      file: 'target.ts',
      pieces: [["if (part.startsWith('.'))", "if (part === '.' || part === '..')"]],
    },
    says: /is illegal/,
  },
  {
    check: 'hostile names',
    fault: 'allows names that lead outside',
    run: hostileNames,
    edit: {
      file: 'target.ts',
      pieces: [
        ["if (part.startsWith('.'))", "if (part.startsWith('. '))"],
        ['direct !== undefined && isInside(direct.path, savePath)', 'direct !== undefined'],
      ],
    },
    says: /is outside|is illegal/,
  },
  {
    check: 'hostile queries',
    fault: 'takes a command from a nested request',
    run: hostileQueries,
    edit: {
      file: 'command.ts',
      pieces: [['const partner = partners.get(at);', 'const partner = partners.get(-1);']],
    },
    says: /nested/,
  },
  {
    check: 'slow queries',
    fault: 'has a regular expression that backtracks',
    run: slowQueries,
    edit: {
      file: 'command.ts',
      pieces: [['return SAVE_TO_FILE.test(url);', 'return SAVE_TO_FILE.test(url) || /\\(+!/.test(url);']],
    },
    says: /a megabyte of .* takes/,
  },
  {
    check: 'load',
    fault: 'leaves its timers running',
    run: load,
    edit: { file: 'deadline.ts', pieces: [['clearTimeout(this.#timer);', '']] },
    says: /come to rest.*Timeout/,
    share: 0.02,
  },
  {
    check: 'load',
    fault: 'keeps every save in memory',
    run: load,
    edit: {
      file: 'image-save.ts',
      pieces: [
        ['checkName(command.name);', 'checkName(command.name); kept.push(Buffer.alloc(100_000), this);'],
        ['interface Assignment {', 'const kept: unknown[] = [];\n\ninterface Assignment {'],
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
      file: 'collect.ts',
      pieces: [['const MOST_IN_MEMORY = 1024 * 1024;', 'const MOST_IN_MEMORY = 1e12;']],
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
      file: 'folder-store.ts',
      pieces: [['await disk.link(from, to);', 'await disk.rename(from, to);']],
    },
    says: /writers won/,
  },
  {
    check: 'power loss',
    fault: 'does not flush the file',
    run: power,
    edit: { file: 'spool.ts', pieces: [['if (flush) await disk.fsync(descriptor);', '']] },
    says: /0 calls for the fsync of the file/,
    needs: [tracing],
  },
  {
    check: 'power loss',
    fault: 'does not flush the folder',
    run: power,
    edit: { file: 'target.ts', pieces: [['await disk.fsync(this.#descriptor);', '']] },
    says: /0 calls for the fsync of the folder/,
    needs: [tracing],
  },
  {
    check: 'power loss',
    fault: 'flushes the folder too early',
    run: power,
    edit: {
      file: 'folder-store.ts',
      pieces: [
        ['await folder.flush().catch(', 'await Promise.resolve().catch('],
        ['lastLook();', 'lastLook();\n    await folder.flush();'],
      ],
    },
    says: /the rename has not returned when the fsync of the folder begins/,
    needs: [tracing],
  },
];
