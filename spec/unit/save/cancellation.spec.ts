// When a save is aborted and why: at most once, and never after disarm.
import { Cancellation } from '../../../lib/save/cancellation.js';
import { SaveError } from '../../../lib/errors.js';
import { codeOf } from '../../support/refusal.js';

/** How long a store may take after the point of no return, in milliseconds. */
const PATIENCE = 5000;

let deadline: Cancellation;

beforeEach(() => {
  jest.useFakeTimers();
  deadline = new Cancellation();
});
afterEach(() => {
  deadline.disarm();
  jest.useRealTimers();
});

/** Commits a save, or throws why that is too late. */
const commit = (of = deadline): void => {
  of.commit(PATIENCE);
};

/** The reason why the save has ended, undefined while it runs. */
const reason = (of = deadline): string | undefined =>
  of.signal.aborted ? (of.signal.reason as SaveError).code : undefined;

const error = (): SaveError => new SaveError('renderer-failed', 'It failed.');

/** The client disconnects. */
const leave = (): void => {
  deadline.abort(new SaveError('client-disconnected'));
};

describe('the deadline', () => {
  it.each([1000, 2 ** 31 - 1])('passes after a timeout of %i ms and not before', (timeout) => {
    deadline.startTimer(timeout, performance.now());
    jest.advanceTimersByTime(timeout - 1);
    expect(reason()).toBeUndefined();
    jest.advanceTimersByTime(1);
    expect(reason()).toBe('timeout');
    expect((deadline.signal.reason as SaveError).message).toContain(`${timeout} ms`);
  });

  it.each([
    ['counts from the arrival of the command', 600],
    ['passes at once if the time is already over', 1000],
  ])('%s', (_what, waited) => {
    const arrival = performance.now();
    jest.advanceTimersByTime(waited);
    deadline.startTimer(1000, arrival);
    if (waited < 1000) {
      jest.advanceTimersByTime(999 - waited);
      expect(reason()).toBeUndefined();
    }
    jest.advanceTimersByTime(1);
    expect(reason()).toBe('timeout');
  });

  it.each([
    ['disarmed', 'disarm'],
    ['failed', 'abort'],
  ] as const)('is cleared when the save is %s', (_how, call) => {
    deadline.startTimer(1000, performance.now());
    deadline[call](error());
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not start once the save is over', () => {
    deadline.abort(error());
    deadline.startTimer(1000, performance.now());
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('commit', () => {
  it('succeeds while the save runs and again, and makes its outcome final', () => {
    deadline.startTimer(1000, performance.now());
    commit();
    jest.advanceTimersByTime(1000);
    deadline.abort(error());
    leave();
    commit();
    expect(deadline.signal.aborted).toBe(false);
  });

  it('throws the reason of an ended save each time', () => {
    const first = error();
    deadline.abort(first);
    expect(commit).toThrow(first);
    expect(commit).toThrow(first);
  });

  it('throws after the deadline although the timer is late, because the event loop was blocked', () => {
    deadline.startTimer(1000, performance.now());
    const now = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(now + 1000);
    expect(commit).toThrow(expect.objectContaining({ code: 'timeout' }) as Error);
    expect(reason()).toBe('timeout');
    jest.restoreAllMocks();
  });
});

describe('after the point of no return', () => {
  it('stops waiting for a store that never settles, without aborting', async () => {
    commit();
    jest.advanceTimersByTime(PATIENCE);
    expect(await codeOf(() => deadline.aborted)).toBe('store-no-response');
    expect(deadline.signal.aborted).toBe(false);
  });

  it('counts from the first of several commits', async () => {
    commit();
    jest.advanceTimersByTime(PATIENCE - 1);
    commit();
    jest.advanceTimersByTime(1);
    expect(await codeOf(() => deadline.aborted)).toBe('store-no-response');
  });

  it('leaves no timer once the reply is sent', () => {
    commit();
    deadline.disarm();
    commit();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a commit that is taken back', () => {
  it('lets the deadline end the save again, at its own time', () => {
    deadline.startTimer(1000, performance.now());
    jest.advanceTimersByTime(600);
    commit();
    jest.advanceTimersByTime(300);
    deadline.rollback();
    jest.advanceTimersByTime(99);
    expect(reason()).toBeUndefined();
    jest.advanceTimersByTime(1);
    expect(reason()).toBe('timeout');
  });

  it('ends a save whose deadline has passed meanwhile, before the next commit', async () => {
    deadline.startTimer(1000, performance.now());
    commit();
    jest.advanceTimersByTime(1000);
    deadline.rollback();
    expect(await codeOf(commit)).toBe('timeout');
    expect(await codeOf(() => deadline.aborted)).toBe('timeout');
  });

  it.each(['meanwhile', 'later'])('lets a client that disconnects %s end the save', (when) => {
    deadline.startTimer(1000, performance.now());
    commit();
    if (when === 'meanwhile') leave();
    expect(reason()).toBeUndefined();
    deadline.rollback();
    if (when === 'later') leave();
    expect(reason()).toBe('client-disconnected');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('can be made again, and then nothing ends the save', () => {
    deadline.startTimer(1000, performance.now());
    commit();
    deadline.rollback();
    commit();
    jest.advanceTimersByTime(1000);
    leave();
    expect(deadline.signal.aborted).toBe(false);
  });

  it('lets no further commit pass once the reply has gone out without the store', async () => {
    deadline.startTimer(1000, performance.now());
    commit();
    jest.advanceTimersByTime(PATIENCE);
    expect(await codeOf(() => deadline.aborted)).toBe('store-no-response');
    deadline.disarm();
    deadline.rollback();
    expect([await codeOf(commit), jest.getTimerCount()]).toEqual(['timeout', 0]);
  });

  it('changes nothing without a commit or after an abort', () => {
    deadline.startTimer(1000, performance.now());
    deadline.rollback();
    expect(jest.getTimerCount()).toBe(1);
    deadline.abort(error());
    deadline.rollback();
    expect([reason(), jest.getTimerCount()]).toEqual(['renderer-failed', 0]);
  });
});

it('ends for the first reason, once, and never after disarm', () => {
  const first = error();
  let aborts = 0;
  deadline.signal.addEventListener('abort', () => aborts++);
  deadline.startTimer(1000, performance.now());
  deadline.abort(first);
  leave();
  jest.advanceTimersByTime(2000);
  expect([aborts, deadline.signal.reason]).toEqual([1, first]);

  const disarmed = new Cancellation();
  disarmed.startTimer(1000, performance.now());
  disarmed.disarm();
  disarmed.disarm();
  jest.advanceTimersByTime(2000);
  disarmed.abort(error());
  expect(disarmed.signal.aborted).toBe(false);
});
