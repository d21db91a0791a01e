// One command and its reply, as the core sees them: the interface of everything that starts a save.
import type { SaveError } from '../errors.js';
import type { SaveOutcome } from '../protocol/reply.js';

/** The save that a renderer renders for. */
export interface Save {
  /** The name of the image, relative to the save folder. */
  readonly name: string;
  /** Aborts when the image is no longer wanted: stop rendering. Its reason is a `SaveError`. */
  readonly signal: AbortSignal;
  /**
   * Refuses the image that the renderer is about to send, such as a placeholder. The client gets the reason in
   * `error.message`, so keep secrets out of it.
   */
  readonly refuse: (reason?: string) => void;
}

/** Consecutive chunks of a body. They do not change any more. */
export interface BodyChunks {
  readonly chunks: readonly Buffer[];
  /** The body ends with these chunks. Where this is false, it may end nevertheless. */
  readonly last: boolean;
}

/** The head of a rendered response, as far as a save depends on it. */
export interface ResponseHead {
  /** 200 where the image did not come by HTTP. */
  readonly status: number;
  readonly contentLength: string | undefined;
  readonly contentEncoding: string;
  /** Whether the bytes may have lost the encoding on the way, or never had it. */
  readonly mayBeDecoded?: boolean;
  readonly retryAfter?: string | undefined;
}

export interface RenderedImage extends ResponseHead {
  /** Ends with an error if the renderer has not sent its whole response. */
  readonly body: AsyncIterable<BodyChunks>;
}

/** One command and its reply: by HTTP, or by a call from code. */
export interface Exchange {
  /** When the command arrived, a reading of `performance.now()`. */
  readonly arrival: number;
  /** What stores, `authorize` and a `savePath` function get: the request, or undefined from code. */
  readonly request: unknown;
  /** How a client has sent the command, with its `Sec-Fetch-Site`; undefined from code. */
  readonly sentBy?: { readonly method: string | undefined; readonly site: unknown };
  /**
   * @param abort Ends the save at any time from now on, as when the client disconnects. More calls do no harm.
   * @returns Called before the reply: the client is watched no more.
   */
  begin(abort: (error: SaveError) => void): () => void;
  /** The name, not yet checked, and the time limit in milliseconds. @throws SaveError The command is malformed. */
  readCommand(): { readonly name: string; readonly timeout?: number | undefined };
  /** Has the image rendered. Rejects if that is impossible. */
  render(save: Save): RenderedImage | Promise<RenderedImage>;
  /** No more is read of the rendered response. Called once, whether or not there is one. */
  endReading(): unknown;
  /** Calls a function of the operator with its first argument and the client's request, as that came. */
  callHook<First>(hook: (first: First, request: unknown) => unknown, first: First): unknown;
  /** Replies. Called once. Must not throw. */
  reply(outcome: SaveOutcome): void;
}
