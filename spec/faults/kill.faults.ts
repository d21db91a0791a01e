// A crash at any moment tears nothing, loses nothing, and leaves nothing for long.
import { kill, sweep } from './checks/kill.js';
import { check, linux } from './support/check.js';

check('kill', kill, linux);
check('sweep', sweep, linux);
