// All suites, in the order in which they run. A new suite is a file here and a line in this list.
import type { Suite } from '../context.js';
import { batch } from './batch.js';
import { isolation } from './isolation.js';
import { overload } from './overload.js';
import { passThrough } from './pass-through.js';
import { saves } from './saves.js';
import { waiting } from './waiting.js';

export const SUITES: Readonly<Record<string, Suite>> = {
  'pass-through': passThrough,
  saves,
  overload,
  waiting,
  isolation,
  batch,
};
