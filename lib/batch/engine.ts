// The engine of a batch: takes jobs as slots become free, sends them, tries again, and hands out the results.
import { Ledger } from './ledger.js';
import { checkBatchOptions, type BatchSettings } from './options.js';
import type { Outcome } from './outcome.js';
import { FailureRow, Pace, retryDelay } from './pace.js';
import { prepareJobs, type JobEntry, type PreparedJob } from './prepare-job.js';
import { SaveClient } from './save-client.js';
import { Slots } from './slots.js';
import { InvalidJob, type ReadableJob, type SaveAllOptions, type SaveJob, type SaveResult } from './types.js';

/**
 * Saves many images: sends a save command for each job and follows it to its end.
 *
 * Jobs are taken from the iterable as slots become free, so that a list may be endless. Results come in the order in
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

  async function* number(): AsyncGenerator<JobEntry, void, undefined> {
    let count = 0;
    for await (const job of jobs) yield { where: `job ${++count}`, job };
  }
}

/** A job that has been taken from the list. */
interface Task extends PreparedJob {
  /** When its first request was sent. */
  begin: number;
  attempts: number;
}

/**
 * One batch. A job keeps its slot until its line is in the ledger: a kill makes the next batch repeat no more jobs than
 * there are slots.
 */
export class Engine {
  readonly #jobs: AsyncGenerator<PreparedJob | InvalidJob>;
  readonly #settings: BatchSettings;
  readonly #ledger: Ledger | undefined;
  readonly #onRetry: (outcome: Outcome) => void;
  readonly #client: SaveClient;
  readonly #pace: Pace;
  readonly #slots: Slots<Task>;
  readonly #results: SaveResult[] = [];
  #inFlight = 0;
  #isTaking = false;
  /** There are no more jobs, or none is wanted. */
  #isExhausted = false;
  #isStopping = false;
  #hasReplied = false;
  readonly #failureRow = new FailureRow();
  #pause: NodeJS.Timeout | undefined;
  /** Why the batch ends early, after the running requests. */
  #ending: { readonly error: unknown } | undefined;
  #fatal: { readonly error: unknown } | undefined;
  #resume: () => void = () => undefined;

  /** @param onRetry Called when an attempt has failed, and another one follows. */
  constructor(
    entries: AsyncIterable<JobEntry | InvalidJob>,
    settings: BatchSettings,
    ledger: Ledger | undefined,
    onRetry: (outcome: Outcome) => void = () => undefined,
  ) {
    this.#jobs = prepareJobs(entries, settings);
    this.#settings = settings;
    this.#ledger = ledger;
    this.#onRetry = onRetry;
    this.#client = new SaveClient(settings);
    this.#pace = new Pace(settings.concurrency);
    this.#slots = new Slots(settings.concurrency);
  }

  /** Requests that are running. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Lets running requests end and begins none. Jobs that wait for their next attempt are left without a result. */
  stop(): void {
    this.#isStopping = this.#isExhausted = true;
    this.#slots.clear();
    this.#proceed();
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
    const abort = (): void => {
      this.#fail(signal?.reason);
    };
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort);
    try {
      for (;;) {
        this.#start();
        if (this.#fatal !== undefined) throw this.#fatal.error;
        const result = this.#results.shift();
        if (result !== undefined) yield result;
        else if (this.#isExhausted && this.#slots.isEmpty) break;
        else await new Promise<void>((resolve) => (this.#resume = resolve));
      }
      if (this.#ending !== undefined) throw this.#ending.error;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#fatal ??= { error: undefined };
      this.stop();
      clearTimeout(this.#pause);
      this.#client.close();
      // A list that waits for its next job, as from a terminal, would answer only after it.
      this.#jobs.return(undefined).catch(() => undefined);
    }
  }

  /** Called after every change: sends what may be sent now, and lets {@link run} look again. */
  #proceed(): void {
    this.#start();
    this.#resume();
  }

  #fail(error: unknown): void {
    this.#fatal ??= { error };
    // Now, and not when the consumer asks for its next result: it may be busy with the last one.
    this.#client.close();
    this.#proceed();
  }

  /** Sends what may be sent now, jobs whose wait is over first. */
  #start(): void {
    while (this.#fatal === undefined && this.#maySend()) {
      const task = this.#slots.takeDue();
      if (task === undefined) {
        if (this.#slots.hasRoom && !this.#isTaking && !this.#isExhausted) this.#take();
        return;
      }
      void this.#attempt(task);
    }
  }

  #maySend(): boolean {
    // A consumer that is slower than the server must not make results pile up.
    if (this.#inFlight >= this.#pace.limit || this.#results.length >= this.#settings.concurrency)
      return false;
    const pause = this.#pace.remainingPause();
    if (pause === 0) return true;
    this.#pause ??= setTimeout(() => {
      this.#pause = undefined;
      this.#proceed();
    }, pause);
    return false;
  }

  /** Takes the next job from the list. */
  #take(): void {
    this.#isTaking = true;
    this.#takeOne()
      .catch((error: unknown) => {
        this.#endWith(error);
      })
      .finally(() => {
        this.#isTaking = false;
        this.#proceed();
      });
  }

