// The public URL of an image, and how long a reply waits for onPublished.
import { createPublicUrl, joinWarnings, waitForHook } from '../../../lib/save/after-publish.js';
import type { Exchange } from '../../../lib/save/exchange.js';

const request = {};
/** Calls hooks as the host of a request does. */
const host: Pick<Exchange, 'callHook'> = { callHook: (hook, first) => hook(first, request) };

describe('the public URL', () => {
  test.each([
    ['https://cdn.example.com/saved/', 'a.png', 'https://cdn.example.com/saved/a.png'],
    ['/saved/', 'shoes/red one.png', '/saved/shoes/red%20one.png'],
    ['https://x/?file=', 'a&b=c#d?.png', 'https://x/?file=a%26b%3Dc%23d%3F.png'],
    ['/', 'größe/100%.png', '/gr%C3%B6%C3%9Fe/100%25.png'],
  ])('of the prefix %s and the name %s is %s', (prefix, name, url) => {
    expect(createPublicUrl(prefix, name, host)).toBe(url);
  });

  it('fails where the name cannot be encoded', () => {
    expect(() => createPublicUrl('/saved/', 'half\ud83d.png', host)).toThrow(URIError);
  });

  it('is what the function returns for the name and the request', () => {
    const publicUrl = jest.fn(() => '/a');
    expect(createPublicUrl(publicUrl, 'größe.png', host)).toBe('/a');
    expect(publicUrl.mock.calls).toEqual([['größe.png', request]]);
  });

  test.each([[undefined], [null], [5], [{}], [Promise.resolve('/a')], [Promise.reject(new Error('no'))]])(
    'fails where the function returns %p',
    (value) => {
      expect(() => createPublicUrl(() => value, 'a.png', host)).toThrow('must return a string');
    },
  );
});

describe('waiting for onPublished', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('ends as soon as it has settled, and leaves no timer', async () => {
    await waitForHook(() => Promise.resolve('anything'), 5000);
    await waitForHook(() => undefined, 5000);
    expect(jest.getTimerCount()).toBe(0);
  });

  test.each([
    [5000, 5000],
    [1001, 1001],
    [400, 1000],
    [-300, 1000],
  ])('with %i ms left of the deadline lasts %i ms at most', async (left, limit) => {
    let failure: unknown = 'none yet';
    const waiting = waitForHook(() => new Promise(() => undefined), left).catch((error: unknown) => {
      failure = error;
    });
    await jest.advanceTimersByTimeAsync(limit - 1);
    expect(failure).toBe('none yet');
    await jest.advanceTimersByTimeAsync(1);
    await waiting;
    expect(String(failure)).toContain(`within ${limit} ms`);
  });

  it('fails as it does', async () => {
    const failure = new Error('no');
    await expect(waitForHook(() => Promise.reject(failure), 5000)).rejects.toBe(failure);
  });
});

describe('the warning', () => {
  const [one, other] = [new Error('one'), new Error('other')];

  it('is what was thrown, or one error of several', () => {
    expect(joinWarnings([])).toBeUndefined();
    expect(joinWarnings([one])).toBe(one);
    expect((joinWarnings([one, other]) as AggregateError).errors).toEqual([one, other]);
  });

  test.each([[undefined], [null]])('is an error where %p was thrown', (thrown) => {
    expect(joinWarnings([thrown])).toBeInstanceOf(Error);
  });
});
