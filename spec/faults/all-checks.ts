// Every check of the suite, what it needs, and the faults in a server that it must notice.
import { FORMATS } from '../support/walk-fuzz.js';
import { fullDisk, noInodes } from './checks/full-disk.js';
import { fuzz } from './checks/fuzz.js';
import { kill, sweep } from './checks/kill.js';
import { load } from './checks/load.js';
import { memory } from './checks/memory.js';
import { hostileNames, hostileQueries, slowQueries } from './checks/names.js';
import { createdFolders, race } from './checks/places.js';
import { power } from './checks/power.js';
import { descriptors, systemCalls } from './checks/system-calls.js';
import { oneName, oneWinner } from './checks/writers.js';
import type { Mutation } from './support/build.js';
import {
  compiling,
  fromCode,
  linux,
  mounting,
  replacesOpenFiles,
  roomFor,
  tracing,
  type Check,
  type Need,
} from './support/check.js';

export interface Checked {
  readonly check: string;
  readonly run: Check;
  readonly needs?: readonly Need[];
  readonly faults?: readonly Fault[];
}

interface Fault extends Mutation {
  /** What the server does wrong. */
  readonly fault: string;
  /** The message of the check. A failure for another reason proves nothing. */
  readonly says: RegExp;
  /** The share of the check's rounds to run. Default: all, until the check fails. */
  readonly share?: number;
}

const room = roomFor(3e9);

