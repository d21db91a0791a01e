// One name, many writers.
import { oneName, oneWinner } from './checks/writers.js';
import { check, replacesOpenFiles } from './support/check.js';

check('one name, many writers', oneName, replacesOpenFiles);
check('one winner', oneWinner);
