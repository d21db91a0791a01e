// System calls that fail.
import { descriptors, systemCalls } from './checks/system-calls.js';
import { check, compiling, linux } from './support/check.js';

check('failing system calls', systemCalls, linux, compiling);
check('no descriptors left', descriptors, linux);
