// Standard output: written no faster than it is read, and its reader may leave.

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
