// The slots of a batch: which jobs have one, and which wait for their next attempt.

/**
 * Jobs that may wait without a slot, for each slot. When there are more, no new job begins: a server that refuses
 * everything would otherwise be asked for all jobs at once.
 */
const MAX_WAITING_FACTOR = 16;

/** Something that takes a slot. */
export interface Occupant {
  hasSlot: boolean;
}

/** A number of slots, and the tasks that wait for theirs. */
export class Slots<Task extends Occupant> {
  readonly #count: number;
  readonly #delayed = new Map<Task, NodeJS.Timeout>();
  readonly #due: Task[] = [];
  #taken = 0;
  #waitingWithoutSlot = 0;

  constructor(count: number) {
    this.#count = count;
  }

  /** Whether no task has a slot or waits for one. */
  get isEmpty(): boolean {
    return this.#taken === 0 && this.#waitingWithoutSlot === 0;
  }

  /** Whether a new task may begin. */
  get hasRoom(): boolean {
    return this.#taken < this.#count && this.#waitingWithoutSlot < MAX_WAITING_FACTOR * this.#count;
  }

  /** Adds a new task: {@link takeDue} returns it when there is a slot for it. */
  add(task: Task): void {
    this.#waitingWithoutSlot++;
    this.#due.push(task);
  }

  /** Ends a task. */
  release(task: Task): void {
    if (task.hasSlot) this.#taken--;
    else this.#waitingWithoutSlot--;
    task.hasSlot = false;
  }

  /**
   * Lets a task wait.
   *
   * @param keepsSlot Whether it keeps its slot meanwhile.
   * @param whenDue Called when the time is over; {@link takeDue} then returns the task.
   */
  delay(task: Task, milliseconds: number, keepsSlot: boolean, whenDue: () => void): void {
    if (!keepsSlot) {
      this.release(task);
      this.#waitingWithoutSlot++;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(task);
      this.#due.push(task);
      whenDue();
    }, milliseconds);
    this.#delayed.set(task, timer);
  }

  /** A task whose wait is over, now with a slot; undefined where there is none, or no slot for it. */
  takeDue(): Task | undefined {
    const isFree = this.#taken < this.#count;
    const at = this.#due.findIndex((task) => isFree || task.hasSlot);
    if (at < 0) return undefined;
    const [task] = this.#due.splice(at, 1);
    if (task?.hasSlot === false) {
      this.#waitingWithoutSlot--;
      this.#taken++;
      task.hasSlot = true;
    }
    return task;
  }

  /** Ends every task that waits. */
  clear(): void {
    for (const [task, timer] of this.#delayed) {
      clearTimeout(timer);
      this.release(task);
    }
    this.#delayed.clear();
    for (const task of this.#due.splice(0)) this.release(task);
  }
}
