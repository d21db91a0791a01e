// The engine of a batch: takes jobs from the list, sends them, tries again, and hands out the results.
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { whenAborted } from '../abort.js';
import { Ledger } from './ledger.js';
import { checkBatchOptions, type BatchSettings } from './options.js';
import type { Outcome } from './outcome.js';
import { FailureRow, Pace, retryDelay } from './pace.js';
import { prepareJobs, type PreparedJob } from './prepare-job.js';
import { SaveClient } from './save-client.js';
import { InvalidJob } from './types.js';
import type { Entries, JobEntry, ReadableJob, SaveAllOptions, SaveJob, SaveResult } from './types.js';

/**
 * Saves many images: sends a save command for each job and follows it to its end.
 *
 * Jobs are taken from the iterable when they can be sent, so that a list may be endless. Results come in the order in
 * which jobs end, also those of jobs that failed, with the further fields of the job (`sku`). Leaving the loop early
 * breaks off the running requests.
 *
 * @param jobs Any iterable or async iterable of jobs. What is no job fails as `invalid-job`.
 * @throws TypeError An option is wrong, the ledger cannot be used, or the first hundred entries are no jobs; the message
 * names the fix.
 * @throws Error The same error would meet every job, ten times in a row: its `code` is that of the results. The reason
 * of the signal, when it aborts. What the iterable itself throws.
 * @example
 * const jobs = [{ url: '/is/image/shoe?wid=800', name: 'shoe-800.jpg' }];
 * for await (const result of saveAll(jobs, { server: 'http://localhost:3000', ledger: 'done.ndjson' })) {
 *   if (result.status === 'failed') console.error(result.name, result.code, result.message);
 * }
 */
export function saveAll<Job extends SaveJob>(
  jobs: Iterable<Job> | AsyncIterable<Job>,
  options?: SaveAllOptions,
): AsyncGenerator<SaveResult, void, undefined> {
  // Checked now and not at the first step of the loop, so that the stack shows the caller.
  const settings = checkBatchOptions(options);
  return run();

  async function* run(): AsyncGenerator<SaveResult, void, undefined> {
    const ledger = settings.ledger === undefined ? undefined : await Ledger.open(settings.ledger);
    try {
      yield* new Engine(number(), settings, ledger).run();
    } finally {
      await ledger?.close();
    }
  }

  async function* number(): AsyncGenerator<JobEntry> {
    let count = 0;
    for await (const job of jobs) yield { where: `job ${++count}`, job };
  }
}

interface Task extends PreparedJob {
  /** When its first request was sent. */
  begin: number;
  attempts: number;
}

/** When more jobs per slot wait for a busy server, no new one begins: otherwise it would be asked for all at once. */
const MAX_WAITING_FACTOR = 16;

/**
 * One batch, with `concurrency` slots for jobs. A job keeps its slot until its line is in the ledger, so a kill makes the
 * next batch repeat no more jobs than there are slots; but one that the server is too busy for waits without a slot.
 */
