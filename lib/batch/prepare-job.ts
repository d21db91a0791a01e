// A list of jobs → the requests that save them, or what is wrong with an entry.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseQuery, type QueryParam } from '../protocol/query.js';
import { MILLISECONDS } from '../validate-options.js';
import { hash, KeySet } from './key-set.js';
import type { BatchSettings } from './options.js';
import type { Outcome } from './outcome.js';
import { InvalidJob, UsageError, type Entries, type JobEntry, type SaveJob } from './types.js';

/** No job needs a longer URL and name, in characters of both, or longer further fields. */
const MAX_JOB_LENGTH = 65_536;

/** A list that begins with so many entries that are no jobs is not a list of jobs, or its templates are wrong. */
const MAX_INVALID_AT_START = 100;

/** Entries that are read before timers and signals get a turn. */
const ENTRIES_PER_TURN = 256;

/** The fields of a job and of its result. Further fields of a job have other names. */
export const OWN_FIELDS: ReadonlySet<string> = new Set(
  'url name timeout status code message rendererStatus attempts milliseconds bytes pixels at'.split(' '),
);

/** An entry that has been checked. Its timeout is that of the batch where it has none of its own. */
export interface PreparedJob extends SaveJob {
  /** The further fields of the job. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly origin: string;
  /** The URL without the command: equal for jobs that ask for the same image. */
  readonly image: string;
  /** Path and query with the command, ready to be sent. */
  readonly path: string;
  /** Set where nothing is to be sent: it is no job, is in the list twice, or is done already. */
  readonly result?: Outcome['result'] | undefined;
}

type Defaults = Pick<BatchSettings, 'server' | 'timeout'>;

/**
 * Checks the entries of a list, compares their names over the whole list, and takes those of the shard.
 *
 * @param done What is done already, by URL and name.
 * @throws UsageError A URL is a path and there is no server, or the list begins with too many entries that are no jobs.
 */
export async function* prepareJobs(
  entries: Entries,
  settings: Defaults & Pick<BatchSettings, 'shard'>,
  done?: KeySet,
): AsyncGenerator<PreparedJob, void, undefined> {
  const [jobs, names] = [new KeySet(), new KeySet()];
  let [count, invalid] = [0, 0];
  for await (const entry of entries) {
    if (++count % ENTRIES_PER_TURN === 0) await nextTurn();
    const job = prepareJob(entry, settings);
    let { result } = job;
    if (result === undefined) {
      const { name, image } = job;
      if (!jobs.add(image, name)) result = { status: 'skipped', code: 'repeated' };
      // A name with a variable is another one for each value, which only the server knows.
      else if (!/\$[^$]+\$/.test(name) && !names.add(name))
        result = refuse(
          entry.where,
          `another URL has the name ${name} already: give each image a name of its own`,
        );
    }
    if (isInShard(job, entry.where, settings.shard)) {
      if (result === undefined && done?.has(job.url, job.name) === true) result = { status: 'skipped' };
      yield { ...job, result };
    }
    if (result?.status === 'failed' && ++invalid === count && count === MAX_INVALID_AT_START)
      throw new UsageError(
        `The first ${count} entries of the list are no jobs. Check the list and the options that read it.`,
      );
  }
}

function isInShard({ url, name }: SaveJob, where: string, shard: BatchSettings['shard']): boolean {
  if (shard === undefined) return true;
  // A line without URL and name belongs to one part, by its number, because the path of the list may differ.
  const key = url === '' ? [/\d*$/.exec(where)?.[0] ?? ''] : [url, name];
  return hash(key) % BigInt(shard.count) === BigInt(shard.index - 1);
}

/** @throws UsageError The URL is a path, and there is no server: this concerns every job. */
export function prepareJob({ where, job: entry }: JobEntry, defaults: Defaults): PreparedJob {
  try {
    const { timeout = defaults.timeout, ...job } = checkJob(entry);
    return { ...job, timeout, ...createRequest({ ...job, timeout }, defaults.server) };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const result = refuse(where, (error as Error).message);
    return { url: '', name: '', fields: {}, origin: '', image: '', path: '', result };
  }
}

