// Preloaded into a program of the documents: its server gets a free port instead of 3000, and prints it. A program may
// have another server of its own, which asks for a free port itself.
import { Server } from 'node:net';

const { listen } = Server.prototype;

Server.prototype.listen = function (port, ...rest) {
  const { port: wanted, ...others } = typeof port === 'object' ? port : { port };
  if (wanted === 0) return listen.call(this, port, ...rest);
  if (wanted !== 3000) throw new Error(`The documents say port 3000, this program ${wanted}`);
  this.once('listening', () => process.send({ port: this.address().port }));
  return listen.call(this, typeof port === 'object' ? { ...others, port: 0 } : 0, ...rest);
};
