// Issue 3, item 9: what is acknowledged survives a power cut.
import { power } from './checks/power.js';
import { check, linux, tracing } from './support/check.js';

check('power loss', power, linux, tracing);
