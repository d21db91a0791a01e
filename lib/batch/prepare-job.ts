// An entry of a list of jobs → the job and its request, or what is wrong with it.
import { isIntegerBetween, MAX_TIMEOUT_MS } from '../validate-options.js';
import { createRequest, type BatchRequest } from './save-url.js';
import { InvalidJob, UsageError, type SaveJob } from './types.js';

/** No job needs a longer URL and name, in characters of both. */
const MAX_JOB_LENGTH = 65_536;

/** An entry of a list, as it was read. */
export interface JobEntry {
  /** Where it stands, as in `jobs.txt:12`. */
  readonly where: string;
  /** What should be a {@link SaveJob}. */
  readonly job: unknown;
}

/** A job that can be sent. */
export interface PreparedJob {
  readonly job: SaveJob;
  readonly request: BatchRequest;
}

/** What every job of a batch has in common. */
export interface JobDefaults {
  /** The server of URLs that are paths. */
  readonly server: string | undefined;
  /** The milliseconds of jobs that set none. */
  readonly timeout: number | undefined;
}

/** Prepares the entries of a list, one at a time. */
export async function* prepareJobs(
  entries: AsyncIterable<JobEntry | InvalidJob>,
  defaults: JobDefaults,
): AsyncGenerator<PreparedJob | InvalidJob, void, undefined> {
  for await (const entry of entries) yield entry instanceof InvalidJob ? entry : prepareJob(entry, defaults);
}

/** @throws UsageError The URL is a path, and there is no server: this concerns every job. */
export function prepareJob({ where, job }: JobEntry, defaults: JobDefaults): PreparedJob | InvalidJob {
  try {
    const checked = checkJob(job);
    return { job: checked, request: createRequest(checked, defaults) };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return new InvalidJob(where, (error as Error).message);
  }
}

/** Fields that a job does not have are left alone: so the lines of a ledger are jobs. */
function checkJob(job: unknown): SaveJob {
  if (typeof job !== 'object' || job === null)
    throw new TypeError('a job is an object with a url and a name');
  const { url, name, timeout } = job as Partial<Record<keyof SaveJob, unknown>>;
  if (typeof url !== 'string' || url === '')
    throw new TypeError('it has no url, as in "url": "/is/image/shoe"');
  if (typeof name !== 'string' || name === '')
    throw new TypeError('it has no name, as in "name": "shoe.jpg"');
  if (url.length + name.length > MAX_JOB_LENGTH)
    throw new TypeError(`its url and name are longer than ${MAX_JOB_LENGTH} characters`);
  if (timeout === undefined) return { url, name };
  if (!isIntegerBetween(timeout, 1, MAX_TIMEOUT_MS))
    throw new TypeError('its timeout must be whole milliseconds, as in "timeout": 5000');
  return { url, name, timeout: timeout as number };
}
