// Load, and the state of the server after it.
import { load } from './checks/load.js';
import { check } from './support/check.js';

check('load', load);
