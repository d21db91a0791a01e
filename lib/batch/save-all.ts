// saveAll: a batch from code, on the jobs of any iterable.
import { Engine } from './engine.js';
import { checkBatchOptions } from './options.js';
import type { JobEntry, SaveAllOptions, SaveJob, SaveResult } from './types.js';

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
  return new Engine(numberJobs(jobs), checkBatchOptions(options)).run();
}

async function* numberJobs(jobs: Iterable<SaveJob> | AsyncIterable<SaveJob>): AsyncGenerator<JobEntry> {
  let count = 0;
  for await (const job of jobs) yield { where: `job ${++count}`, job };
}
