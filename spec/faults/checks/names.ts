// Hostile names and queries in real requests.
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';
import fc from 'fast-check';
import { get, type Answer } from '../../support/client.js';
import { assertProperty, number, type Check } from '../support/check.js';
import { assertSeed, verdictOf } from '../support/files.js';
import { assertPromise } from '../support/assert-promise.js';
import { Server } from '../support/server.js';

const words = (text: string): string[] => text.split(/ |\n +/);

/** Pieces of names, both legal and hostile. */
const PIECES = [
  ...words(String.raw`a b.tif shoe .tif .tiff .png .php . .. ... / // \ : ~ in in/ out/ /etc/passwd ../outside/ ..\ C:
    \\host\ file:/// % %00 %2e%2e%2f CON nul com1 LPT9 aux.tif $a$ $ $$ + * ? " < > | '`),
  ...words('` ; & # = __proto__ constructor -rf com\u00b9 e\u0301 \uff0e\uff0e\uff0f \0 \x7f \u0085'),
  ...[' ', '\n', '\r\n', '\u2028', '\u202e', '\ufeff', '\u{1f45f}', 'x'.repeat(250)],
];

/** Pieces of queries that resemble commands. */
const COMMANDS =
  words(`req=saveToFile REQ=savetofile r%65q=saveToFil%65 req=saveToFile,text req=saveToFile,xml req=img
  req= req name=a.tif name=../a.tif NAME=in/b.tif n%61me=c.tif name= name name=% name=%ff.tif name=%00
  timeout=1 timeout=0 timeout=-1 timeout=1e9 timeout= timeout=99999999999999999999
  $a=../ $b=x.tif name=$b$ name=$a$b$ $=x $a ( ) { } src=( .comment = & ? %
  src=is(a?req=saveToFile&name=d.tif) src=is(a?b&req=saveToFile&name=nested.tif&c)`);

const hostileName = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 12 }).map((text) => `${text}.tif`),
);

/** A name as it stands in a query: every character escaped, or only those that must be. */
const writtenName = fc
  .tuple(hostileName, fc.boolean())
  .map(([name, all]) => ({ name, written: all ? escapeAll(name) : encodeURIComponent(name) }));

const hostileQuery = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...COMMANDS) },
      {
        weight: 1,
        arbitrary: fc.string({
          unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
        }),
      },
    ),
    { maxLength: 8 },
  )
  // Node itself refuses bytes above these, and a #.
  .map((parts) => parts.join('&').replaceAll('#', ''));

/** A request that Node refuses never reaches the middleware. */
const BY_NODE = 400;

/** What came of one request. */
interface Outcome<T> {
  readonly value: T;
  readonly answer: Answer;
  readonly verdict: string;
  /** The names of the files that it made. */
  readonly made: readonly string[];
}

/** Sends random requests; one that is done makes one file, any other none. */
const hostile =
  <T>(
    what: string,
    values: fc.Arbitrary<T>,
    queryOf: (value: T) => string,
    assertMore: (outcome: Outcome<T>) => void,
  ): Check =>
  async ({ app, folder, times }) => {
    const place = new Place(folder);
    const server = await start(app, place);
    const tally: Record<string, number> = {};
    let seed = 0;
    const property = fc.asyncProperty(values, async (value) => {
      seed += 1;
      const query = queryOf(value);
      const answer = await get(server.url, { path: `/whole/${seed}/2000?${query}` });
      const image = answer.headers['content-type'] === 'image/tiff';
      const verdict = answer.status === BY_NODE ? 'by Node' : image ? 'ordinary' : verdictOf(answer);
      tally[verdict] = (tally[verdict] ?? 0) + 1;
      const made = place.clear(seed);
      assertPromise(
        made.length === (verdict === 'done' ? 1 : 0),
        `${verdict}, but ${made.length} files were made: ${query}`,
      );
      assertMore({ value, answer, verdict, made });
    });
    await assertProperty(property, times(1_500));
    await server.stop();
    return `${number(seed)} ${what}, ${summaryOf(tally)}; nothing outside, no illegal name`;
  };

export const hostileNames = hostile(
  'names',
  writtenName,
  ({ written }) => `req=saveToFile&name=${written}&timeout=60000`,
  ({ value: { name }, answer, verdict, made }) => {
    const text = JSON.stringify(name);
    assertPromise(!['by Node', 'ordinary'].includes(verdict), `${text} is no command: ${verdict}`);
    assertPromise(verdict !== 'timeout', `${text} takes longer than its deadline`);
    if (verdict !== 'done') return;
    assertPromise(made[0] === name, `${text} was saved as ${JSON.stringify(made[0])}`);
    assertPromise(answer.reply.name === name, `the answer speaks of ${answer.reply.name ?? 'nothing'}`);
  },
);

