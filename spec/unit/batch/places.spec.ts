import { Places } from '../../../lib/batch/places.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const createTask = (): { hasPlace: boolean } => ({ hasPlace: false });

function takeNew(places: Places<{ hasPlace: boolean }>): { hasPlace: boolean } {
  const task = createTask();
  places.take(task);
  return task;
}

it('has room until all places are taken', () => {
  const places = new Places(2);
  const task = takeNew(places);
  expect([places.hasRoom, places.isEmpty]).toEqual([true, false]);
  takeNew(places);
  expect(places.hasRoom).toBe(false);
  places.release(task);
  expect(places.hasRoom).toBe(true);
});

it('keeps the place of a task that waits with it', () => {
  const places = new Places(1);
  const task = takeNew(places);
  places.delay(task, 100, true, () => undefined);
  expect(places.hasRoom).toBe(false);
  expect(places.takeDue()).toBeUndefined();
  jest.advanceTimersByTime(100);
  expect(places.takeDue()).toBe(task);
});

it('gives the place of a task that waits without it to others', () => {
  const places = new Places(1);
  const task = takeNew(places);
  const whenDue = jest.fn();
  places.delay(task, 100, false, whenDue);
  expect(places.hasRoom).toBe(true);
  const other = takeNew(places);
  jest.advanceTimersByTime(100);
  expect(whenDue).toHaveBeenCalledTimes(1);
  expect(places.takeDue()).toBeUndefined();
  places.release(other);
  expect(places.takeDue()).toBe(task);
  places.release(task);
  expect(places.isEmpty).toBe(true);
});

it('has no room for new tasks when sixteen times as many wait as there are places', () => {
  const places = new Places(2);
  for (let i = 0; i < 32; i++) {
    expect(places.hasRoom).toBe(true);
    places.delay(takeNew(places), 100, false, () => undefined);
  }
  expect(places.hasRoom).toBe(false);
});

it('forgets all tasks that wait or are due when it is cleared', () => {
  const places = new Places(3);
  places.delay(takeNew(places), 50, true, () => undefined);
  places.delay(takeNew(places), 100, true, () => undefined);
  places.delay(takeNew(places), 100, false, () => undefined);
  jest.advanceTimersByTime(50);
  places.clear();
  jest.advanceTimersByTime(100);
  expect([places.takeDue(), places.isEmpty]).toEqual([undefined, true]);
});
