// The slots of a batch: which jobs have one, and which wait for their next attempt.

/**
 * Jobs that may wait without a slot, for each slot. When there are more, no new job begins: a server that refuses
 * everything would otherwise be asked for all jobs at once.
 */
const MAX_WAITING_FACTOR = 16;

/** A number of slots, and the tasks that have one or wait. */
export class Slots<Task> {
  readonly #count: number;
  readonly #withSlot = new Set<Task>();
  readonly #withoutSlot = new Set<Task>();
  readonly #delayed = new Map<Task, NodeJS.Timeout>();
  /** Tasks that may take a slot, or have one and need no longer wait. */
  readonly #due: Task[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Whether there is no task. */
  get isEmpty(): boolean {
    return this.#withSlot.size + this.#withoutSlot.size === 0;
  }

  /** Whether a new task may begin. */
  get hasRoom(): boolean {
    return this.#withSlot.size < this.#count && this.#withoutSlot.size < MAX_WAITING_FACTOR * this.#count;
  }

  /** Adds a new task: {@link takeDue} returns it when there is a slot for it. */
  add(task: Task): void {
    this.#withoutSlot.add(task);
    this.#due.push(task);
  }

  /** Ends a task. */
  release(task: Task): void {
    this.#withSlot.delete(task);
    this.#withoutSlot.delete(task);
  }

  /**
   * Lets a task wait.
   *
   * @param keepsSlot Whether it keeps its slot meanwhile.
   * @param whenDue Called when the time is over; {@link takeDue} then returns the task.
   */
  delay(task: Task, milliseconds: number, keepsSlot: boolean, whenDue: () => void): void {
    if (!keepsSlot) {
      this.#withSlot.delete(task);
      this.#withoutSlot.add(task);
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
    const isFree = this.#withSlot.size < this.#count;
    const task = this.#due.find((each) => isFree || this.#withSlot.has(each));
    if (task === undefined) return undefined;
    this.#due.splice(this.#due.indexOf(task), 1);
    this.#withoutSlot.delete(task);
    this.#withSlot.add(task);
    return task;
  }

  /** Ends every task that waits. */
  clear(): void {
    for (const timer of this.#delayed.values()) clearTimeout(timer);
    for (const task of [...this.#delayed.keys(), ...this.#due.splice(0)]) this.release(task);
    this.#delayed.clear();
  }
}
