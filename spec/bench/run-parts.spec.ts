// A part of the bench that fails, and what becomes of the others.
import type { Part, Surroundings } from '../../bench/part.js';
import { runParts, type Frame } from '../../bench/run-parts.js';

const finding = { median: 1, low: 1, high: 1 };

const good: Part = ({ say, findings }) => {
  say('a table');
  findings.set('good', finding);
  return Promise.resolve();
};

const bad: Part = ({ say, findings }) => {
  say('half a table');
  findings.set('half', finding);
  return Promise.reject(new Error('The disk is full\n    at somewhere'));
};

function frame(isEnding = false): Frame & { ended: number } {
  return {
    ended: 0,
    begin: (noted) => noted as Surroundings,
    end() {
      this.ended++;
      return Promise.resolve();
    },
    isEnding: () => isEnding,
    say: () => undefined,
  };
}

afterEach(() => {
  jest.restoreAllMocks();
});
beforeEach(() => {
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});

test('what was found before and after a failure is kept, and the failure is told', async () => {
  const given = frame();
  const { texts, findings, failed } = await runParts(
    [
      ['Bad', bad],
      ['Good', good],
    ],
    given,
  );
  expect(texts).toEqual([
    ...['### Bad', 'half a table', 'The rest of this part has failed: The disk is full'],
    ...['### Good', 'a table'],
  ]);
  expect([[...findings.keys()], failed, given.ended]).toEqual([['half', 'good'], true, 2]);
  expect(console.error).toHaveBeenCalledTimes(1);
});

test('parts that do not fail are no failure', async () => {
  expect(await runParts([['Good', good]], frame())).toMatchObject({ failed: false });
  expect(console.error).not.toHaveBeenCalled();
});

test('an interrupted bench does not go on', async () => {
  await expect(
    runParts(
      [
        ['Bad', bad],
        ['Good', good],
      ],
      frame(true),
    ),
  ).rejects.toThrow('The disk is full');
});