export class Engine {
  readonly #jobs: ReturnType<typeof prepareJobs>;
  readonly #settings: BatchSettings;
  readonly #ledger: Ledger | undefined;
  readonly #onRetry: ((outcome: Outcome) => void) | undefined;
  readonly #client: SaveClient;
  readonly #pace: Pace;
  readonly #failureRow = new FailureRow();
  /** Those that the consumer has not taken yet. */
  readonly #results: SaveResult[] = [];
  /** Jobs that have a slot; those that wait without one, and of these, those whose wait is over. */
  #active = 0;
  #waiting = 0;
  readonly #due: Task[] = [];
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
    entries: Entries,
    settings: BatchSettings,
    ledger: Ledger | undefined,
    onRetry?: (outcome: Outcome) => void,
  ) {
    this.#jobs = prepareJobs(entries, settings);
    this.#settings = settings;
    this.#ledger = ledger;
    this.#onRetry = onRetry;
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
   * @throws GaveUpError The same error would meet every job; running requests have ended.
   * @throws Error The list of jobs fails; running requests have ended.
   * @throws Error The ledger fails, or the signal aborts; running requests are broken off.
   */
  async *run(): AsyncGenerator<SaveResult, void, undefined> {
    const { signal } = this.#settings;
    const stopWatching = whenAborted(signal, () => {
      this.#fail(signal?.reason);
    });
    void this.#readList();
    try {
      for (;;) {
        if (this.#fatal !== undefined) throw this.#fatal.error;
        const result = this.#results.shift();
        if (result !== undefined) {
          this.#change();
          yield result;
        } else if (this.#hasEnded()) break;
        else await this.#nextChange();
      }
      if (this.#ending !== undefined) throw this.#ending.error;
    } finally {
      stopWatching();
      this.#fail(undefined);
      // A list that waits for its next job, as from a terminal, would answer only after it.
      this.#jobs.return(undefined).catch(() => undefined);
    }
  }

  #hasEnded(): boolean {
    return this.#active === 0 && (this.#isStopping || (this.#isExhausted && this.#waiting === 0));
  }

  /** Gives free slots to jobs whose wait is over, and lets whatever waits for a change look again. */
  #change(): void {
    const free = this.#isStopping ? 0 : this.#settings.concurrency - this.#active;
    for (const task of this.#due.splice(0, free)) {
      this.#waiting--;
      this.#run(this.#save(task));
    }
    for (const resolve of this.#watchers.splice(0)) resolve();
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
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

  /** Starts the jobs of the list, each when there is a slot for it. */
  async #readList(): Promise<void> {
    while (!this.#isStopping && !this.#isExhausted) {
      if (!this.#mayTake()) {
        await this.#nextChange();
        continue;
      }
      try {
        const next = await this.#jobs.next();
        if (next.done === true) this.#isExhausted = true;
        else this.#take(next.value);
      } catch (error) {
        this.#endWith(error);
      }
      this.#change();
    }
  }

  #mayTake(): boolean {
    const { concurrency } = this.#settings;
    // A consumer that is slower than the server must not make results pile up.
    if (this.#active >= concurrency || this.#results.length >= concurrency) return false;
    return this.#waiting < MAX_WAITING_FACTOR * concurrency;
  }

  #take(job: PreparedJob | InvalidJob): void {
    if (this.#isStopping) return;
    if (job instanceof InvalidJob) this.#run(this.#reject(job));
    else if (job.isRepeated) this.#results.push(createResult(job, { status: 'skipped', code: 'repeated' }));
    else if (this.#ledger?.isDone(job) === true) this.#results.push(createResult(job, { status: 'skipped' }));
    else this.#run(this.#save({ ...job, begin: 0, attempts: 0 }));
  }

  /** Keeps a slot until some work has ended. */
  #run(work: Promise<void>): void {
    this.#active++;
    const end = (): void => {
      this.#active--;
      this.#change();
    };
    work.then(end, (error: unknown) => {
      this.#fail(error);
      end();
    });
  }

  /** An entry without a URL and a name cannot be in the ledger. */
  async #reject({ where, reason, job }: InvalidJob): Promise<void> {
    const failure = { status: 'failed', code: 'invalid-job', message: `${where}: ${reason}` } as const;
    const result = createResult(job ?? { url: '', name: '', fields: {} }, failure);
    if (job !== undefined) await this.#ledger?.append(result);
    this.#results.push(result);
  }

  /** Sends a job until it has its result, or waits without a slot. */
  async #save(task: Task): Promise<void> {
    for (;;) {
      const outcome = await this.#send(task);
      if (outcome === undefined) return;
      if (outcome.retry !== true || task.attempts > this.#settings.retries) {
        await this.#finish(task, outcome);
        return;
      }
      // The next batch tries it again.
      if (this.#isStopping) return;
      this.#onRetry?.(outcome);
      const wait = this.#sleep(retryDelay(task.attempts, outcome, this.#hasReplied));
      // A refusal cost the server nothing, so that other jobs may go on. After a failure, they would fail as well.
      if (outcome.isBusy === true) {
        this.#waiting++;
        void wait.then(() => {
          this.#due.push(task);
          this.#change();
        });
        return;
      }
      await wait;
    }
  }

  /** Resolves after so many milliseconds, or when the batch stops. */
  #sleep(milliseconds: number): Promise<void> {
    return sleep(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  /** Sends a job once, as soon as that may be. Undefined where the batch has stopped or failed. */
  async #send(task: Task): Promise<Outcome | undefined> {
    while (!this.#isStopping && !this.#maySend()) {
      const pause = this.#pace.remainingPause();
      await (pause > 0 ? this.#sleep(pause) : this.#nextChange());
    }
    if (this.#isStopping) return undefined;
    this.#inFlight++;
    if (task.attempts++ === 0) task.begin = performance.now();
    const { decreases } = this.#pace;
    try {
      const outcome = await this.#client.save(task.request);
      // The requests that `close` broke off have no outcome.
      if (this.#fatal !== undefined) return undefined;
      this.#pace.record(outcome, decreases);
      if (outcome.isUnanswered !== true) this.#hasReplied = true;
      return outcome;
    } finally {
      this.#inFlight--;
      this.#change();
    }
  }

  #maySend(): boolean {
    if (this.#pace.remainingPause() > 0) return false;
    return this.#inFlight < this.#pace.limit && this.#results.length < this.#settings.concurrency;
  }

  async #finish(task: Task, outcome: Outcome): Promise<void> {
    const milliseconds = Math.round(performance.now() - task.begin);
    const result = createResult(task, { ...outcome.result, attempts: task.attempts, milliseconds });
    await this.#ledger?.append(result);
    this.#results.push(result);
    const reason = this.#failureRow.add(result);
    if (reason !== undefined) this.#endWith(reason);
  }
}

/** A result begins with the URL, as the lines of a ledger do. */
function createResult(
  { url, name, fields }: ReadableJob,
  more: Pick<SaveResult, 'status'> & Partial<SaveResult>,
): SaveResult {
  const { attempts = 0, milliseconds = 0, ...outcome } = more;
  return { url, name, ...outcome, attempts, milliseconds, at: new Date().toISOString(), ...fields };
}
