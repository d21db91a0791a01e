// What the default admission promises before renderers of many kinds, with a virtual clock and a seed.
import { simulate, type Scenario, type Simulated, type Stream } from '../../support/admission-simulation.js';

const SEED = 1;
/** Milliseconds of a processor for an image, and what two processors do. */
const WORK = 100;
const CAPACITY = 20;

const processorBound = (load: number, timeout = 5000): Stream => ({
  perSecond: load * CAPACITY,
  work: WORK,
  timeout,
});
const fast: Stream = { perSecond: 20, work: 5, wait: 20, timeout: 5000 };

/** Saves of a stream per second that were done between two seconds. */
function rate({ saves }: Simulated, name: string, from: number, to: number): number {
  const done = saves.filter(
    ({ stream, outcome, end }) => stream === name && outcome === 'done' && end >= from && end < to,
  );
  return done.length / (to - from);
}

/** The share of the commands of a stream between two seconds that ended in a way. */
function share(
  { saves }: Simulated,
  name: string,
  outcome: string,
  [from, to]: [number, number] = [0, Infinity],
): number {
  const sent = saves.filter(({ stream, at }) => stream === name && at >= from && at < to);
  return sent.filter((save) => save.outcome === outcome).length / sent.length;
}

function medianLatency({ saves }: Simulated, name: string): number {
  const latencies = saves
    .filter(({ stream, outcome }) => stream === name && outcome === 'done')
    .map(({ at, end }) => end - at);
  return latencies.sort((a, b) => a - b)[Math.floor(latencies.length / 2)]!;
}

/** The highest of the values between two seconds. */
const highest = (values: readonly number[], from: number, to: number): number =>
  Math.max(...values.slice(1000 * from, 1000 * to));

const bursts = (load: number, timeout: number): Stream => ({
  burst: { saves: load * CAPACITY, everySeconds: 1 },
  work: WORK,
  timeout,
});
test.each([
  [0.5, 2000],
  [1, 2000],
  [1.3, 5000],
  [2, 2000],
  [2, 60_000],
  [10, 2000],
  [10, 5000],
])(
  'a renderer that is bound by two processors is used well at %f times its load with a time limit of %i ms, steady and in bursts',
  async (load, timeout) => {
    for (const stream of [processorBound(load, timeout), bursts(load, timeout)]) {
      const result = await simulate({ streams: { stream }, seconds: 40 }, SEED);
      // From a cold start, and warm. By chance, fewer saves may have come than the renderer can do.
      const goal = Math.min(1, load) * CAPACITY * (load > 1 ? 0.95 : 0.8);
      expect(rate(result, 'stream', 0, 40)).toBeGreaterThanOrEqual(goal);
      expect(rate(result, 'stream', 20, 40)).toBeGreaterThanOrEqual(goal);
      expect(share(result, 'stream', 'timeout')).toBeLessThan(0.05);
    }
  },
);

describe('a first second in which code is compiled and decoders start', () => {
  const scenario = (load: number, seconds: number): Scenario => ({
    streams: { stream: processorBound(load, 2000) },
    seconds,
    speed: (second) => (second < 1 ? 0.02 : 1),
  });
  // Node has four threads for files, and the host needs one. The limit settles at 3.
  const crowded = ({ running }: Simulated, from: number): number => {
    const counted = running.slice(1000 * from);
    return counted.filter((saves) => saves > 4).length / counted.length;
  };

  test.each([1, 2, 10])('misleads nothing for long, at %f times the load', async (load) => {
    const result = await simulate(scenario(load, 40), SEED);
    expect(rate(result, 'stream', 2, 40)).toBeGreaterThanOrEqual(0.9 * CAPACITY);
    expect(share(result, 'stream', 'timeout', [4, 40])).toBe(0);
    expect(crowded(result, 5)).toBeLessThan(0.2);
  });

  test.each([1, 2, 10])('is over soon, at %f times the load', async (load) => {
    let sum = 0;
    for (let seed = 1; seed <= 8; seed += 1) sum += crowded(await simulate(scenario(load, 9), seed), 3);
    expect(sum / 8).toBeLessThan(0.25);
  });
});

const clients: Stream = { clients: 200, work: 0.5, wait: 300, timeout: 60_000 };
test.each<[string, Stream]>([
  ['200 clients at once', clients],
  ['600 saves per second', { perSecond: 600, work: 0.5, wait: 300, timeout: 60_000 }],
])('a renderer that waits may do all that comes from %s, soon after a cold start', async (_what, stream) => {
  const scenario: Scenario = { streams: { stream }, seconds: 12 };
  const result = await simulate(scenario, SEED);
  const unlimited = await simulate({ ...scenario, options: { concurrency: Infinity } }, SEED);
  const ratio = (from: number, to: number): number =>
    rate(result, 'stream', from, to) / rate(unlimited, 'stream', from, to);
  expect(ratio(0, 5)).toBeGreaterThanOrEqual(0.8);
  expect(ratio(5, 12)).toBeGreaterThanOrEqual(0.95);
});

