// Calls that Windows refuses while a file is in use are tried again, for a second at most.
import { retryWhileInUse } from '../../../lib/temp-files/fs.js';
import { refusalOf } from '../../support/refusal.js';
import { IN_USE_CODES, usePlatform } from '../../support/windows.js';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

/** Fails a number of times. Counts its calls. */
function failing(times: number, code = 'EPERM'): { call: () => Promise<void>; calls: () => number } {
  let calls = 0;
  const call = (): Promise<void> =>
    (calls += 1) > times ? Promise.resolve() : Promise.reject(systemError(code));
  return { call, calls: () => calls };
}

async function isPassedOn(code: string): Promise<void> {
  const { call, calls } = failing(Infinity, code);
  await expect(retryWhileInUse(call)).rejects.toThrow(code);
  expect(calls()).toBe(1);
}

/** Makes waits end at once. Returns the milliseconds of each. */
function skipWaits(): number[] {
  const waits: number[] = [];
  const { setTimeout: real } = globalThis;
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(((then: () => void, milliseconds: number) => {
    waits.push(milliseconds);
    return real(then, 0);
  }) as typeof setTimeout);
  return waits;
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('on Windows', () => {
  usePlatform('win32');

  it.each(IN_USE_CODES)('tries again after %s, with waits that double', async (code) => {
    const waits = skipWaits();
    const { call, calls } = failing(4, code);
    await retryWhileInUse(call);
    expect([calls(), waits]).toEqual([5, [5, 10, 20, 40]]);
    await retryWhileInUse(failing(0).call);
    expect(waits).toHaveLength(4);
  });

  it('refuses with file-in-use after a second of waits, and calls beforeWait before each', async () => {
    const waits = skipWaits();
    const { call, calls } = failing(Infinity);
    const beforeWait = jest.fn();
    const { code, cause } = await refusalOf(() => retryWhileInUse(call, beforeWait));
    expect([code, cause]).toEqual(['file-in-use', systemError('EPERM')]);
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 365]);
    expect(waits.reduce((sum, wait) => sum + wait)).toBe(1000);
    expect([calls(), beforeWait.mock.calls.length]).toEqual([9, 8]);
  });

  it.each(['ENOSPC', 'ENOENT', 'EISDIR'])('passes %s on at once', isPassedOn);

  it('passes on what is thrown between two attempts', async () => {
    skipWaits();
    const late = new Error('too late');
    let calls = 0;
    const call = (): Promise<void> => Promise.reject((calls += 1) === 2 ? late : systemError('EBUSY'));
    await expect(retryWhileInUse(call)).rejects.toBe(late);
    expect(calls).toBe(2);
  });
});

describe.each(['linux', 'darwin'] as const)('on %s', (platform) => {
  usePlatform(platform);

  it.each(IN_USE_CODES)('passes %s on at once', isPassedOn);
});
