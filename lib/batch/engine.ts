// The engine of a batch: takes jobs from the list, sends them, tries again, and hands out the results.
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { whenAborted } from '../abort.js';
import { openLedger, type Ledger } from './ledger.js';
import type { BatchSettings } from './options.js';
import type { Outcome } from './outcome.js';
import { FailureRow, Pace, retryDelay } from './pace.js';
import { prepareJobs, type PreparedJob } from './prepare-job.js';
import { SaveClient } from './save-client.js';
import type { Entries, SaveResult } from './types.js';

/** When more jobs per slot wait for a busy server, no new one begins: otherwise it would be asked for all at once. */
const MAX_WAITING_FACTOR = 16;

/**
 * One batch, with `concurrency` slots for jobs. A job gets one when it is sent and keeps it until its line is in the
 * ledger, so a kill makes the next batch repeat no more jobs than there are slots; but one that the server is too busy
 * for waits without a slot.
 */
export class Engine {
  readonly #client: SaveClient;
  readonly #pace: Pace;
  readonly #failureRow = new FailureRow();
  #ledger: Ledger | undefined;
  /** Those that the consumer has not taken yet. */
  readonly #results: SaveResult[] = [];
  /** Jobs that have begun and not ended; those of them that have a slot; those that want to send a request. */
  #begun = 0;
  readonly #slots = new Set<PreparedJob>();
  readonly #queue = new Map<PreparedJob, () => void>();
  #inFlight = 0;
  #isExhausted = false;
  #hasReplied = false;
  readonly #stopping = new AbortController();
  /** Why the batch ends early, after the running requests. */
  #ending: { readonly error: unknown } | undefined;
  /** Why it ends at once. */
  #fatal: { readonly error: unknown } | undefined;
  readonly #watchers: (() => void)[] = [];

