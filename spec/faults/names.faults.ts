// Hostile names and queries.
import { hostileNames, hostileQueries, slowQueries } from './checks/names.js';
import { check } from './support/check.js';

check('hostile names', hostileNames);
check('hostile queries', hostileQueries);
check('slow queries', slowQueries);
