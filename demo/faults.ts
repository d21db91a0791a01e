// The ways in which the demo's renderer fails when a URL asks for it by `fault=`. The package has none of them.

import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';

type Send = (res: ServerResponse, image: Buffer, type: string) => void;

/** How long the image waits in a stopped decoder before this is killed. */
const STOPPED_MS = 300;

const children = new Set<ChildProcess>();
subscribe('child_process', (message) => {
  const { process: child } = message as { process: ChildProcess };
  children.add(child);
  child.once('exit', () => children.delete(child));
});

export const sendWhole: Send = (res, image, type) => {
  res.writeHead(200, { 'Content-Type': type, 'Content-Length': image.length }).end(image);
};

const FAULTS: ReadonlyMap<string, Send> = new Map<string, Send>([
  [
    'half',
    (res, image, type) => {
      res.writeHead(200, { 'Content-Type': type, 'Content-Length': image.length });
      res.write(image.subarray(0, image.length / 2), () => res.destroy());
    },
  ],
  [
    'page',
    (res) => {
      res
        .writeHead(200, { 'Content-Type': 'text/html' })
        .end('<!doctype html><h1>Sorry, try again later</h1>');
    },
  ],
  ['hang', () => undefined],
  [
    'kill',
    (res, image, type) => {
      const decoders = [...children].filter(({ spawnargs }) =>
        spawnargs.slice(1).some((one) => one.includes('decoder')),
      );
      // Stopped first, so that it is killed with the image in its hands. Windows cannot stop a process.
      if (process.platform !== 'win32') for (const decoder of decoders) decoder.kill('SIGSTOP');
      sendWhole(res, image, type);
      setTimeout(() => {
        for (const decoder of decoders) decoder.kill('SIGKILL');
      }, STOPPED_MS);
    },
  ],
]);

export function findFault(name: string | null): Send | undefined {
  return FAULTS.get(name ?? '');
}
