// Hostile names and queries.
import { hostileNames, hostileQueries, slowQueries } from './checks/names.js';
import { check, linux } from './support/check.js';

check('hostile names', hostileNames, linux);
check('hostile queries', hostileQueries, linux);
check('slow queries', slowQueries, linux);
