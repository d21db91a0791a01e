// Which saves start, which wait and which are refused. The specs advance the time.
import { SaveError } from '../../../lib/errors.js';
import { Admission, type Slot } from '../../../lib/save/admission.js';

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
});
afterEach(() => {
  jest.useRealTimers();
});

/** The state of a save in admission. */
interface Attempt {
  state: 'waiting' | 'running' | 'refused';
  slot?: Slot;
  error?: unknown;
}

/** Requests a slot for a save with the given time limit in milliseconds. */
function attempt(admission: Admission, timeout = 60_000, signal = new AbortController().signal): Attempt {
  const result: Attempt = { state: 'waiting' };
  const admitted = (slot: Slot): void => void Object.assign(result, { state: 'running', slot });
  const refused = (error: unknown): void => void Object.assign(result, { state: 'refused', error });
  try {
    const slot = admission.admit(performance.now() + timeout, signal);
    if (slot instanceof Promise) slot.then(admitted, refused);
    else admitted(slot);
  } catch (error) {
    refused(error);
  }
  return result;
}

const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(0).then(() => undefined);

/** Runs a save to its end that takes the given milliseconds. */
async function save(admission: Admission, milliseconds: number): Promise<void> {
  const { slot } = attempt(admission);
  jest.advanceTimersByTime(milliseconds);
  slot?.release('done');
  await settle();
}

describe('a numeric limit', () => {
  it('runs that many saves at once and queues the others in order', async () => {
    const admission = new Admission({ concurrency: 2, maxQueue: 10 });
    const all = [1, 2, 3, 4, 5].map(() => attempt(admission));
    expect(all.map(({ state }) => state)).toEqual(['running', 'running', 'waiting', 'waiting', 'waiting']);
    expect([admission.running, admission.waiting]).toEqual([2, 3]);
    all[1]!.slot!.release('done');
    await settle();
    expect(all.map(({ state }) => state)).toEqual(['running', 'running', 'running', 'waiting', 'waiting']);
    all[0]!.slot!.release('failed');
    all[2]!.slot!.release('timeout');
    await settle();
    expect(all.map(({ state }) => state).slice(2)).toEqual(['running', 'running', 'running']);
    expect([admission.running, admission.waiting]).toEqual([2, 0]);
  });

  it('queues a new save behind the waiting ones', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 10 });
    const first = attempt(admission);
    const second = attempt(admission);
    first.slot!.release('done');
    const third = attempt(admission);
    await settle();
    expect([second.state, third.state]).toEqual(['running', 'waiting']);
  });

  it('counts each release once', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 10 });
    const [first] = [attempt(admission), attempt(admission), attempt(admission)];
    first.slot!.release('done');
    first.slot!.release('done');
    first.slot!.release('failed');
    await settle();
    expect([admission.running, admission.waiting]).toEqual([1, 1]);
  });
});

it('starts every save at once with Infinity', () => {
  const admission = new Admission({ concurrency: Infinity, maxQueue: 0 });
  const all = Array.from({ length: 5000 }, () => attempt(admission, 1));
  expect(all.every(({ state }) => state === 'running')).toBe(true);
});

describe('too-busy', () => {
  const codeOf = ({ error }: Attempt): unknown => (error as SaveError).code;
  const retryAfterOf = ({ error }: Attempt): unknown => (error as SaveError).retryAfter;

  it('refuses a save that finds the queue full', () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 2 });
    attempt(admission);
    expect([attempt(admission).state, attempt(admission).state]).toEqual(['waiting', 'waiting']);
    const late = attempt(admission);
    expect([late.state, codeOf(late), retryAfterOf(late)]).toEqual(['refused', 'too-busy', 1]);
    expect(admission.waiting).toBe(2);
  });

  it('refuses every save that would wait if maxQueue is 0', () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 0 });
    expect([attempt(admission).state, attempt(admission).state]).toEqual(['running', 'refused']);
  });

  it('refuses a save that could not end before its deadline, judged by recent saves', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 1000 });
    await save(admission, 1000);
    attempt(admission);
    // One save runs: the next would end in about two seconds, the one after it in three.
    expect(attempt(admission, 2000).state).toBe('refused');
    expect(attempt(admission, 3000).state).toBe('waiting');
    expect(attempt(admission, 3000).state).toBe('refused');
    expect(attempt(admission, 10_000).state).toBe('waiting');
  });

  it('says in how many seconds the queue will be empty', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 3 });
    await save(admission, 2000);
    [1, 2, 3, 4].forEach(() => attempt(admission));
    expect(retryAfterOf(attempt(admission))).toBe(8);
  });

  it('starts every save at once while there are free slots, however slow recent saves were', async () => {
    const admission = new Admission({ concurrency: 2, maxQueue: 10 });
    await save(admission, 50_000);
    expect(attempt(admission, 100).state).toBe('running');
  });

  it('refuses a save that has too little time left at its turn', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 10 });
    await save(admission, 100);
    const running = attempt(admission);
    const waiting = attempt(admission, 1000);
    const patient = attempt(admission, 60_000);
    jest.advanceTimersByTime(950);
    running.slot!.release('done');
    await settle();
    expect([waiting.state, codeOf(waiting), patient.state]).toEqual(['refused', 'too-busy', 'running']);
  });
});

