// One name, many writers.
import { oneName, oneWinner } from './checks/writers.js';
import { check, linux } from './support/check.js';

check('one name, many writers', oneName, linux);
check('one winner', oneWinner, linux);
