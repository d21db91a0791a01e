// The calls to the file system that every save makes. Node's promises of them, and its file handles, cost twice as much.
import fs from 'node:fs';
import { promisify } from 'node:util';

export const disk = {
  access: promisify(fs.access),
  close: promisify(fs.close),
  fstat: promisify(fs.fstat),
  fsync: promisify(fs.fsync),
  link: promisify(fs.link),
  lstat: promisify(fs.lstat),
  open: promisify(fs.open),
  read: promisify(fs.read),
  readlink: promisify(fs.readlink),
  realpath: promisify(fs.realpath.native),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  writev: promisify(fs.writev),
};