export const hostileQueries = hostile(
  'queries',
  hostileQuery,
  (query) => query,
  ({ value: query, verdict, made }) => {
    assertPromise(!made.includes('nested.tif'), `a nested request was obeyed: ${query}`);
    const isCommand = /(^|&)req=saveToFile(&|$)/i.test(query) && !/[({]/.test(query);
    assertPromise(verdict !== 'ordinary' || !isCommand, `not obeyed: ${query}`);
  },
);

/** A regular expression or a loop that takes the square of the length would need longer than this for a megabyte. */
const DEADLINE = 5_000;

/** The repeated part of a query that could be slow to parse, with the parts before and after it. */
const SLOW: readonly (readonly [before: string, again: string, after: string])[] = [
  ...'= =s =saveToFil % %3 %25 + req= %73 =%73%61%76%65 &req=img &name=a &$a=b $ $a $a$ / . .. .+ %20 %2e'.split(
    ' ',
  ),
  ...'( ) { } () ({ (} ){ ((} , %2c CON a.'.split(' '),
].flatMap((again): (readonly [string, string, string])[] => [
  ['', again, ''],
  ['req=saveToFile&name=', again, '.tif'],
  ['', again, '&req=saveToFile&name=a.tif'],
  [`$v=${again.repeat(20).replace(/[&=]/g, '')}&req=saveToFile&name=`, '$v$', ''],
  ['req=saveToFile,', again, '&name=a.tif'],
]);

/** A megabyte of each pattern that could be slow to parse, with a host that accepts such long requests. */
export const slowQueries: Check = async ({ app, folder, times }) => {
  const place = new Place(folder);
  const length = 1_000_000;
  const server = await start(app, place, ['--max-http-header-size=2000000']);
  const patterns = SLOW.slice(0, times(SLOW.length));
  let slowest = 0;
  for (const [before, again, after] of patterns) {
    const query = before + again.repeat(length / again.length) + after;
    const from = performance.now();
    const answer = await get(server.url, {
      path: `/plain/0/0?${query}`,
      signal: AbortSignal.timeout(DEADLINE),
    }).catch(() => undefined);
    const took = performance.now() - from;
    assertPromise(took < DEADLINE, `a megabyte of ${before}${again}… takes ${Math.round(took)} ms`);
    assertPromise(answer !== undefined, `a megabyte of ${before}${again}… gets no answer`);
    slowest = Math.max(slowest, took);
    place.clear(0);
  }
  await server.stop();
  return `${patterns.length} patterns of ${megabyte(length)}, the slowest took ${Math.round(slowest)} ms`;
};

const megabyte = (length: number): string => `${length / 1e6} MB`;

async function start(app: string, place: Place, nodeOptions: readonly string[] = []): Promise<Server> {
  const options = { savePath: place.saved, durable: false };
  // A name that is not resolved from the save path is resolved from this folder, where the check finds it.
  return Server.start({ app, options, cwd: place.workingDirectory, nodeOptions });
}

function summaryOf(tally: Readonly<Record<string, number>>): string {
  const { done = 0, ordinary = 0 } = tally;
  const all = Object.values(tally).reduce((sum, count) => sum + count, 0);
  const refused = all - done - ordinary - (tally['by Node'] ?? 0);
  const codes = Object.keys(tally).length;
  return `${done} done, ${refused} refused${ordinary > 0 ? `, ${ordinary} ordinary` : ''} in ${codes} ways`;
}

/** A save path and the folders around it, in which the check finds every foreign file. */
class Place {
  readonly saved: string;
  readonly workingDirectory: string;
  readonly #folder: string;
  readonly #expected = new Set(['saved', 'saved/in', 'saved/out', 'outside', 'work']);

  constructor(folder: string) {
    this.#folder = folder;
    this.saved = join(folder, 'saved');
    this.workingDirectory = join(folder, 'work');
    for (const path of this.#expected) mkdirSync(join(folder, path), { recursive: true });
    rmSync(join(this.saved, 'out'), { recursive: true });
  }

  /** Asserts that every file has a legal name and is in the save path, removes the files and returns their names. */
  clear(seed: number): string[] {
    const all = readdirSync(this.#folder, { recursive: true, encoding: 'utf8' });
    const paths = all.map((path) => path.split(sep).join('/'));
    const made = paths.filter((path) => !this.#expected.has(path));
    return made.map((path) => {
      assertPromise(path.startsWith('saved/'), `${JSON.stringify(path)} is outside`);
      const name = path.slice('saved/'.length);
      assertLegal(name);
      assertPromise(lstatSync(join(this.saved, name)).isFile(), `${JSON.stringify(name)} is no file`);
      assertSeed(this.saved, name, seed);
      rmSync(join(this.saved, name));
      return name;
    });
  }
}

/** The rules for names, implemented a second time and in another way. */
function assertLegal(name: string): void {
  const illegal = name
    .split('/')
    .some(
      (part) =>
        part === '' ||
        part.startsWith('.') ||
        part.endsWith('.') ||
        part.endsWith(' ') ||
        Array.from(part).some(
          (character) => character < ' ' || (character >= '\x7f' && character <= '\x9f'),
        ) ||
        /[\\:<>"|?*]/.test(part) ||
        /^(con|prn|aux|nul|(com|lpt)[\d\u00b9\u00b2\u00b3]) *(\.|$)/i.test(part) ||
        Buffer.byteLength(part) > 255,
    );
  assertPromise(!illegal, `${JSON.stringify(name)} is illegal`);
  const base = name.slice(name.lastIndexOf('/') + 1);
  assertPromise(
    !base.includes('.') || /\.tiff?$/i.test(base),
    `${JSON.stringify(name)} has another extension`,
  );
}

function escapeAll(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}