export const checks: readonly Checked[] = [
  {
    check: 'kill',
    run: kill,
    faults: [
      { fault: 'writes straight to the final name', patch: 'writesStraightToTheName', says: /is torn/ },
      { fault: 'acknowledges before it publishes', patch: 'renamesLate', says: /was acknowledged/ },
    ],
  },
  { check: 'kill, saves from code', run: fromCode(kill) },
  {
    check: 'sweep',
    run: sweep,
    faults: [
      { fault: 'sweeps nothing', patch: 'sweepsNothing', says: /are not swept/ },
      {
        fault: 'sweeps whatever it finds',
        patch: 'believesThatYearsHavePassed',
        says: /young leftovers of|files were swept/,
      },
    ],
  },
  {
    check: 'full disk',
    run: fullDisk,
    needs: [linux, mounting],
    faults: [
      { fault: 'ignores a short write', patch: 'ignoresShortWrites', says: /on a full disk: done/ },
      {
        fault: 'leaves its temporary file when it fails',
        patch: 'keepsTempFiles',
        says: /temporary files are left/,
      },
    ],
  },
  { check: 'full disk, saves from code', run: fromCode(fullDisk), needs: [linux, mounting] },
  {
    check: 'out of inodes',
    run: noInodes,
    needs: [linux, mounting],
    faults: [
      { fault: 'does not know the error', patch: 'hidesErrorCodes', says: /on a full disk: write-failed/ },
    ],
  },
  {
    check: 'failing system calls',
    run: systemCalls,
    needs: [linux, compiling],
    faults: [
      {
        fault: 'ignores an error of fsync',
        patch: 'ignoresErrorsOfFsync',
        says: /fsync .*: done, not write-failed/,
      },
      { fault: 'ignores a short write', patch: 'ignoresShortWrites', says: /image of .* is torn/ },
      {
        fault: 'leaves its temporary file when it fails',
        patch: 'keepsTempFiles',
        says: /temporary files are left/,
      },
      { fault: 'leaves the folder open', patch: 'leavesDirectoriesOpen', says: /descriptors are left open/ },
    ],
  },
  { check: 'no descriptors left', run: descriptors, needs: [linux] },
  {
    check: 'race for a folder',
    run: race,
    needs: [linux],
    faults: [
      { fault: 'goes by path and looks only once', patch: 'goesByPathAndLooksOnce', says: /outside/ },
      { fault: 'goes by path and looks twice', patch: 'goesByPath', says: /outside/ },
    ],
  },
  {
    check: 'created folders',
    run: createdFolders,
    needs: [linux],
    faults: [{ fault: 'goes by path and looks only once', patch: 'goesByPathAndLooksOnce', says: /outside/ }],
  },
  {
    check: 'hostile names',
    run: hostileNames,
    faults: [
      {
        fault: 'allows names that start with a dot',
        wrappers: [{ wrapper: 'allowsLeadingDots', file: 'protocol/file-name.ts', name: 'checkName' }],
        says: /is illegal/,
      },
      {
        fault: 'allows names that lead outside',
        wrappers: [
          { wrapper: 'allowsLeadingParents', file: 'protocol/file-name.ts', name: 'checkName' },
          { wrapper: 'widensTheSavePath', file: 'stores/folder/resolve-path.ts', name: 'openTarget' },
        ],
        says: /is outside/,
        // Few of the names begin with two dots and are legal otherwise.
        share: 5,
      },
    ],
  },
  {
    check: 'hostile queries',
    run: hostileQueries,
    faults: [
      {
        fault: 'takes a command from a nested request',
        wrappers: [{ wrapper: 'ignoresBrackets', file: 'protocol/query.ts', name: 'parseQuery' }],
        says: /nested/,
      },
    ],
  },
  {
    check: 'slow queries',
    run: slowQueries,
    faults: [
      {
        fault: 'has a regular expression that backtracks',
        wrappers: [{ wrapper: 'backtracks', file: 'protocol/parse-command.ts', name: 'hasSaveCommand' }],
        says: /a megabyte of .* takes/,
      },
    ],
  },
  {
    check: 'load',
    run: load,
    faults: [
      {
        fault: 'leaves its timers running',
        patch: 'leavesTimersRunning',
        says: /come to rest.*Timeout/,
        share: 0.02,
      },
      {
        fault: 'leaks the slots of saves that time out',
        patch: 'leaksSlotsOfTimeouts',
        // Or the renderer is not asked any more, once all slots are lost.
        says: /keep their slots|is not asked for/,
        share: 0.02,
      },
      {
        fault: 'leaks the slots of saves that fail',
        patch: 'leaksSlotsOfFailures',
        // Or the renderer is not asked any more, once all slots are lost.
        says: /keep their slots|is not asked for/,
        share: 0.02,
      },
      {
        fault: 'keeps every save in memory',
        patch: 'keepsMemoryOfEverySave',
        says: /come to rest.*of memory more/,
        share: 0.05,
      },
    ],
  },
  {
    check: "memory, verify: 'header'",
    run: memory('header'),
    needs: [linux, room],
    faults: [
      {
        fault: 'holds the image in memory',
        patch: 'keepsTheImageInMemory',
        says: /256 MB added/,
        share: 0.256,
      },
    ],
  },
  { check: "memory, verify: 'pixels'", run: memory('pixels'), needs: [linux, room] },
  {
    check: 'one name, many writers',
    run: oneName,
    needs: [replacesOpenFiles],
    faults: [
      { fault: 'writes straight to the final name', patch: 'writesStraightToTheName', says: /is torn/ },
    ],
  },
  {
    check: 'one winner',
    run: oneWinner,
    faults: [{ fault: 'replaces what it was to keep', patch: 'replacesOnLink', says: /writers won/ }],
  },
  {
    check: 'power loss',
    run: power,
    needs: [linux, tracing],
    faults: [
      { fault: 'does not flush the file', patch: 'flushesNoFile', says: /0 calls for the fsync of the file/ },
      {
        fault: 'does not flush the folder',
        patch: 'flushesNoFolder',
        says: /0 calls for the fsync of the folder/,
      },
      {
        fault: 'flushes the folder too early',
        patch: 'flushesTheFolderTooEarly',
        says: /the rename has not returned when the fsync of the folder begins/,
      },
    ],
  },
  ...FORMATS.map((format) => ({ check: `hostile ${format} files`, run: fuzz(format) })),
];
