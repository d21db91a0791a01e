// Servers that break one promise each, and the check that must detect it.
import { fullDisk, noInodes } from './checks/full-disk.js';
import { kill, sweep } from './checks/kill.js';
import { load } from './checks/load.js';
import { memory } from './checks/memory.js';
import { hostileNames, hostileQueries, slowQueries } from './checks/names.js';
import { changedPlaces, oddNames, race } from './checks/places.js';
import { power } from './checks/power.js';
import { systemCalls } from './checks/system-calls.js';
import { oneName, oneWinner } from './checks/writers.js';
import type { Mutation } from './support/build.js';
import { compiling, demoting, mounting, tracing, type Check, type Need } from './support/check.js';

/** A fault, and a check that is run against it. */
export interface Mutant {
  readonly check: string;
  readonly fault: string;
  readonly run: Check;
  readonly mutation: Mutation;
  /** The message of the check. A failure for another reason proves nothing. */
  readonly says: RegExp;
  readonly needs?: readonly Need[];
  /** The share of the check's rounds to run. Default: all, until the check fails. */
  readonly share?: number;
}

export const mutants: readonly Mutant[] = [
  {
    check: 'kill',
    fault: 'writes straight to the final name',
    run: kill,
    mutation: { patch: 'writesStraightToTheName' },
    says: /is torn/,
  },
  {
    check: 'kill',
    fault: 'acknowledges before it publishes',
    run: kill,
    mutation: { patch: 'renamesLate' },
    says: /was acknowledged/,
  },
  {
    check: 'sweep',
    fault: 'sweeps nothing',
    run: sweep,
    mutation: { patch: 'sweepsNothing' },
    says: /are not swept/,
  },
  {
    check: 'sweep',
    fault: 'sweeps whatever it finds',
    run: sweep,
    mutation: { patch: 'believesThatYearsHavePassed' },
    says: /young leftovers of|files were swept/,
  },
  {
    check: 'full disk',
    fault: 'ignores a short write',
    run: fullDisk,
    mutation: { patch: 'ignoresShortWrites' },
    says: /on a full disk: done/,
    needs: [mounting],
  },
  {
    check: 'full disk',
    fault: 'leaves its temporary file when it fails',
    run: fullDisk,
    mutation: { patch: 'keepsTempFiles' },
    says: /temporary files are left/,
    needs: [mounting],
  },
  {
    check: 'out of inodes',
    fault: 'does not know the error',
    run: noInodes,
    mutation: { patch: 'hidesErrorCodes' },
    says: /on a full disk: write-failed/,
    needs: [mounting],
  },
  {
    check: 'failing system calls',
    fault: 'ignores an error of fsync',
    run: systemCalls,
    mutation: { patch: 'ignoresErrorsOfFsync' },
    says: /fsync .*: done, not write-failed/,
    needs: [compiling],
  },
  {
    check: 'failing system calls',
    fault: 'ignores a short write',
    run: systemCalls,
    mutation: { patch: 'ignoresShortWrites' },
    says: /image of .* is torn/,
    needs: [compiling],
  },
  {
    check: 'failing system calls',
    fault: 'leaves its temporary file when it fails',
    run: systemCalls,
    mutation: { patch: 'keepsTempFiles' },
    says: /temporary files are left/,
    needs: [compiling],
  },
  {
    check: 'failing system calls',
    fault: 'leaves the folder open',
    run: systemCalls,
    mutation: { patch: 'leavesDirectoriesOpen' },
    says: /descriptors are left open/,
    needs: [compiling],
  },
  {
    check: 'odd names',
    fault: 'follows links at the final name',
    run: oddNames,
    mutation: { patch: 'writesStraightToTheName' },
    says: /escaping\.tif|dangling\.tif/,
  },
  {
    check: 'places that change',
    fault: 'goes by path and looks only once',
    run: changedPlaces,
    mutation: { patch: 'goesByPathAndLooksOnce' },
    says: /not folder-changed|is outside/,
    needs: [demoting],
  },
  {
    check: 'race for a folder',
    fault: 'goes by path and looks only once',
    run: race,
    mutation: { patch: 'goesByPathAndLooksOnce' },
    says: /outside/,
  },
  {
    check: 'race for a folder',
    fault: 'goes by path and looks twice',
    run: race,
    mutation: { patch: 'goesByPath' },
    says: /outside/,
  },
  {
    check: 'hostile names',
    fault: 'allows names that start with a dot',
    run: hostileNames,
    mutation: {
      wrappers: [{ wrapper: 'allowsLeadingDots', file: 'protocol/file-name.ts', name: 'checkName' }],
    },
    says: /is illegal/,
  },
  {
    check: 'hostile names',
    fault: 'allows names that lead outside',
    run: hostileNames,
    mutation: {
      wrappers: [
        { wrapper: 'allowsLeadingParents', file: 'protocol/file-name.ts', name: 'checkName' },
        { wrapper: 'widensTheSavePath', file: 'stores/folder/target.ts', name: 'openTarget' },
      ],
    },
    says: /is outside/,
    // Few of the names begin with two dots and are legal otherwise.
    share: 5,
  },
  {
    check: 'hostile queries',
    fault: 'takes a command from a nested request',
    run: hostileQueries,
    mutation: {
      wrappers: [{ wrapper: 'ignoresBrackets', file: 'protocol/parse-command.ts', name: 'parseCommand' }],
    },
    says: /nested/,
  },
  {
    check: 'slow queries',
    fault: 'has a regular expression that backtracks',
    run: slowQueries,
    mutation: {
      wrappers: [{ wrapper: 'backtracks', file: 'protocol/parse-command.ts', name: 'mightBeSaveCommand' }],
    },
    says: /a megabyte of .* takes/,
  },
  {
    check: 'load',
    fault: 'leaves its timers running',
    run: load,
    mutation: { patch: 'leavesTimersRunning' },
    says: /come to rest.*Timeout/,
    share: 0.02,
  },
  {
    check: 'load',
    fault: 'leaks the slots of saves that time out',
    run: load,
    mutation: { patch: 'leaksSlotsOfTimeouts' },
    // Or the renderer is not asked any more, once all slots are lost.
    says: /keep their slots|is not asked for/,
    share: 0.02,
  },
  {
    check: 'load',
    fault: 'leaks the slots of saves that fail',
    run: load,
    mutation: { patch: 'leaksSlotsOfFailures' },
    // Or the renderer is not asked any more, once all slots are lost.
    says: /keep their slots|is not asked for/,
    share: 0.02,
  },
  {
    check: 'load',
    fault: 'keeps every save in memory',
    run: load,
    mutation: { patch: 'keepsMemoryOfEverySave' },
    says: /come to rest.*of memory more/,
    share: 0.05,
  },
  {
    check: "memory, verify: 'header'",
    fault: 'holds the image in memory',
    run: memory('header'),
    mutation: { patch: 'keepsTheImageInMemory' },
    says: /256 MB added/,
    share: 0.256,
  },
  {
    check: 'one name, many writers',
    fault: 'writes straight to the final name',
    run: oneName,
    mutation: { patch: 'writesStraightToTheName' },
    says: /is torn/,
  },
  {
    check: 'one winner',
    fault: 'replaces what it was to keep',
    run: oneWinner,
    mutation: { patch: 'replacesOnLink' },
    says: /writers won/,
  },
  {
    check: 'power loss',
    fault: 'does not flush the file',
    run: power,
    mutation: { patch: 'flushesNoFile' },
    says: /0 calls for the fsync of the file/,
    needs: [tracing],
  },
  {
    check: 'power loss',
    fault: 'does not flush the folder',
    run: power,
    mutation: { patch: 'flushesNoFolder' },
    says: /0 calls for the fsync of the folder/,
    needs: [tracing],
  },
  {
    check: 'power loss',
    fault: 'flushes the folder too early',
    run: power,
    mutation: { patch: 'flushesTheFolderTooEarly' },
    says: /the rename has not returned when the fsync of the folder begins/,
    needs: [tracing],
  },
];
