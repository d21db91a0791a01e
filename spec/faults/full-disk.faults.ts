// A full disk, in bytes and in files.
import { fullDisk, noInodes } from './checks/full-disk.js';
import { check, fromCode, linux, mounting } from './support/check.js';

check('full disk', fullDisk, linux, mounting);
check('full disk, saves from code', fromCode(fullDisk), linux, mounting);
check('out of inodes', noInodes, linux, mounting);