  /** @param onRetry Called when an attempt has failed, and another one follows. */
  constructor(
    private readonly entries: Entries,
    private readonly settings: BatchSettings,
    private readonly onRetry?: (outcome: Outcome) => void,
  ) {
    this.#client = new SaveClient(settings);
    this.#pace = new Pace(settings.concurrency);
    // Each job that waits for its next attempt listens.
    setMaxListeners(0, this.#stopping.signal);
  }

  /** Requests that are running. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Lets running requests end and begins none. Jobs that wait for their next attempt are left without a result. */
  stop(): void {
    this.#stopping.abort();
    this.#change();
  }

  /**
   * The results, as jobs end.
   *
   * @throws UsageError The ledger cannot be used.
   * @throws GaveUpError The same error would meet every job; running requests have ended.
   * @throws Error The list of jobs fails; running requests have ended.
   * @throws Error The ledger fails, or the signal aborts; running requests are broken off.
   */
  async *run(): AsyncGenerator<SaveResult, void, undefined> {
    const { ledger, signal } = this.settings;
    if (ledger !== undefined) this.#ledger = await openLedger(ledger);
    const stopWatching = whenAborted(signal, () => {
      this.#fail(signal?.reason);
    });
    const list = prepareJobs(this.entries, this.settings, this.#ledger?.done);
    void this.#readList(list);
    try {
      for (;;) {
        if (this.#fatal !== undefined) throw this.#fatal.error;
        const result = this.#results.shift();
        if (result !== undefined) {
          this.#change();
          yield result;
        } else if (this.#begun === 0 && (this.#isExhausted || this.#isStopping)) break;
        else await this.#nextChange();
      }
      if (this.#ending !== undefined) throw this.#ending.error;
    } finally {
      stopWatching();
      this.#fail(undefined);
      // A list that waits for its next job, as from a terminal, would answer only after it.
      list.return(undefined).catch(() => undefined);
      await this.#ledger?.close();
    }
  }

  /** Lets jobs send that may, and whatever waits for a change look again. */
  #change(): void {
    for (const [job, resolve] of this.#queue) {
      if (!this.#isStopping && !this.#maySend()) break;
      this.#queue.delete(job);
      this.#slots.add(job);
      this.#inFlight++;
      resolve();
    }
    for (const resolve of this.#watchers.splice(0)) resolve();
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
  }

  #maySend(): boolean {
    const { concurrency } = this.settings;
    if (this.#slots.size >= concurrency || this.#inFlight >= this.#pace.limit) return false;
    // A consumer that is slower than the server must not make results pile up.
    return this.#results.length < concurrency && this.#pace.remainingPause() === 0;
  }

  #fail(error: unknown): void {
    this.#fatal ??= { error };
    // Now, and not when the consumer asks for its next result: it may be busy with the last one.
    this.#client.close();
    this.stop();
  }

  #endWith(error: unknown): void {
    this.#ending ??= { error };
    this.stop();
  }

  /** Starts the jobs of the list, each when it can be sent. */
  async #readList(list: ReturnType<typeof prepareJobs>): Promise<void> {
    const maxWaiting = MAX_WAITING_FACTOR * this.settings.concurrency;
    try {
      while (!this.#isStopping && !this.#isExhausted) {
        if (!this.#maySend() || this.#begun - this.#slots.size >= maxWaiting) {
          await this.#nextChange();
          continue;
        }
        const { value: job } = await list.next();
        if (job === undefined) this.#isExhausted = true;
        else void this.#start(job);
        this.#change();
      }
    } catch (error) {
      this.#endWith(error);
    }
  }

  async #start(job: PreparedJob): Promise<void> {
    if (this.#isStopping) return;
    this.#begun++;
    try {
      await (job.result === undefined ? this.#save(job) : this.#end(createResult(job, job.result)));
    } catch (error) {
      this.#fail(error);
    }
    this.#begun--;
    this.#slots.delete(job);
    this.#change();
  }

  /** Sends a job until it has its result, or the batch stops: the next one tries again. */
  async #save(job: PreparedJob): Promise<void> {
    let begin: number | undefined;
    for (let attempts = 1; ; attempts++) {
      await new Promise<void>((resolve) => {
        this.#queue.set(job, resolve);
        this.#change();
      });
      begin ??= performance.now();
      const outcome = await this.#send(job);
      if (outcome === undefined) return;
      if (outcome.retry !== true || attempts > this.settings.retries) {
        const milliseconds = Math.round(performance.now() - begin);
        const result = createResult(job, outcome.result, attempts, milliseconds);
        await this.#end(result);
        const reason = this.#failureRow.add(result);
        if (reason !== undefined) this.#endWith(reason);
        return;
      }
      if (this.#isStopping) return;
      this.onRetry?.(outcome);
      const wait = this.#sleep(retryDelay(attempts, outcome, this.#hasReplied));
      // After a failure the job keeps its slot, since others would fail too. After a refusal another job may take it.
      if (outcome.isBusy === true) {
        this.#slots.delete(job);
        this.#change();
      }
      await wait;
      this.#slots.delete(job);
    }
  }

  /** Resolves after so many milliseconds, or when the batch stops. */
  #sleep(milliseconds: number): Promise<void> {
    return sleep(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  async #waitForPause(): Promise<void> {
    for (let pause; !this.#isStopping && (pause = this.#pace.remainingPause()) > 0;) await this.#sleep(pause);
    this.#change();
  }

  /** Sends a job once. Undefined where the batch has stopped before, or has broken the request off. */
  async #send(job: PreparedJob): Promise<Outcome | undefined> {
    const { decreases } = this.#pace;
    try {
      if (this.#isStopping) return undefined;
      const outcome = await this.#client.save(job);
      if (this.#fatal !== undefined) return undefined;
      this.#pace.record(outcome, decreases);
      if (outcome.isUnanswered !== true) this.#hasReplied = true;
      if (outcome.isRateLimit === true) void this.#waitForPause();
      return outcome;
    } finally {
      this.#inFlight--;
      this.#change();
    }
  }

  /** Hands a result out, as soon as its line is in the ledger. */
  async #end(result: SaveResult): Promise<void> {
    // An entry without a URL and a name cannot be in the ledger.
    if (result.status !== 'skipped' && result.url !== '') await this.#ledger?.append(result);
    this.#results.push(result);
  }
}

/** A result begins with the URL, as the lines of a ledger do. */
function createResult(
  { url, name, fields }: PreparedJob,
  outcome: Outcome['result'],
  attempts = 0,
  milliseconds = 0,
): SaveResult {
  return { url, name, ...outcome, attempts, milliseconds, at: new Date().toISOString(), ...fields };
}