function refuse(where: string, reason: string): Outcome['result'] {
  return { status: 'failed', code: 'invalid-job', message: `${where}: ${reason}` };
}

/**
 * Leaves out fields of a result, so that the lines of a ledger can be jobs.
 *
 * @throws TypeError The entry is no job.
 */
function checkJob(entry: unknown): Pick<PreparedJob, 'fields' | keyof SaveJob> {
  if (entry instanceof InvalidJob) throw entry;
  if (typeof entry !== 'object' || entry === null)
    throw new TypeError('a job is an object with a url and a name');
  const { url, name, timeout } = entry as Partial<Record<keyof SaveJob, unknown>>;
  if (typeof url !== 'string' || url === '')
    throw new TypeError('it has no url, as in "url": "/is/image/shoe"');
  if (typeof name !== 'string' || name === '')
    throw new TypeError('it has no name, as in "name": "shoe.jpg"');
  if (url.length + name.length > MAX_JOB_LENGTH)
    throw new TypeError(`its url and name are longer than ${MAX_JOB_LENGTH} characters`);
  // Half a surrogate pair becomes the same character when it is sent.
  if (/[\ufffd\p{Surrogate}]/u.test(url + name))
    throw new TypeError('its url or name has characters that were lost when the list was converted to UTF-8');
  if (timeout !== undefined && !MILLISECONDS.isValid(timeout))
    throw new TypeError('its timeout must be whole milliseconds, as in "timeout": 5000');
  const fields = Object.fromEntries(Object.entries(entry).filter(([field]) => !OWN_FIELDS.has(field)));
  if (JSON.stringify(fields).length > MAX_JOB_LENGTH)
    throw new TypeError(`its further fields are longer than ${MAX_JOB_LENGTH} characters`);
  return { url, name, timeout: timeout as number | undefined, fields };
}

/**
 * Appends the save command to the URL of a job. Its other bytes stay, except that characters which no request may have
 * (spaces, everything beyond ASCII) are percent-encoded.
 *
 * @throws UsageError The URL is a path, and there is no server.
 * @throws TypeError The URL cannot be requested, or has a save command already.
 */
export function createRequest(
  { url, name, timeout }: SaveJob,
  server: string | undefined,
): Pick<PreparedJob, 'origin' | 'image' | 'path'> {
  const [, givenOrigin, rest = ''] = /^(https?:\/\/[^/?#]+)?([^#]*)/i.exec(url) ?? [];
  if (givenOrigin === undefined && !rest.startsWith('/'))
    throw new TypeError('its URL must start with / or with http:// or https://');
  if (givenOrigin !== undefined && (givenOrigin.includes('@') || !URL.canParse(givenOrigin)))
    throw new TypeError('its URL must have a host, without a user (send passwords by a header)');
  const origin = givenOrigin ?? server;
  if (origin === undefined)
    throw new UsageError(`The URL ${url} is a path. Name its server, as in --server http://localhost:3000`);
  const path = encode(rest.startsWith('/') ? rest : `/${rest}`, /[^\x21-\x7e]+/g);
  const query = path.indexOf('?');
  const repeated = query < 0 ? undefined : parseQuery(path.slice(query + 1)).find(isCommandParam)?.name;
  if (repeated !== undefined)
    throw new TypeError(`its URL has ${repeated}= already, which belongs to the save command: leave it out`);
  const joint = query < 0 ? '?' : query === path.length - 1 ? '' : '&';
  const limit = timeout === undefined ? '' : `&timeout=${timeout}`;
  const command = `${joint}req=saveToFile&name=${encodeValue(name)}${limit}`;
  return { origin, image: origin + path, path: path + command };
}

export function isCommandParam({ name }: QueryParam): boolean {
  return ['req', 'name', 'timeout'].includes(name);
}

/** Percent-encodes a value, but for its slashes. A bracket would take the parameters behind a nested request along. */
export function encodeValue(value: string): string {
  return encode(value, /[^\w\-.~/]+/g);
}

/** A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD. */
function encode(text: string, pattern: RegExp): string {
  return text.replace(pattern, (part) =>
    Buffer.from(part).toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
}
