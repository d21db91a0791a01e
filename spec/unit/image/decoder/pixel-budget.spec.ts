// Whose turn it is to be decoded: the budget, the two lanes, and callers that give up.
import { setImmediate } from 'node:timers/promises';
import { PixelBudget } from '../../../../lib/image/decoder/pixel-budget.js';

const MEGA = 1_000_000;

/** Takes a turn for each image, of so many megapixels. */
async function take(
  sizes: readonly number[],
  { maxLarge = 3, signal }: { maxLarge?: number; signal?: AbortSignal } = {},
) {
  const budget = new PixelBudget(maxLarge);
  const ends = new Map<number, () => void>();
  const turns = sizes.map((size, index) =>
    budget.take(size * MEGA, 100 * MEGA, signal).then((end) => {
      ends.set(index, end);
    }),
  );
  const running = async (): Promise<number[]> => {
    await setImmediate();
    return [...ends.keys()].map((index) => sizes[index]!);
  };
  const end = (size: number): void => {
    const [index] = [...ends.keys()].filter((each) => sizes[each] === size);
    ends.get(index!)!();
    ends.delete(index!);
  };
  await setImmediate();
  return { running, end, turns };
}

it.each([
  ['small ones together', [1, 2, 3, 12], [1, 2, 3, 12]],
  ['large ones within the budget, with room for a small one', [40, 41, 42], [40, 41]],
  ['one large one alone', [99, 90], [99]],
  ['one of the whole budget', [100, 13], [100]],
  ['a small one beside a large one', [99, 1, 0.5], [99, 1]],
  ['several small ones that fit in beside a large one', [90, 1, 2], [90, 1, 2]],
  ['fewer small ones while a large one waits', [90, 95, 1, 2], [90, 1]],
  ['no small one before a large one that waits for small ones', [10, 11, 12, 99, 1], [10, 11, 12]],
])('admits %s', async (_what, sizes, expected) => {
  expect(await (await take(sizes)).running()).toEqual(expected);
});

it('leaves a decoder for small ones', async () => {
  const { running, end } = await take([13, 14, 15, 1], { maxLarge: 2 });
  expect(await running()).toEqual([13, 14, 1]);
  end(1);
  end(14);
  expect(await running()).toEqual([13, 15]);
});

it('gives large ones their turns in order', async () => {
  const { running, end } = await take([99, 98, 13, 97]);
  end(99);
  expect(await running()).toEqual([98]);
  end(98);
  expect(await running()).toEqual([13]);
  end(13);
  expect(await running()).toEqual([97]);
});

it('lets a large one begin when the small ones that it waits for have ended', async () => {
  const { running, end } = await take([10, 11, 12, 99, 1]);
  end(10);
  end(11);
  expect(await running()).toEqual([12, 99]);
});

it('forgets a caller whose signal aborts', async () => {
  const budget = new PixelBudget(3);
  const end = await budget.take(99 * MEGA, 100 * MEGA);
  const controller = new AbortController();
  const waiting = budget.take(98 * MEGA, 100 * MEGA, controller.signal);
  controller.abort(new Error('the deadline passed'));
  await expect(waiting).rejects.toThrow('the deadline passed');
  const next = budget.take(97 * MEGA, 100 * MEGA);
  end();
  (await next)();
});
