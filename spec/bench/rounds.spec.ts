// What the bench makes of plain numbers: medians, ratios, and the control that can forbid them.
import {
  controlOff,
  quantile,
  ratioTo,
  runRounds,
  shuffled,
  spread,
  type Contest,
  type Outcome,
  type Slice,
} from '../../bench/rounds.js';

const slices = (...walls: number[]): Slice[] => walls.map((wall) => ({ wall, cpu: 2 * wall }));

function outcome(subject: Slice[], twin: Slice[], other: Slice[]): Outcome {
  const series = new Map([
    ['subject', subject],
    ['other', other],
  ]);
  return { name: 'contest', subject: 'subject', series, twin };
}

test('the median and the quartiles are those of the sorted values', () => {
  expect(spread([5, 1, 4, 2, 3])).toEqual({ median: 3, low: 2, high: 4 });
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1.75, high: 3.25 });
  expect(quantile([7], 0.9)).toBe(7);
  expect(() => quantile([], 0.5)).toThrow(RangeError);
});

test('a ratio is taken within each round, so that a drift of the machine cancels out', () => {
  const drifting = outcome(slices(10, 20, 40), slices(10, 20, 40), slices(15, 30, 60));
  expect(ratioTo(drifting, 'other', 'wall')).toEqual({ median: 1.5, low: 1.5, high: 1.5 });
});

test('a subject that takes half the time is done twice in the time of the other', () => {
  const faster = outcome(slices(10, 10), slices(10, 10), slices(20, 20));
  expect(ratioTo(faster, 'other', 'wall')).toMatchObject({ median: 2 });
  const slower = outcome(slices(20, 20), slices(20, 20), slices(10, 10));
  expect(ratioTo(slower, 'other', 'cpu')).toMatchObject({ median: 0.5 });
});

test('a control that is off by less than 3 % stands for a ratio, one that is off by more forbids it', () => {
  const other = slices(100, 100, 100);
  const good = outcome(slices(100, 100, 100), slices(102.9, 97.5, 102.9), other);
  expect(controlOff(good, 'wall')).toBeCloseTo(0.029);
  expect(ratioTo(good, 'other', 'wall')).toMatchObject({ median: 1 });
  for (const off of [104, 96]) {
    const bad = outcome(slices(100, 100, 100), slices(off, off, off), other);
    expect(ratioTo(bad, 'other', 'wall')).toEqual({
      refused: 'the control is off by 4.0 %, more than 3 %',
    });
  }
});

test('the control of the clock says nothing of the processor', () => {
  const twin = [{ wall: 110, cpu: 200 }];
  const one = outcome(slices(100), twin, slices(100));
  expect(ratioTo(one, 'other', 'wall')).toHaveProperty('refused');
  expect(ratioTo(one, 'other', 'cpu')).toMatchObject({ median: 1 });
});

test('a control that was not measured forbids the ratio too', () => {
  expect(ratioTo(outcome(slices(100), slices(NaN), slices(100)), 'other', 'wall')).toHaveProperty('refused');
});

test('shuffling keeps everything, in an order that chance decides', () => {
  const zeros = shuffled([1, 2, 3, 4], () => 0);
  expect(zeros).toEqual([2, 3, 4, 1]);
  expect(shuffled([1, 2, 3, 4], () => 0.99)).toEqual([1, 2, 3, 4]);
});

describe('rounds', () => {
  /** A contest of which each slice is noted, and takes what it is told to. */
  function contest(twin: number): Contest & { noted: string[] } {
    const noted: string[] = [];
    const take = (name: string, wall: number) => (round: number) => {
      noted.push(`${name} ${round}`);
      return Promise.resolve({ wall, cpu: wall });
    };
    const variants = new Map([
      ['subject', take('subject', 100)],
      ['other', take('other', 150)],
    ]);
    return { name: 'contest', subject: 'subject', variants, twin: take('twin', twin), noted };
  }

  test('each variant and the control run once in each, and the first ones do not count', async () => {
    const given = contest(101);
    const { series, twin } = await runRounds(given, 5);
    expect([series.get('subject')?.length, series.get('other')?.length, twin.length]).toEqual([5, 5, 5]);
    for (const [index, round] of [-1, 0, 1, 2, 3, 4, 5].entries()) {
      const inRound = given.noted.slice(3 * index, 3 * index + 3).sort();
      expect(inRound).toEqual([`other ${round}`, `subject ${round}`, `twin ${round}`]);
    }
    expect(given.noted).toHaveLength(21);
  });

  test('a control that is off gets half as many again, and no more', async () => {
    const { twin } = await runRounds(contest(110), 4);
    expect(twin).toHaveLength(6);
  });
});
