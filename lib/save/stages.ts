// Measures how long each stage of a save takes.

import type { SaveStage, StageTimes } from '../options.js';

/** Measures one stage after the other. */
export class StageTimer {
  readonly #times: Partial<Record<SaveStage, number>> = {};
  #current: SaveStage | undefined;
  #beganAt = 0;

  /** Ends the current stage, if there is one, and begins the next. */
  begin(stage: SaveStage): void {
    this.end();
    this.#current = stage;
    this.#beganAt = performance.now();
  }

  /** Ends the last stage. */
  end(): StageTimes {
    if (this.#current !== undefined) {
      this.#times[this.#current] = performance.now() - this.#beganAt;
      this.#current = undefined;
    }
    return { ...this.#times };
  }
}
