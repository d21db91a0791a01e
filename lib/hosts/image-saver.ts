// createImageSaver: saves images from code, without HTTP.
import { setMaxListeners } from 'node:events';
import { whenAborted } from '../abort.js';
import { SaveError } from '../errors.js';
import { checkOptions, type ImageSaveOptions } from '../options.js';
import type { SaveOutcome } from '../protocol/reply.js';
import type { Exchange, RenderedImage } from '../save/exchange.js';
import type { SaveRecord } from '../save/save-record.js';
import { MILLISECONDS, validateOptions, type Rule, type Rules } from '../validate-options.js';
import { Saver, type SaveControls } from './saver.js';
import { createSource, type ImageSource, type Source } from './source.js';

/** The options of {@link createImageSaver}: those of `imageSave` that need no request. */
export interface ImageSaverOptions extends Omit<
  ImageSaveOptions<undefined>,
  'savePath' | 'authorize' | 'allowCrossSite' | 'onPublished' | 'publicUrl' | 'onSave'
> {
  savePath?: string | undefined;
  onPublished?: ((record: SaveRecord) => void | Promise<void>) | undefined;
  publicUrl?: string | ((name: string) => string) | undefined;
  onSave?: ((record: SaveRecord) => void | Promise<void>) | undefined;
}

/** One save of an {@link ImageSaver}. */
export interface SaveImageOptions {
  /** Relative to the save folder, as `name=` of a command, but without variables. */
  name: string;
  /** The time limit, in milliseconds. Default and maximum are the options `timeout` and `maxTimeout`. */
  timeout?: number | undefined;
  /** Ends the save, unless it is published already. */
  signal?: AbortSignal | undefined;
}

/** A saved image. */
export interface SavedImage {
  readonly name: string;
  /** From the option `publicUrl`. */
  readonly url: string | undefined;
  /** Pixels across and down the first page, as stored. */
  readonly width: number;
  readonly height: number;
  /** The media type. */
  readonly type: string;
  readonly pages: number;
  /** Of all pages together. */
  readonly pixels: number;
  /** Bytes. */
  readonly length: number;
  /** Whole milliseconds since 1970. */
  readonly lastUpdated: number;
}

/** Saves images. */
export interface ImageSaver extends SaveControls<undefined> {
  /**
   * Saves an image, all or nothing, once every pixel is checked.
   *
   * @param image Read once. A stream is read with back-pressure, and destroyed or cancelled if the save fails. Of a
   * `Response`, status, length and encoding are checked as those of a renderer's.
   * @throws SaveError The save was refused or failed. The reason of `signal`, if that has ended it.
   * @throws TypeError The image is of no such kind, or an option is wrong.
   */
  (image: ImageSource, options: SaveImageOptions): Promise<SavedImage>;
}

const EXAMPLE = "createImageSaver({ savePath: './saved' })";
const SAVE_EXAMPLE = "save(image, { name: 'shoe.jpg' })";

const NEEDS_REQUEST: Rule = { expected: 'left out: there is no request to judge', isValid: () => false };
const WITHOUT_REQUEST = {
  authorize: NEEDS_REQUEST,
  allowCrossSite: NEEDS_REQUEST,
  savePath: {
    expected: 'a path: there is no request to choose by',
    isValid: (value: unknown) => typeof value === 'string' && !value.includes('\0'),
  },
};

const RULES: Rules<SaveImageOptions> = {
  name: { expected: 'a string', isValid: (value) => typeof value === 'string', required: true },
  timeout: MILLISECONDS,
  signal: {
    expected: 'an AbortSignal',
    isValid: (value) => typeof (value as Partial<AbortSignal> | null)?.addEventListener === 'function',
  },
};

/**
 * Makes a function that saves images under the promises of the middleware.
 *
 * @throws TypeError An option is unknown or wrong, or needs a request.
 * @example
 * const save = createImageSaver({ savePath: './saved' });
 * const { width, height } = await save(buffer, { name: 'shoe.jpg' });
 */
export function createImageSaver(options: ImageSaverOptions = {}): ImageSaver {
  const saver = new Saver(checkOptions('createImageSaver', EXAMPLE, options, WITHOUT_REQUEST));
  async function save(image: ImageSource, saveOptions: SaveImageOptions): Promise<SavedImage> {
    validateOptions('save', SAVE_EXAMPLE, RULES, saveOptions);
    const source = createSource(image);
    return new Promise((resolve, reject) => {
      saver.start(new CodeExchange(source, saveOptions, { resolve, reject }));
    });
  }
  return saver.control(save);
}

interface Settle {
  resolve(image: SavedImage): void;
  reject(error: unknown): void;
}

class CodeExchange implements Exchange {
  readonly arrival = performance.now();
  readonly request = undefined;
  readonly #source: Source;
  readonly #options: SaveImageOptions;
  readonly #settle: Settle;
  #stopWatching: (() => void) | undefined;

  constructor(source: Source, options: SaveImageOptions, settle: Settle) {
    this.#source = source;
    this.#options = options;
    this.#settle = settle;
  }

  begin(abort: (error: SaveError) => void): void {
    const { signal } = this.#options;
    // Many saves may share one, as for a worker that stops: Node would warn of a leak.
    if (signal instanceof EventTarget) setMaxListeners(0, signal);
    this.#stopWatching = whenAborted(signal, () => {
      abort(new SaveError('client-disconnected', {}, signal?.reason));
    });
  }

  readCommand(): SaveImageOptions {
    return this.#options;
  }

  render(): RenderedImage {
    return this.#source.rendered;
  }

  release(): void {
    this.#source.release();
  }

  callHook<First>(hook: (first: First, request: unknown) => unknown, first: First): unknown {
    return (hook as (first: First) => unknown)(first);
  }

  reply(outcome: SaveOutcome): void {
    this.#stopWatching?.();
    if (outcome.status === 'done') {
      const { name, url, info, length, lastUpdated } = outcome;
      const { width, height, type, pages, pixels } = info;
      this.#settle.resolve({ name, url, width, height, type, pages, pixels, length, lastUpdated });
    } else if (outcome.error.code === 'client-disconnected') {
      this.#settle.reject(this.#options.signal?.reason);
    } else {
      this.#settle.reject(outcome.error);
    }
  }
}
