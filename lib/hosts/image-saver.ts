// createImageSaver: saves images from code, without HTTP.
import { setMaxListeners } from 'node:events';
import { whenAborted } from '../abort.js';
import { SaveError } from '../errors.js';
import type { ImageInfo } from '../image/types.js';
import type { SaveOutcome } from '../protocol/reply.js';
import type { Exchange } from '../save/exchange.js';
import { checkOptions, type ImageSaveOptions } from '../save/options.js';
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

export interface SaveImageOptions {
  /** Relative to the save folder, as `name=` of a command, but without variables. */
  name: string;
  /** Milliseconds. Default and maximum are the options `timeout` and `maxTimeout`. */
  timeout?: number | undefined;
  /** Ends the save, unless it is published already. */
  signal?: AbortSignal | undefined;
}

export interface SavedImage extends Omit<ImageInfo, 'format'> {
  readonly name: string;
  /** From the option `publicUrl`. */
  readonly url: string | undefined;
  /** Bytes. */
  readonly length: number;
  /** Whole milliseconds since 1970. */
  readonly lastUpdated: number;
}

export interface ImageSaver extends SaveControls<undefined> {
  /**
   * Saves an image, all or nothing, once it is inspected.
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
    const { signal } = saveOptions;
    const source = createSource(image);
    // Many saves may share one, as for a worker that stops: Node would warn of a leak.
    if (signal instanceof EventTarget) setMaxListeners(0, signal);
    const outcome = await new Promise<SaveOutcome>((resolve) => {
      saver.start(createExchange(source, saveOptions, resolve));
    });
    if (outcome.status === 'done') {
      const { name, url, info, length, lastUpdated } = outcome;
      const { width, height, type, pages, pixels } = info;
      return { name, url, width, height, type, pages, pixels, length, lastUpdated };
    }
    throw outcome.error.code === 'client-disconnected' ? signal?.reason : outcome.error;
  }

  return saver.control(save);
}

function createExchange(
  source: Source,
  options: SaveImageOptions,
  reply: (outcome: SaveOutcome) => void,
): Exchange {
  const { signal } = options;
  return {
    arrival: performance.now(),
    request: undefined,
    begin: (abort) =>
      whenAborted(signal, () => {
        abort(new SaveError('client-disconnected', {}, signal?.reason));
      }),
    readCommand: () => options,
    render: () => source.rendered,
    endReading: source.endReading,
    callHook: (hook, first) => (hook as (first: unknown) => unknown)(first),
    reply,
  };
}
