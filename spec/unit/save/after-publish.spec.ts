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
    expect(createPublicUrl(prefix, name, host)).toEqual({ url });
  });

  it('is none where the name cannot be encoded, with a warning', () => {
    const { url, warning } = createPublicUrl('/saved/', 'half\ud83d.png', host);
    expect(url).toBeUndefined();
    expect(warning).toBeInstanceOf(URIError);
  });

  it('is what the function returns for the name and the request', () => {
    const publicUrl = jest.fn(() => '/a');
    expect(createPublicUrl(publicUrl, 'größe.png', host)).toEqual({ url: '/a' });
    expect(publicUrl.mock.calls).toEqual([['größe.png', request]]);
  });

  test.each([[undefined], [null], [5], [{}], [Promise.resolve('/a')], [Promise.reject(new Error('no'))]])(
    'is none where the function returns %p, with a warning',
    (value) => {
      const { url, warning } = createPublicUrl(() => value, 'a.png', host);
      expect(url).toBeUndefined();
      expect(String(warning)).toContain('must return a string');
    },
  );

  test.each([[new Error('no')], [undefined], [null]])('is none where the function throws %p', (thrown) => {
    const throwIt = (): never => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw thrown;
    };
    const { url, warning } = createPublicUrl(throwIt, 'a.png', host);
    expect(url).toBeUndefined();
    expect(warning).toBeInstanceOf(Error);
  });
});

describe('waiting for onPublished', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('ends as soon as it has settled, and leaves no timer', async () => {
    expect(await waitForHook(() => Promise.resolve('anything'), 5000)).toEqual({});
    expect(await waitForHook(() => undefined, 5000)).toEqual({});
    expect(jest.getTimerCount()).toBe(0);
  });

  test.each([
    [5000, 5000],
    [1001, 1001],
    [400, 1000],
    [-300, 1000],
  ])('with %i ms left of the deadline lasts %i ms at most', async (left, limit) => {
    let warning: unknown = 'none yet';
    const waiting = waitForHook(() => new Promise(() => undefined), left).then((result) => {
      warning = result.warning;
    });
    await jest.advanceTimersByTimeAsync(limit - 1);
    expect(warning).toBe('none yet');
    await jest.advanceTimersByTimeAsync(1);
    await waiting;
    expect(String(warning)).toContain(`within ${limit} ms`);
  });

  it('returns what it throws or rejects with', async () => {
    const failure = new Error('no');
    expect((await waitForHook(() => Promise.reject(failure), 5000)).warning).toBe(failure);
    const throwIt = (): never => {
      throw failure;
    };
    expect((await waitForHook(throwIt, 5000)).warning).toBe(failure);
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    expect((await waitForHook(() => Promise.reject(), 5000)).warning).toBeInstanceOf(Error);
  });
});

describe('two warnings', () => {
  const [one, other] = [new Error('one'), new Error('other')];

  it('become one error that has both', () => {
    expect(joinWarnings(undefined, undefined)).toBeUndefined();
    expect(joinWarnings(one, undefined)).toBe(one);
    expect(joinWarnings(undefined, other)).toBe(other);
    expect((joinWarnings(one, other) as AggregateError).errors).toEqual([one, other]);
  });
});
