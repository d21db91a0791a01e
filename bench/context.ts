// The input and the results of every suite.
import type { Finding } from './comparison.js';
import type { Images } from './images.js';
import type { AppSettings } from './server.js';

/** A build of the middleware. */
export interface Library {
  /** How the tables call it. */
  readonly name: string;
  /** Its file that exports `imageSave`. */
  readonly path: string;
}

export interface BenchContext {
  /** This checkout's build, and the one of `--against`, if there is one. */
  readonly libraries: readonly [Library, ...Library[]];
  readonly images: Images;
  /** A directory in memory where there is one, so that code is compared rather than disks. */
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

/** Measures and prints. */
export type Suite = (context: BenchContext) => Promise<void>;

/** The ways to save that are compared. */
export type Mode = 'header' | 'header, durable' | 'pixels' | 'default options';

export const MODES: readonly Mode[] = ['header', 'header, durable', 'pixels', 'default options'];

export function createApp(saves: AppSettings['saves'], mode: Mode, context: BenchContext): AppSettings {
  const durable = mode === 'header, durable' || mode === 'default options';
  const verify = mode.startsWith('header') ? 'header' : 'pixels';
  const savePath = durable ? context.diskDir : context.memoryDir;
  return { saves, options: { savePath, verify, durable } };
}

/** The builds by their names in the tables: this checkout's, the same again as the control, then the other one. */
export function nameLibraries({ libraries }: BenchContext): [string, { library: string }][] {
  const [own, ...others] = libraries;
  return [own, { ...own, name: 'control' }, ...others].map(({ name, path }) => [name, { library: path }]);
}

/** How often to do something: next to never in a quick run. */
export function scale(context: BenchContext, count: number, min = 1): number {
  return context.quick ? Math.max(min, Math.ceil(count / 20)) : count;
}
