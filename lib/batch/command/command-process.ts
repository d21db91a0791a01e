// The process of the command, as far as it uses it.
import type { Readable } from 'node:stream';
import type { ErrorOutput } from './progress.js';

export interface CommandProcess {
  /** Without the paths of Node and the program. */
  readonly args: readonly string[];
  /** Of the package. */
  readonly version: string;
  readonly stdin: Readable;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & ErrorOutput;
  /** Calls the listener at each Ctrl-C or SIGTERM, until the function that it returns is called. */
  onInterrupt(listener: () => void): () => void;
  /** Ends the process at once. */
  exit(status: number): void;
}
