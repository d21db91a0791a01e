// An acknowledged image survives a power cut.
import { power } from './checks/power.js';
import { check, linux, tracing } from './support/check.js';

check('power loss', power, linux, tracing);
