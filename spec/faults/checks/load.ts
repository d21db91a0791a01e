// Many saves, disconnecting clients and renderers that never answer. Afterwards the server is as it was before.
import { request } from 'node:http';
import { get } from '../../support/client.js';
import { megabytes, number, type Check } from '../support/check.js';
import { assertNoLeftovers, assertSeed, verdictOf } from '../support/files.js';
import { eventually, assertPromise } from '../support/assert-promise.js';
import type { State } from '../support/messages.js';
import { Server } from '../support/server.js';

const AT_ONCE = 500;
/** Bytes of JavaScript memory that may be added: compiled code, Node's own caches. */
const MORE = 8_000_000;

export const load: Check = async ({ app, folder, times }) => {
  // The full contract, flushes and all; the time is the queue's, which has no end but the client's waitTimeout.
  // Admission takes part here, as it does by default; the server of the other checks has no limit.
  const options = { savePath: folder, timeout: 600_000, concurrency: 'auto' };
  const server = await Server.start({ app, options, nodeOptions: ['--expose-gc'] });
  const saves = times(5_000);
  const few = Math.ceil(saves / 10);
  await crowd(server, folder, Math.min(few, AT_ONCE));
  const before = await restOf(server, undefined);

  const traffic = new Traffic(server);
  await crowd(server, folder, saves);
  await leave(server, times(300));
  await neverAnswered(server, times(300));
  await eventually(
    async () => (await server.state()).running === 0,
    () => 'saves that have ended keep their slots',
  );
  await crowd(server, folder, few);
  const ordinary = await traffic.end();

  const after = await restOf(server, before);
  assertNoLeftovers(folder);
  await server.stop();
  const grown = heldBy(after) - heldBy(before);
  return (
    `${number(saves)} saves, ${AT_ONCE} at once, ${times(300)} clients gone, ${times(300)} renderers silent, ` +
    `${number(ordinary)} ordinary answers between; descriptors, timers and listeners as before, ` +
    `memory ${grown < 0 ? '-' : '+'}${megabytes(Math.abs(grown))} ` +
    `(resident ${megabytes(before.memory.rss)} before, ${megabytes(after.memory.rss)} after)`
  );
};

/** Saves that come all at once, as many as may be on their way together; every one is done and whole. */
async function crowd(server: Server, folder: string, saves: number): Promise<void> {
  let seed = 0;
  const client = async (): Promise<void> => {
    while (seed < saves) {
      const mine = (seed += 1);
      const name = `${mine % AT_ONCE}-${mine}.tif`;
      const what = `${mine % 2 === 0 ? 'whole' : 'stream'}/${mine}/${mine % 100 === 0 ? 2_000_000 : 20_000}`;
      const verdict = verdictOf(await server.save(what, name));
      assertPromise(verdict === 'done', `one of a crowd was refused: ${verdict}`);
      assertSeed(folder, name, mine);
    }
  };
  await Promise.all(Array.from({ length: Math.min(saves, AT_ONCE) }, client));
}

/** Clients that disconnect before, during and after the first half of the image. */
async function leave(server: Server, clients: number): Promise<void> {
  const before = server.saved.length;
  await Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      const [how, key] = [index % 2 === 0 ? 'gate' : 'half', `leave-${index}`];
      const path = `/${how}/1/3000000/${key}?req=saveToFile&name=${key}.tif`;
      const sent = request(`${server.url}${path}`, { agent: false }).end();
      const closed = new Promise<void>((resolve) => sent.on('error', () => undefined).on('close', resolve));
      await server.asked(key);
      sent.destroy();
      await closed;
    }),
  );
  const gone = (): number =>
    server.saved.slice(before).filter(({ code }) => code === 'client-disconnected').length;
  await eventually(
    () => gone() === clients,
    () => `${gone()} of ${clients} clients that left were noticed`,
  );
  // Their renderers are late: their output is dropped.
  for (let index = 0; index < clients; index += 1) server.go(`leave-${index}`);
}

/** More renderers that never answer than there are slots: each save ends by its deadline, or is refused before. */
async function neverAnswered(server: Server, saves: number): Promise<void> {
  const verdicts = await Promise.all(
    Array.from({ length: saves }, async (_, index) =>
      verdictOf(await server.save(`never/${index}/0`, `${index}.tif`, '&timeout=200')),
    ),
  );
  assertPromise(verdicts.includes('timeout'), 'no renderer that never answers was called');
  const wrong = verdicts.find((verdict) => verdict !== 'timeout' && verdict !== 'too-busy');
  assertPromise(wrong === undefined, `a renderer that never answers: ${wrong ?? ''}`);
}

/** Ordinary requests, one after the other, for as long as everything else goes on. */
class Traffic {
  #over = false;
  #answers = 0;
  readonly #going: Promise<void>;

  constructor(server: Server) {
    this.#going = this.#go(server);
    this.#going.catch(() => undefined);
  }

  async #go(server: Server): Promise<void> {
    while (!this.#over) {
      const { status, body } = await get(`${server.url}/plain/0/0?wid=1`);
      assertPromise(status === 200 && body.toString() === 'ordinary', `an ordinary request: ${status}`);
      this.#answers += 1;
    }
  }

  /** The number of responses. Every request gets one. */
  async end(): Promise<number> {
    this.#over = true;
    await this.#going;
    return this.#answers;
  }
}

/** Waits until the server is idle, and compares it with an earlier state if there is one. */
async function restOf(server: Server, before: Rest | undefined): Promise<Rest> {
  let rest: Rest | undefined;
  await eventually(
    async () => {
      const { resources, listeners, memory } = await server.state();
      // Without an earlier state, the server is idle when no connection and no timer is left.
      const quiet = resources['TCPSocketWrap'] === undefined && resources['Timeout'] === undefined;
      rest = { descriptors: server.descriptors().length, resources, listeners, memory };
      return before === undefined ? quiet : different(before, rest) === '';
    },
    () =>
      `the server does not come to rest: ${before === undefined || rest === undefined ? JSON.stringify(rest) : different(before, rest)}`,
  );
  return rest!;
}

type Rest = Pick<State, 'resources' | 'listeners' | 'memory'> & { readonly descriptors: number };

const heldBy = ({ memory }: Rest): number => memory.heapUsed + memory.external;

const resourcesOf = ({ resources }: Rest): string =>
  Object.entries(resources)
    .map(([name, count]) => `${count} ${name}`)
    .sort()
    .join(', ');

function different(before: Rest, after: Rest): string {
  const grown = heldBy(after) - heldBy(before);
  return [
    after.descriptors > before.descriptors
      ? `${after.descriptors} descriptors, not ${before.descriptors}`
      : '',
    resourcesOf(after) === resourcesOf(before) ? '' : `${resourcesOf(after)}, not ${resourcesOf(before)}`,
    after.listeners === before.listeners ? '' : `${after.listeners} listeners, not ${before.listeners}`,
    grown > MORE ? `${megabytes(grown)} of memory more` : '',
  ]
    .filter((difference) => difference !== '')
    .join('; ');
}