describe('the expected duration', () => {
  it('comes from done saves, not from failed ones', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 10 });
    await save(admission, 1000);
    for (let failed = 0; failed < 100; failed += 1) attempt(admission).slot!.release('failed');
    attempt(admission);
    expect(attempt(admission, 2000).state).toBe('refused');
  });

  it('ignores timeouts that are much too short', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 10 });
    await save(admission, 1000);
    for (let timedOut = 0; timedOut < 100; timedOut += 1) {
      const { slot } = attempt(admission, 1);
      jest.advanceTimersByTime(1);
      slot!.release('timeout');
    }
    attempt(admission);
    expect(attempt(admission, 2000).state).toBe('refused');
  });

  it('rises when saves time out that took longer than most', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 10 });
    await save(admission, 10);
    for (let timedOut = 0; timedOut < 50; timedOut += 1) {
      const { slot } = attempt(admission, 5000);
      jest.advanceTimersByTime(5000);
      slot!.release('timeout');
    }
    attempt(admission);
    expect(attempt(admission, 5000).state).toBe('refused');
  });
});

describe('a waiting save', () => {
  it('rejects with the reason of its signal when that aborts', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 1 });
    const running = attempt(admission);
    const controller = new AbortController();
    const waiting = attempt(admission, 60_000, controller.signal);
    const reason = new SaveError('client-disconnected', 'The client disconnected.');
    controller.abort(reason);
    expect(admission.waiting).toBe(0);
    expect(attempt(admission).state).toBe('waiting');
    await settle();
    expect([waiting.state, waiting.error]).toEqual(['refused', reason]);
    running.slot!.release('done');
    expect(admission.running).toBe(1);
  });

  it('keeps no listener once it runs', async () => {
    const admission = new Admission({ concurrency: 1, maxQueue: 1 });
    const running = attempt(admission);
    const controller = new AbortController();
    const waiting = attempt(admission, 60_000, controller.signal);
    running.slot!.release('done');
    await settle();
    controller.abort(new Error('too late'));
    await settle();
    expect(waiting.state).toBe('running');
    expect(admission.running).toBe(1);
  });
});

it('raises the limit with auto if more saves at once take no longer', async () => {
  const admission = new Admission({ concurrency: 'auto', maxQueue: 1000 });
  for (let round = 0; round < 40; round += 1) {
    const all = Array.from({ length: 100 }, () => attempt(admission));
    while (admission.running > 0) {
      const running = all.filter(({ state, slot }) => state === 'running' && slot !== undefined);
      jest.advanceTimersByTime(300);
      for (const item of running) {
        item.slot!.release('done');
        delete item.slot;
      }
      await settle();
    }
  }
  const all = Array.from({ length: 100 }, () => attempt(admission));
  expect(all.filter(({ state }) => state === 'running').length).toBeGreaterThan(50);
});

test.each([
  ['auto', 8, 13],
  [8, 8, 8],
] as const)(
  'with the limit %p, %i saves start, and %i when five have come to be published',
  async (concurrency, before, after) => {
    const admission = new Admission({ concurrency, maxQueue: 100 });
    const all = Array.from({ length: 20 }, () => attempt(admission));
    expect(admission.running).toBe(before);
    for (const { slot } of all.slice(0, 5)) slot!.startPublishing();
    await settle();
    expect(admission.running).toBe(after);
    // Eight of the others are in progress either way.
    for (const { slot } of all.slice(0, 5)) slot!.release('failed');
    await settle();
    expect([admission.running, admission.waiting]).toEqual([8, 7]);
  },
);