  async #takeOne(): Promise<void> {
    const next = await this.#jobs.next();
    if (this.#isStopping) return;
    if (next.done === true) this.#isExhausted = true;
    else if (next.value instanceof InvalidJob) await this.#reject(next.value);
    else if (next.value.isRepeated) this.#skip(next.value, { code: 'repeated' });
    else if (this.#ledger?.isDone(next.value.job) === true) this.#skip(next.value);
    // Sent by `#start` alone, which looks at the pace of now: the list may have taken its time.
    else this.#slots.add({ ...next.value, begin: 0, attempts: 0 });
  }

  #skip(job: ReadableJob, more: Partial<SaveResult> = {}): void {
    this.#results.push(createResult(job, { status: 'skipped', ...more }));
  }

  /** An entry without a URL and a name cannot be in the ledger. */
  async #reject({ where, reason, job }: InvalidJob): Promise<void> {
    const failure = { status: 'failed', code: 'invalid-job', message: `${where}: ${reason}` } as const;
    const result = createResult(job ?? { job: { url: '', name: '' }, fields: {} }, failure);
    if (job !== undefined) await this.#ledger?.append(result);
    this.#results.push(result);
  }

  /** Sends a job once. Never rejects. */
  async #attempt(task: Task): Promise<void> {
    this.#inFlight++;
    if (task.attempts++ === 0) task.begin = performance.now();
    const { decreases } = this.#pace;
    const outcome = await this.#client.save(task.request).catch((error: unknown) => {
      this.#fail(error);
    });
    this.#inFlight--;
    // The requests that `close` broke off have no outcome.
    if (this.#fatal !== undefined || outcome === undefined) return;
    this.#pace.record(outcome, decreases);
    if (outcome.isUnanswered !== true) this.#hasReplied = true;
    if (outcome.retry !== true || task.attempts > this.#settings.retries) await this.#finish(task, outcome);
    // The next batch tries it again.
    else if (this.#isStopping) this.#slots.release(task);
    else this.#delay(task, outcome);
    this.#proceed();
  }

  #delay(task: Task, outcome: Outcome): void {
    // A refusal cost the server nothing, so that other jobs may go on. After a failure, they would fail as well.
    const keepsSlot = outcome.isBusy !== true;
    this.#slots.delay(task, retryDelay(task.attempts, outcome, this.#hasReplied), keepsSlot, () => {
      this.#proceed();
    });
    this.#onRetry(outcome);
  }

  async #finish(task: Task, outcome: Outcome): Promise<void> {
    const milliseconds = Math.round(performance.now() - task.begin);
    const result = createResult(task, { ...outcome.result, attempts: task.attempts, milliseconds });
    try {
      await this.#ledger?.append(result);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#slots.release(task);
    this.#results.push(result);
    const reason = this.#failureRow.add(result);
    if (reason !== undefined) this.#endWith(reason);
  }

  /** Lets running requests end, and then throws. */
  #endWith(error: unknown): void {
    this.#ending ??= { error };
    this.stop();
  }
}

/** A line of a ledger begins with the URL. */
function createResult(
  { job: { url, name }, fields }: ReadableJob,
  more: Pick<SaveResult, 'status'> & Partial<SaveResult>,
): SaveResult {
  return { url, name, attempts: 0, milliseconds: 0, ...more, at: new Date().toISOString(), ...fields };
}
