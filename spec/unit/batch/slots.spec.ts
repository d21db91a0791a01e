import { Slots } from '../../../lib/batch/slots.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function takeNew(slots: Slots<object>): object {
  const task = {};
  slots.add(task);
  expect(slots.takeDue()).toBe(task);
  return task;
}

it('has room until all slots are taken', () => {
  const slots = new Slots<object>(2);
  const task = takeNew(slots);
  expect([slots.hasRoom, slots.isEmpty]).toEqual([true, false]);
  takeNew(slots);
  expect(slots.hasRoom).toBe(false);
  slots.release(task);
  expect(slots.hasRoom).toBe(true);
});

it('keeps the slot of a task that waits with it', () => {
  const slots = new Slots<object>(1);
  const task = takeNew(slots);
  slots.delay(task, 100, true, () => undefined);
  expect(slots.hasRoom).toBe(false);
  expect(slots.takeDue()).toBeUndefined();
  jest.advanceTimersByTime(100);
  expect(slots.takeDue()).toBe(task);
});

it('gives the slot of a task that waits without it to others', () => {
  const slots = new Slots<object>(1);
  const task = takeNew(slots);
  const whenDue = jest.fn();
  slots.delay(task, 100, false, whenDue);
  expect(slots.hasRoom).toBe(true);
  const other = takeNew(slots);
  expect(slots.hasRoom).toBe(false);
  jest.advanceTimersByTime(100);
  expect(whenDue).toHaveBeenCalledTimes(1);
  expect(slots.takeDue()).toBeUndefined();
  slots.release(other);
  expect(slots.takeDue()).toBe(task);
  slots.release(task);
  expect(slots.isEmpty).toBe(true);
});

it('has no room for new tasks when sixteen times as many wait as there are slots', () => {
  const slots = new Slots<object>(2);
  for (let i = 0; i < 32; i++) {
    expect(slots.hasRoom).toBe(true);
    slots.delay(takeNew(slots), 100, false, () => undefined);
  }
  expect(slots.hasRoom).toBe(false);
});

it('forgets all tasks that wait or are due when it is cleared', () => {
  const slots = new Slots<object>(3);
  slots.delay(takeNew(slots), 50, true, () => undefined);
  slots.delay(takeNew(slots), 100, true, () => undefined);
  slots.delay(takeNew(slots), 100, false, () => undefined);
  jest.advanceTimersByTime(50);
  slots.clear();
  jest.advanceTimersByTime(100);
  expect([slots.takeDue(), slots.isEmpty]).toEqual([undefined, true]);
});
