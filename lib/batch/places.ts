// The places of a batch: which jobs have one, and which wait for their next attempt.

/**
 * Jobs that may wait without a place, for each place. When there are more, no new job begins: a server that refuses
 * everything would otherwise be asked for all jobs at once.
 */
const MAX_ASIDE_FACTOR = 16;

/** Something that takes a place. */
export interface Occupant {
  hasPlace: boolean;
}

/** A number of places, and those who wait for theirs. */
export class Places<Task extends Occupant> {
  readonly #count: number;
  readonly #delayed = new Map<Task, NodeJS.Timeout>();
  readonly #due: Task[] = [];
  #taken = 0;
  #aside = 0;

  constructor(count: number) {
    this.#count = count;
  }

  /** Whether no task has a place or waits for one. */
  get isEmpty(): boolean {
    return this.#taken === 0 && this.#aside === 0;
  }

  /** Whether a new task may begin. */
  get hasRoom(): boolean {
    return this.#taken < this.#count && this.#aside < MAX_ASIDE_FACTOR * this.#count;
  }

  /** Gives a new task its place. */
  take(task: Task): void {
    task.hasPlace = true;
    this.#taken++;
  }

  /** Ends a task. */
  release(task: Task): void {
    if (task.hasPlace) this.#taken--;
    else this.#aside--;
    task.hasPlace = false;
  }

  /**
   * Lets a task wait.
   *
   * @param keepsPlace Whether it keeps its place meanwhile, so that none takes it.
   * @param whenDue Called when the time is over; {@link takeDue} then returns the task.
   */
  delay(task: Task, milliseconds: number, keepsPlace: boolean, whenDue: () => void): void {
    if (!keepsPlace) {
      this.release(task);
      this.#aside++;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(task);
      this.#due.push(task);
      whenDue();
    }, milliseconds);
    this.#delayed.set(task, timer);
  }

  /** A task whose wait is over, now with a place; undefined where there is none, or no place for it. */
  takeDue(): Task | undefined {
    const isFree = this.#taken < this.#count;
    const at = this.#due.findIndex((task) => isFree || task.hasPlace);
    if (at < 0) return undefined;
    const [task] = this.#due.splice(at, 1);
    if (task?.hasPlace === false) {
      this.#aside--;
      this.take(task);
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
