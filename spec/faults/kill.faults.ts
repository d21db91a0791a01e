// After a crash at any moment, no image is torn or lost, and temporary files are soon removed.
import { kill, sweep } from './checks/kill.js';
import { check, fromCode } from './support/check.js';

check('kill', kill);
check('kill, saves from code', fromCode(kill));
check('sweep', sweep);
