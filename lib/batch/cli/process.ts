// The process of the program: its streams, its signals, and an output that waits for its reader.
import type { Readable } from 'node:stream';

/** A terminal or a stream of text. */
export interface ErrorOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The parts of `process` that the program uses, so that specs can replace them. */
export interface CliProcess {
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

/** Standard output, written no faster than it is read. Its reader may leave. */
export interface Output {
  /** Resolves when more may be written. */
  write(text: string): Promise<void>;
  /** What is written now is lost: the reader has gone, as `head` does, or `failure` says why. */
  readonly isClosed: boolean;
  /** Why it cannot be written, where no reader has left: the disk is full, say. */
  readonly failure: Error | undefined;
}

/** @param whenClosed Called once if nothing more can be written. */
export function openOutput(stream: NodeJS.WritableStream, whenClosed: () => void = () => undefined): Output {
  let [isClosed, failure] = [false, undefined as Error | undefined];
  let resume = (): void => undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') failure ??= error;
    if (!isClosed) whenClosed();
    isClosed = true;
    resume();
  });
  stream.on('drain', () => {
    resume();
  });
  return {
    get isClosed() {
      return isClosed;
    },
    get failure() {
      return failure;
    },
    async write(text) {
      if (isClosed || stream.write(text)) return;
      await new Promise<void>((resolve) => (resume = resolve));
    },
  };
}
