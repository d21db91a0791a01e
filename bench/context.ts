// The input and the results of every suite: a function that measures and prints.
import type { Finding } from './results.js';
import type { AppSettings, Contestant } from './server.js';

export interface BenchContext {
  /** This checkout's build, and the one of `--against`, if there is one. */
  readonly libraries: readonly Contestant[];
  /** The same, with this checkout's build again in the second place: the control. */
  readonly compared: readonly Contestant[];
  /** A directory in memory where there is one, so that code is compared rather than disks. It has the images. */
  readonly memoryDir: string;
  /** A directory on a disk, for saves that flush. */
  readonly diskDir: string;
  /** Few requests, to see that all works: the figures mean nothing. */
  readonly quick: boolean;
  /** Prints a part of the results. */
  readonly print: (markdown: string) => void;
  /** What the comparisons have found so far. */
  readonly findings: Finding[];
}

/** The ways to save that are compared. */
export const MODES = {
  header: { verify: 'header', durable: false },
  'header, durable': { verify: 'header', durable: true },
  pixels: { verify: 'pixels', durable: false },
  'default options': { verify: 'pixels', durable: true },
} as const;

export type Mode = keyof typeof MODES;

export function createApp(contestant: Contestant, mode: Mode, context: BenchContext): AppSettings {
  const { verify, durable } = MODES[mode];
  return { ...contestant, verify, durable, savePath: durable ? context.diskDir : context.memoryDir };
}
