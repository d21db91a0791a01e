// Issue 3, item 3: system calls that fail.
import { descriptors, systemCalls } from './checks/system-calls.js';
import { check, compiling, linux } from './support/check.js';

check('failing system calls', systemCalls, linux, compiling);
check('no descriptors left', descriptors, linux);
