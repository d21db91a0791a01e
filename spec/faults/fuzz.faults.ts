// Hostile image files.
import { FORMATS } from '../support/walk-fuzz.js';
import { fuzz } from './checks/fuzz.js';
import { check } from './support/check.js';

for (const format of FORMATS) check(`hostile ${format} files`, fuzz(format));
