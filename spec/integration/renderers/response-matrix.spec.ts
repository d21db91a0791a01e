// All rows of the response matrix. `npm test` has each pair of host, middleware and way to respond.
import { combinations, testCombinations } from '../../support/response-matrix.js';

testCombinations(combinations);
