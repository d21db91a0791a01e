// The automatic limit finds the concurrency that suits a renderer. Renderers are simulated in virtual time.
import { AutoLimit } from '../../../lib/save/auto-limit.js';

/** A simulated renderer, described by the needs of an image. */
interface Renderer {
  /** CPUs that the images share. */
  readonly cpus?: number;
  /** Milliseconds of one CPU for an image that starts now. */
  readonly work?: (now: number) => number;
  /** Milliseconds that an image waits, for example for another server, before it needs a CPU. */
  readonly wait?: (now: number) => number;
}

interface Job {
  work: number;
  wait: number;
  readonly startedAt: number;
}

interface Run {
  /** The number of saves that ended in each second. */
  readonly done: number[];
  /** The limit at the end of each second. */
  readonly limits: number[];
}

const STEP_MS = 2;

/** Saves for the given seconds as fast as the limit allows, with clients that always have work. */
function run(
  { cpus = 2, work = () => 1, wait = () => 0 }: Renderer,
  seconds: number,
  clients: number,
  fixed?: number,
): Run {
  const auto = new AutoLimit();
  const result: Run = { done: [], limits: [] };
  const jobs: Job[] = [];
  const fill = (now: number): void => {
    while (jobs.length < Math.min(fixed ?? auto.limit, clients)) {
      jobs.push({ work: work(now), wait: wait(now), startedAt: now });
    }
  };
  fill(0);
  for (let now = 0, done = 0; now < seconds * 1000;) {
    const working = jobs.filter((job) => job.wait <= 0).length;
    for (const job of jobs) {
      if (job.wait > 0) job.wait -= STEP_MS;
      else job.work -= STEP_MS * Math.min(1, cpus / working);
    }
    now += STEP_MS;
    const ended = jobs.filter((job) => job.work <= 0 && job.wait <= 0);
    for (const job of ended) {
      auto.record(now - job.startedAt, jobs.length);
      jobs.splice(jobs.indexOf(job), 1);
      fill(now);
    }
    done += ended.length;
    if (now % 1000 === 0) {
      result.done.push(done);
      result.limits.push(auto.limit);
      done = 0;
    }
  }
  return result;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** A sequence of numbers from 0 to 1, the same in every run. */
function random(): () => number {
  let state = 1;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

/** The lowest and the highest limit from the given second on, without the probes. */
function range(limits: readonly number[], from: number): [number, number] {
  const settled = limits.slice(from).sort((a, b) => a - b);
  return [settled[Math.floor(settled.length / 4)]!, settled.at(-1)!];
}

test.each([1, 2, 4, 8])('settles just above the CPUs of a renderer bound by %i of them', (cpus) => {
  const { limits } = run({ cpus, work: () => 50 }, 40, 400);
  const [lowest, highest] = range(limits, 30);
  expect(lowest).toBeGreaterThanOrEqual(2);
  expect(highest).toBeLessThanOrEqual(1.5 * cpus + 3);
});

test('lets so many short saves compete that each takes about ten milliseconds', () => {
  const [lowest, highest] = range(run({ work: () => 2 }, 20, 64).limits, 10);
  expect(lowest).toBeGreaterThanOrEqual(7);
  expect(highest).toBeLessThanOrEqual(14);
});

test('saves as many images as a limit of eight with a renderer bound by the CPU', () => {
  const renderer = { work: () => 50 };
  expect(sum(run(renderer, 30, 400).done)).toBeGreaterThan(0.95 * sum(run(renderer, 30, 400, 8).done));
});

test('saves nine tenths of the images of no limit with a renderer that waits 300 ms', () => {
  const renderer = { wait: () => 300 };
  const [limited, unlimited] = [run(renderer, 30, 200), run(renderer, 30, 200, Infinity)];
  expect(sum(limited.done)).toBeGreaterThan(0.9 * sum(unlimited.done));
  expect(range(limited.limits, 5)[0]).toBeGreaterThanOrEqual(200);
});

test('rises within seconds when the renderer begins to wait', () => {
  const renderer: Renderer = {
    work: (now) => (now < 10_000 ? 50 : 1),
    wait: (now) => (now < 10_000 ? 0 : 300),
  };
  const { limits } = run(renderer, 20, 200);
  expect(limits[9]).toBeLessThan(20);
  expect(limits[16]).toBeGreaterThan(100);
});

test('falls within seconds when the renderer begins to compute', () => {
  const renderer: Renderer = {
    work: (now) => (now < 10_000 ? 1 : 50),
    wait: (now) => (now < 10_000 ? 300 : 0),
  };
  const { limits } = run(renderer, 40, 200);
  expect(limits[9]).toBeGreaterThan(100);
  expect(limits.slice(25).every((limit) => limit <= 40)).toBe(true);
});

test('adapts when each image takes ten times as long as before', () => {
  const renderer: Renderer = { wait: (now) => (now < 15_000 ? 100 : 1000) };
  const { done } = run(renderer, 30, 200);
  expect(sum(done.slice(25))).toBeGreaterThan(0.75 * 200 * 5);
});

test('is not misled by a mix of cheap and expensive images', () => {
  const next = random();
  const waiting = { wait: () => (next() < 0.9 ? 50 : 1500) };
  const [limited, unlimited] = [run(waiting, 40, 200), run(waiting, 40, 200, Infinity)];
  expect(sum(limited.done.slice(10))).toBeGreaterThan(0.85 * sum(unlimited.done.slice(10)));
  const computing = { work: () => (next() < 0.9 ? 10 : 500) };
  const [auto, eight] = [run(computing, 40, 400), run(computing, 40, 400, 8)];
  expect(sum(auto.done)).toBeGreaterThan(0.9 * sum(eight.done));
  expect(range(auto.limits, 20)[1]).toBeLessThanOrEqual(40);
});

test('never falls below 2, and stays while fewer saves run than it allows', () => {
  const slower = run({ cpus: 1, work: (now) => 1 + now / 50 }, 60, 400);
  expect(Math.min(...slower.limits)).toBeGreaterThanOrEqual(2);
  const idle = run({ wait: () => 10 }, 10, 1);
  expect(new Set(idle.limits)).toEqual(new Set([4]));
});
