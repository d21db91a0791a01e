// lib/store-clock.ts: what follows from the seconds that a store's answers show, and what does not.
import fc from 'fast-check';
import { ServerClock, type RoundTrip } from '../../../../lib/stores/s3/server-clock.js';

/** An exchange with a store whose clock is so far ahead of ours, answered at once when its answer has gone out. */
const exchange = (sentAt: number, receivedAt: number, ahead: number): RoundTrip => ({
  sentAt,
  receivedAt,
  date: Math.floor((receivedAt + ahead) / 1000) * 1000,
});

/** A clock that knows all that can be known of a store that is so far ahead: what its answers say around a second's turn. */
function learned(ahead: number): ServerClock {
  const clock = new ServerClock();
  clock.observe(exchange(-6, -1, ahead));
  clock.observe(exchange(1, 6, ahead));
  return clock;
}

it('knows nothing at first', () => {
  const clock = new ServerClock();
  expect(clock.estimateTime(exchange(100, 110, 5000))).toBeUndefined();
});

it('knows little from one answer', () => {
  const clock = new ServerClock();
  clock.observe(exchange(1, 6, 60_000));
  expect(clock.estimateTime(exchange(100, 110, 60_000))).toBeUndefined();
});

it('knows the second of an exchange that lies within it', () => {
  expect(learned(60_000).estimateTime(exchange(100, 110, 60_000))).toBe(60_000);
});

it.each([
  ['turned on the way', 995, 1005],
  ['had just begun', 1010, 1015],
  ['was about to end', 1985, 1990],
])('does not know it where the second %s', (_, sent, answered) => {
  expect(learned(60_000).estimateTime(exchange(sent, answered, 60_000))).toBeUndefined();
});

it('forgets after a minute', () => {
  const clock = learned(60_000);
  expect(clock.estimateTime(exchange(59_500, 59_510, 60_000))).toBe(119_000);
  expect(clock.estimateTime(exchange(60_500, 60_510, 60_000))).toBeUndefined();
});

it.each([
  ['back', 40_000],
  ['on', 80_000],
])('notices that the clock of the store was set %s', (_, ahead) => {
  const clock = learned(60_000);
  clock.observe(exchange(500, 510, ahead));
  expect(clock.estimateTime(exchange(600, 610, ahead))).toBeUndefined();
});

it('asks each time where objects have other times than answers', () => {
  const clock = learned(60_000);
  const next = exchange(100, 110, 60_000);
  clock.verify(next, 60_000);
  expect(clock.estimateTime(next)).toBe(60_000);
  clock.verify(next, 3_600_000);
  expect(clock.estimateTime(next)).toBeUndefined();
});

it.each([
  ['earlier', 58_000],
  ['later', 62_000],
])('takes a time that is %s than the exchange for a sign of that', (_, time) => {
  const clock = learned(60_000);
  const next = exchange(100, 110, 60_000);
  clock.verify(next, time);
  expect(clock.estimateTime(next)).toBeUndefined();
});

it('is never wrong about a clock that goes on evenly, though its answers are dated by one that ticks late', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const steps = fc.array(
    fc.record({
      pause: fc.nat(3000),
      took: fc.integer({ min: 1, max: 200 }),
      made: share,
      dated: share,
      late: fc.nat(10),
    }),
    { minLength: 10, maxLength: 200 },
  );
  let known = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1_000_000, max: 9_000_000 }), steps, (ahead, all) => {
      const clock = new ServerClock();
      let now = 0;
      for (const { pause, took, made, dated, late } of all) {
        const sentAt = now + pause;
        const receivedAt = (now = sentAt + took);
        // The store does its work, and dates its answer, at any moments in between.
        const work = sentAt + took * made;
        const date = Math.floor((work + (receivedAt - work) * dated + ahead - late) / 1000) * 1000;
        clock.observe({ sentAt, receivedAt, date });
        const time = clock.estimateTime({ sentAt, receivedAt, date });
        if (time === undefined) continue;
        known += 1;
        expect(time).toBe(Math.floor((work + ahead) / 1000) * 1000);
      }
    }),
  );
  expect(known).toBeGreaterThan(0);
});
