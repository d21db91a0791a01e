// A job, its result, and the options and errors of a batch.

/** One image to save. Its further fields, such as `sku`, are in its result and in the ledger. */
export interface SaveJob {
  /** The image, as an absolute URL or, with the option `server`, as a path: `/is/image/shoe?wid=800`. */
  readonly url: string;
  /** Where to save it, relative to the server's save folder: `products/shoe.jpg`. */
  readonly name: string;
  /** Milliseconds that the server may take. Without it, the server decides. */
  readonly timeout?: number | undefined;
}

/** How a job ended. */
export interface SaveResult {
  /** The job's. Both are empty where the job could not be read. */
  readonly url: string;
  readonly name: string;
  /** `skipped`: an earlier batch with the same ledger has saved it, or the list has it twice (`code` is `repeated`). */
  readonly status: 'done' | 'failed' | 'skipped';
  /** Why it failed: the server's `error.code`, or one of the batch's own, which `docs/batch.md` lists. */
  readonly code?: string;
  /** What to do about it; only when failed. */
  readonly message?: string;
  /** The status of the rendered response; only with `renderer-status`. */
  readonly rendererStatus?: number;
  /** Length of the saved file, if the server says it. */
  readonly bytes?: number;
  /** Width × height × pages, if the server says it. */
  readonly pixels?: number;
  /** Requests that were sent. */
  readonly attempts: number;
  /** From the first request to the end, waiting between attempts included. */
  readonly milliseconds: number;
  /** When it ended, as in `2026-11-24T20:15:00.000Z`. */
  readonly at: string;
  /** The further fields of the job, except those that bear a name of this list. */
  readonly [field: string]: unknown;
}

/** Options of a batch. All are optional. */
export interface SaveAllOptions {
  /** The server of URLs that are paths, such as `http://localhost:3000`. */
  readonly server?: string | undefined;
  /** Headers of every request: `{ Authorization: 'Bearer …' }`, or lines as in `['Authorization: Bearer …']`. */
  readonly header?: Readonly<Record<string, string>> | readonly string[] | undefined;
  /** Requests at once, at most: 8 unless it is set. A server that is too busy gets fewer. */
  readonly concurrency?: number | undefined;
  /** Further attempts of a job whose failure may pass: 5 unless it is set. */
  readonly retries?: number | undefined;
  /** Milliseconds that the server may take for jobs without a `timeout` of their own. */
  readonly timeout?: number | undefined;
  /**
   * A file that gets a line of JSON for each job that has ended. A later batch with the same file skips the jobs that
   * are done and tries the others again. It is made if it does not exist; its folder must exist.
   */
  readonly ledger?: string | undefined;
  /** `2/4` takes only the second of four parts of the list: for four machines, each with a ledger of its own. */
  readonly shard?: string | undefined;
  /** Ends the batch at once when it aborts: running requests are broken off, and the iteration throws its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** An entry of a list, as it was read. */
export interface JobEntry<Job = unknown> {
  /** Where it stands, as in `jobs.txt:12`. */
  readonly where: string;
  /** What should be a {@link SaveJob}, or an {@link InvalidJob}. */
  readonly job: Job;
}

export type Entries = AsyncIterable<JobEntry>;

/** What is wrong with an entry of a list that is no job, and how it should be. */
export class InvalidJob extends TypeError {}

/** The batch cannot start, or cannot go on, as it was called. The message names the fix. */
export class UsageError extends TypeError {
  override readonly name = 'UsageError';
}

/** The batch has ended early, because the same error kept coming and would meet every other job too. */
export class GaveUpError extends Error {
  override readonly name = 'GaveUpError';

  /** @param folders The folders that the server lacks, below its save folder; only with `folder-missing`. */
  constructor(
    /** That of the last result. */
    readonly code: string,
    message: string,
    readonly folders: readonly string[],
  ) {
    super(message);
  }
}
