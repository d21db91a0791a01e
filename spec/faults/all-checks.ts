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
      { patch: 'writesStraightToTheName', says: /is torn/ },
      { patch: 'renamesLate', says: /was acknowledged/ },
    ],
  },
  { check: 'kill, saves from code', run: fromCode(kill) },
  {
    check: 'sweep',
    run: sweep,
    faults: [
      { patch: 'sweepsNothing', says: /are not swept/ },
      { patch: 'believesThatYearsHavePassed', says: /young leftovers of|files were swept/ },
    ],
  },
  {
    check: 'full disk',
    run: fullDisk,
    needs: [linux, mounting],
    faults: [
      { patch: 'ignoresShortWrites', says: /on a full disk: done/ },
      { patch: 'keepsTempFiles', says: /temporary files are left/ },
    ],
  },
  { check: 'full disk, saves from code', run: fromCode(fullDisk), needs: [linux, mounting] },
  {
    check: 'out of inodes',
    run: noInodes,
    needs: [linux, mounting],
    faults: [{ patch: 'hidesErrorCodes', says: /on a full disk: write-failed/ }],
  },
  {
    check: 'failing system calls',
    run: systemCalls,
    needs: [linux, compiling],
    faults: [
      { patch: 'ignoresErrorsOfFsync', says: /fsync .*: done, not write-failed/ },
      { patch: 'ignoresShortWrites', says: /image of .* is torn/ },
      { patch: 'keepsTempFiles', says: /temporary files are left/ },
      { patch: 'leavesDirectoriesOpen', says: /descriptors are left open/ },
    ],
  },
  { check: 'no descriptors left', run: descriptors, needs: [linux] },
  {
    check: 'race for a folder',
    run: race,
    needs: [linux],
    faults: [
      // A save must meet the link in its moment: more rounds than the promise needs, until one does.
      { patch: 'goesByPathAndLooksOnce', says: /outside/, share: 10 },
      { patch: 'goesByPath', says: /outside/, share: 10 },
    ],
  },
  {
    check: 'created folders',
    run: createdFolders,
    needs: [linux],
    faults: [{ patch: 'goesByPathAndLooksOnce', says: /outside/ }],
  },
  {
    check: 'hostile names',
    run: hostileNames,
    faults: [
      { wrappers: [['allowsLeadingDots', 'protocol/file-name.ts', 'checkName']], says: /is illegal/ },
      {
        wrappers: [
          ['allowsLeadingParents', 'protocol/file-name.ts', 'checkName'],
          ['widensTheSavePath', 'stores/folder/resolve-path.ts', 'openTarget'],
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
    faults: [{ wrappers: [['ignoresBrackets', 'protocol/query.ts', 'parseQuery']], says: /nested/ }],
  },
  {
    check: 'slow queries',
    run: slowQueries,
    faults: [
      {
        wrappers: [['backtracks', 'protocol/parse-command.ts', 'hasSaveCommand']],
        says: /a megabyte of .* takes/,
      },
    ],
  },
  {
    check: 'load',
    run: load,
    faults: [
      { patch: 'leavesTimersRunning', says: /come to rest.*Timeout/, share: 0.02 },
      // Once all slots are lost, the renderer is not asked any more.
      { patch: 'leaksSlotsOfTimeouts', says: /keep their slots|is not asked for/, share: 0.02 },
      { patch: 'leaksSlotsOfFailures', says: /keep their slots|is not asked for/, share: 0.02 },
      { patch: 'keepsMemoryOfEverySave', says: /come to rest.*of memory more/, share: 0.05 },
    ],
  },
  {
    check: "memory, verify: 'header'",
    run: memory('header'),
    needs: [linux, room],
    faults: [{ patch: 'keepsTheImageInMemory', says: /256 MB added/, share: 0.256 }],
  },
  { check: "memory, verify: 'pixels'", run: memory('pixels'), needs: [linux, room] },
  {
    check: 'one name, many writers',
    run: oneName,
    needs: [replacesOpenFiles],
    faults: [{ patch: 'writesStraightToTheName', says: /is torn/ }],
  },
  {
    check: 'one winner',
    run: oneWinner,
    faults: [{ patch: 'replacesOnLink', says: /writers won/ }],
  },
  {
    check: 'power loss',
    run: power,
    needs: [linux, tracing],
    faults: [
      { patch: 'flushesNoFile', says: /0 calls for the fsync of the file/ },
      { patch: 'flushesNoFolder', says: /0 calls for the fsync of the folder/ },
      {
        patch: 'flushesTheFolderTooEarly',
        says: /the rename has not returned when the fsync of the folder begins/,
      },
    ],
  },
  ...FORMATS.map((format) => ({ check: `hostile ${format} files`, run: fuzz(format) })),
];
