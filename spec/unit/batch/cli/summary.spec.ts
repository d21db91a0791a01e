import { formatCommand, summarize, type BatchEnd } from '../../../../lib/batch/cli/summary.js';
import { Tally } from '../../../../lib/batch/cli/tally.js';

const createEnd = (more: Partial<BatchEnd> = {}): BatchEnd => ({
  ...{ tally: new Tally(10), how: 'finished', ledger: undefined, command: 'the command', columns: 80 },
  ...more,
});

function fail(tally: Tally, code: string, message: string): void {
  tally.add({
    ...{ url: '/x', name: 'x.jpg', status: 'failed', code, message, attempts: 1, milliseconds: 1, at: 'now' },
  });
}

it('says nothing of going on when everything is done', () => {
  const end = createEnd({ ledger: 'l' });
  end.tally.done = 10;
  end.tally.pixels = 12_300_000;
  end.tally.bytes = 4500;
  expect(summarize(end).replace(/\d\.\d s/, '1 s')).toBe(
    'Finished after 1 s.\n  done     10 (4.50 kB, 12 megapixels)\n  failed   0\n',
  );
});

it.each([
  ['stopped', 'Stopped'],
  ['gave up', 'Gave up'],
] as const)('says how many jobs are left when it has %s', (how, heading) => {
  const end = createEnd({ how, ledger: 'l' });
  end.tally.done = 4;
  expect(summarize(end)).toMatch(
    new RegExp(`^${heading} [^]* left {5}6\n\nThe ledger l [^]*To go on:\n {2}the command\n$`),
  );
});

it('lists failures by code, breaks their messages into lines, and lets none steer the terminal', () => {
  const end = createEnd({ columns: 30 });
  fail(end.tally, 'b', 'Write this and that, then try it again.\u001b[2J');
  expect(summarize(end)).toContain(
    '\n  1 × b\n    /x  →  x.jpg\n    Write this and that, then\n    try it again.\uFFFD[2J\n\nWithout a ledger',
  );
});

it('shows the command as a shell takes it, without the values of headers', () => {
  expect(formatCommand(['batch', 'a b.txt', '--header', 'Authorization: Bearer x', '--header=A: y'])).toBe(
    "npx express-image-save batch 'a b.txt' --header 'Authorization: …' '--header=A: …'",
  );
});