describe('renders that hang or take a hundred times as long', () => {
  const hanging = (saves: number, from: number): Stream => ({
    burst: { saves, everySeconds: 1000 },
    from,
    wait: Infinity,
    timeout: 25_000,
  });
  test.each<[string, Stream, Stream]>([
    ['6 that hang from the start', fast, hanging(6, 0)],
    ['6 that hang later', fast, hanging(6, 5)],
    ['20 that hang from the start', fast, hanging(20, 0)],
    ['20 that hang later', fast, hanging(20, 5)],
    ['12 that take 6 s', fast, { burst: { saves: 12, everySeconds: 1000 }, wait: 6000, timeout: 25_000 }],
    ['one more each second that hangs', fast, { perSecond: 1, wait: Infinity, timeout: 60_000 }],
    ['3 more each second that wait 6 s', fast, { perSecond: 3, work: 1, wait: 6000, timeout: 60_000 }],
    ['3 more each second that wait 2.5 s', fast, { perSecond: 3, work: 1, wait: 2500, timeout: 60_000 }],
    [
      '2 more each second that hang, beside 400 that wait',
      { perSecond: 400, work: 0.5, wait: 20, timeout: 5000 },
      { perSecond: 2, wait: Infinity, timeout: 30_000 },
    ],
  ])('hold up no other save: %s', async (_what, others, slow) => {
    const result = await simulate({ streams: { others, slow }, seconds: 30 }, SEED);
    const alone = await simulate({ streams: { others }, seconds: 30 }, SEED);
    expect(share(result, 'others', 'done', [0, 25])).toBe(1);
    expect(medianLatency(result, 'others')).toBeLessThanOrEqual(2 * medianLatency(alone, 'others'));
  });

  test.each<[string, number, Stream]>([
    ['3 every 10 s that hang', WORK, { perSecond: 0.3, wait: Infinity, timeout: 60_000 }],
    ['one more each second that hangs', WORK, { perSecond: 1, wait: Infinity, timeout: 60_000 }],
    ['3 more each second that wait 6 s', 25, { perSecond: 3, work: 1, wait: 6000, timeout: 60_000 }],
  ])('leave the renderer to the others at 1.3 times its load: %s', async (_what, work, slow) => {
    const capacity = 2000 / work;
    const others = { perSecond: 1.3 * capacity, work, timeout: 5000 };
    const result = await simulate({ streams: { others, slow }, seconds: 60 }, SEED);
    expect(rate(result, 'others', 20, 60)).toBeGreaterThanOrEqual(0.8 * capacity);
  });
});

const rows = [0, 0.1].flatMap((speed) => [
  [speed, 1.2, 5000] as const,
  [speed, 2, 2000] as const,
  [speed, 2, 60_000] as const,
]);
test.each(rows)(
  'a renderer that fails for a while at %f of its speed for 20 s, %f times the load, time limit %i ms: is served as before from the fifth second',
  async (slowness, load, timeout) => {
    for (const ignoresSignal of [false, true]) {
      const scenario: Scenario = {
        streams: { stream: processorBound(load, timeout) },
        seconds: 55,
        ignoresSignal,
        speed: (second) => (second >= 15 && second < 35 ? slowness : 1),
      };
      const result = await simulate(scenario, SEED);
      expect(rate(result, 'stream', 40, 55)).toBeGreaterThanOrEqual(0.9 * CAPACITY);
      expect(highest(result.running, 40, 55)).toBeLessThanOrEqual(3 * highest(result.running, 5, 15));
    }
  },
);

test.each([
  ['two processors', { burst: { saves: 500, everySeconds: 20 }, work: 20, timeout: 60_000 }, Infinity],
  ['a server with a limit', { burst: { saves: 500, everySeconds: 20 }, wait: 80, timeout: 60_000 }, 8],
])('a burst of 500 that fits into its deadlines is done, before %s', async (_what, stream, upstream) => {
  const result = await simulate({ streams: { stream }, upstream, seconds: 40 }, SEED);
  expect(share(result, 'stream', 'done')).toBe(1);
});

test.each([1.3, 2, 10])(
  'a mix of cheap and expensive images at %f times the load starves neither',
  async (load) => {
    const perSecond = (load * 2000) / 34.5;
    const streams = {
      cheap: { perSecond: 0.95 * perSecond, work: 10, timeout: 5000 },
      expensive: { perSecond: 0.05 * perSecond, work: 500, timeout: 5000 },
    };
    const result = await simulate({ streams, seconds: 60 }, SEED);
    const [cheap, expensive] = [share(result, 'cheap', 'done'), share(result, 'expensive', 'done')];
    expect(expensive / cheap).toBeGreaterThanOrEqual(0.8);
    expect(cheap / expensive).toBeGreaterThanOrEqual(0.8);
  },
);

test.each([1.3, 10])(
  'a server that handles eight at once is used well at %f times its load, with a short queue',
  async (load) => {
    const streams = { stream: { perSecond: load * 80, work: 0.5, wait: 100, timeout: 5000 } };
    const result = await simulate({ streams, upstream: 8, seconds: 40 }, SEED);
    expect(rate(result, 'stream', 15, 40)).toBeGreaterThanOrEqual(0.9 * 80);
    expect(highest(result.queued, 15, 40)).toBeLessThanOrEqual(16);
  },
);
