// What the operator is told of a save: the record, and how long each stage took.
import type { SaveErrorCode } from '../errors.js';

/** The stages of a save, in order. */
export type SaveStage = 'waiting' | 'preparing' | 'rendering' | 'inspecting' | 'publishing';

/** Milliseconds of each stage that began. */
export type StageTimes = Readonly<Partial<Record<SaveStage, number>>>;

/** How one save command ended: the argument of `onPublished` and of `onSave`. */
export interface SaveRecord {
  readonly outcome: 'done' | 'failed' | 'timeout';
  /** Why there is no new image; undefined when done. */
  readonly code: SaveErrorCode | undefined;
  /** Undefined if the command is malformed. */
  readonly name: string | undefined;
  /** Bytes published; undefined unless done. */
  readonly bytes: number | undefined;
  /** Width × height × pages; undefined unless done. */
  readonly pixels: number | undefined;
  /** The status of the rendered response; undefined if the save ended before it. */
  readonly rendererStatus: number | undefined;
  /** Pixels across and down the first page, as stored; undefined unless done. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** The media type of the image; undefined unless done. */
  readonly type: string | undefined;
  /** The public URL of the image, from the option `publicUrl`; undefined unless done. */
  readonly url: string | undefined;
  /** From the command's arrival to its reply, or for `onPublished` to this call. */
  readonly milliseconds: number;
  /** Milliseconds of each stage that began, in order. A failed save failed in the last one. */
  readonly stages: StageTimes;
  /**
   * The underlying error of the system, the renderer, the decoder or the store. It can contain paths of the server.
   * For a rendered status other than 200 it quotes the first bytes of the text. Undefined when done.
   */
  readonly cause: unknown;
  /**
   * When done, an error after publishing: of flushing the folder, of the store, of `publicUrl` or of `onPublished`.
   * Several are one `AggregateError`.
   */
  readonly warning: unknown;
}

/** Measures one stage after the other. */
export class StageTimer {
  readonly #begun: [stage: SaveStage, at: number][] = [];

  begin(stage: SaveStage): void {
    this.#begun.push([stage, performance.now()]);
  }

  end(): StageTimes {
    const ends = [...this.#begun.slice(1).map(([, at]) => at), performance.now()];
    return Object.fromEntries(this.#begun.map(([stage, at], index) => [stage, (ends[index] ?? at) - at]));
  }
}
