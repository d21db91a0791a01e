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

export interface Output {
  /** Resolves when more may be written. */
  write(text: string): Promise<void>;
  /** The reader has gone, as `head` does: what is written now is lost. */
  readonly isClosed: boolean;
}

/** @param whenClosed Called once if the reader leaves. */
export function openOutput(stream: NodeJS.WritableStream, whenClosed: () => void = () => undefined): Output {
  let isClosed = false;
  let resume = (): void => undefined;
  stream.on('error', () => {
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
    async write(text) {
      if (isClosed || stream.write(text)) return;
      await new Promise<void>((resolve) => (resume = resolve));
    },
  };
}
