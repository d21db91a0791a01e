// What a host can set, and what holds where it does not; checked once, when the middleware is made.
import type { IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import type { SaveErrorCode } from './errors.js';
import type { ImageStore } from './stores/types.js';

/** How one save command ended: what {@link ImageSaveOptions.onSave} is told. */
export interface SaveRecord {
  readonly outcome: 'done' | 'failed' | 'timeout';
  /** Why there is no new image; undefined when done. */
  readonly code: SaveErrorCode | undefined;
  /** The name asked for, where the command held one. */
  readonly name: string | undefined;
  /** Bytes published; undefined unless done. */
  readonly bytes: number | undefined;
  /** Width × height × pages; undefined unless done. */
  readonly pixels: number | undefined;
  /** From the command's arrival to its answer. */
  readonly milliseconds: number;
  /**
   * What went wrong underneath: a system error, an error of the renderer, of the decoder or of the store. It can
   * hold paths of the server. When done, what failed after the image was in place: the flush of its folder.
   */
  readonly cause: unknown;
}

/** What {@link imageSave} can be given. All of it is optional. */
export interface ImageSaveOptions<Request extends IncomingMessage = IncomingMessage> {
  /**
   * The existing folder below which images are saved; a relative one is taken from the working directory when
   * the middleware is made. A function chooses one for each request. `''` disables saving. Default `''`.
   */
  savePath?: string | ((req: Request) => string | Promise<string>) | undefined;
  /** Keeps the images elsewhere than in a folder: an object store, or one of your own. Instead of `savePath`. */
  store?: ImageStore | undefined;
  /** How long a save may take that sets no `timeout=` itself, in milliseconds. Default 60,000. */
  timeout?: number | undefined;
  /** The longest that any save may take, in milliseconds; what asks for more gets this. Default 600,000. */
  maxTimeout?: number | undefined;
  /** The most pixels that an image may have, all its pages together. Default 100,000,000. */
  maxPixels?: number | undefined;
  /** The most bytes that an image may have. Default 1 GiB. */
  maxBytes?: number | undefined;
  /**
   * `'pixels'` decodes every pixel before the image is published; `'header'` trusts the renderer and reads only
   * the image's header. Default `'pixels'`.
   */
  verify?: 'pixels' | 'header' | undefined;
  /** Replace a file that has the name already; `false` refuses instead. Default `true`. */
  overwrite?: boolean | undefined;
  /** Flush file and folder to the disk, so that `done` survives a power cut. Default `true`. */
  durable?: boolean | undefined;
  /** Who may save what: anything but `true` refuses. Default: everyone may save everything. */
  authorize?: ((req: Request, save: { readonly name: string }) => boolean | Promise<boolean>) | undefined;
  /** Obey a browser that sends the command from another site (`Sec-Fetch-Site: cross-site`). Default `false`. */
  allowCrossSite?: boolean | undefined;
  /** Told once of every command, after its answer. What it throws becomes a process warning. */
  onSave?: ((record: SaveRecord, req: Request) => void | Promise<void>) | undefined;
}

/** The options as the rest of the code sees them: complete and checked. */
export interface Settings {
  readonly savePath: (req: IncomingMessage) => string | Promise<string>;
  readonly store: ImageStore | undefined;
  readonly timeout: number;
  readonly maxTimeout: number;
  readonly maxPixels: number;
  readonly maxBytes: number;
  readonly verify: 'pixels' | 'header';
  readonly overwrite: boolean;
  readonly durable: boolean;
  readonly authorize: ((req: IncomingMessage, save: { readonly name: string }) => unknown) | undefined;
  readonly allowCrossSite: boolean;
  readonly onSave: ((record: SaveRecord, req: IncomingMessage) => unknown) | undefined;
}

/** The longest delay of a timer of Node, in milliseconds. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Is an option a whole number in these bounds? */
export function isIntegerBetween(value: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

/** What each option must be, in words, and whether it is. The type keeps the list complete. */
const VALIDATORS: {
  readonly [Name in keyof Required<ImageSaveOptions>]: readonly [string, (value: unknown) => boolean];
} = {
  savePath: [
    'the path of a folder, or a function that returns one',
    (value) => typeof value === 'function' || (typeof value === 'string' && !value.includes('\0')),
  ],
  store: [
    "a store, as s3Store of 'express-image-save/s3' makes one",
    (value) => typeof (value as Partial<ImageStore> | null)?.prepare === 'function',
  ],
  timeout: [
    `whole milliseconds from 1 to ${MAX_TIMEOUT_MS}`,
    (value) => isIntegerBetween(value, 1, MAX_TIMEOUT_MS),
  ],
  maxTimeout: [
    `whole milliseconds from 1 to ${MAX_TIMEOUT_MS}`,
    (value) => isIntegerBetween(value, 1, MAX_TIMEOUT_MS),
  ],
  maxPixels: [
    'a whole number of pixels, 1 or more',
    (value) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER),
  ],
  maxBytes: [
    'a whole number of bytes, 1 or more',
    (value) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER),
  ],
  verify: ["'pixels' or 'header'", (value) => value === 'pixels' || value === 'header'],
  overwrite: ['true or false', (value) => typeof value === 'boolean'],
  durable: ['true or false', (value) => typeof value === 'boolean'],
  authorize: ['a function', (value) => typeof value === 'function'],
  allowCrossSite: ['true or false', (value) => typeof value === 'boolean'],
  onSave: ['a function', (value) => typeof value === 'function'],
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TypeError One of them is unknown or wrong; the message names it and says what it must be.
 */
export function checkOptions<Request extends IncomingMessage>(options: ImageSaveOptions<Request>): Settings {
  checkShape(options);
  for (const [name, value] of Object.entries(options)) checkOption(name, value);
  // From here on a request is whatever the host hands over: the host's own type of it is its own affair.
  const given = { ...options } as ImageSaveOptions;
  if (given.savePath !== undefined && given.store !== undefined) {
    throw new TypeError('imageSave saves to one place: give it "savePath" or "store", not both');
  }
  const maxTimeout = given.maxTimeout ?? 600_000;
  return {
    savePath: createPathResolver(given.savePath ?? ''),
    store: given.store,
    timeout: Math.min(given.timeout ?? 60_000, maxTimeout),
    maxTimeout,
    maxPixels: given.maxPixels ?? 100_000_000,
    maxBytes: given.maxBytes ?? 1024 ** 3,
    verify: given.verify ?? 'pixels',
    overwrite: given.overwrite ?? true,
    durable: given.durable ?? true,
    authorize: given.authorize,
    allowCrossSite: given.allowCrossSite ?? false,
    onSave: given.onSave,
  };
}

function checkShape(options: unknown): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError("imageSave takes an object of options, as in imageSave({ savePath: './saved' })");
  }
  if ('method' in options && 'headers' in options) {
    throw new TypeError(
      "imageSave makes the middleware and must be called: app.use(imageSave({ savePath: './saved' })), " +
        'not app.use(imageSave)',
    );
  }
}

function checkOption(name: string, value: unknown): void {
  if (!Object.hasOwn(VALIDATORS, name)) {
    const known = Object.keys(VALIDATORS);
    const suggestion = known.find((option) => option.toLowerCase() === name.toLowerCase());
    throw new TypeError(
      `imageSave has no option "${name}"` +
        (suggestion === undefined ? `; it has ${known.join(', ')}` : `; did you mean "${suggestion}"?`),
    );
  }
  const [expected, isValid] = VALIDATORS[name as keyof typeof VALIDATORS];
  if (value !== undefined && !isValid(value)) {
    throw new TypeError(
      `The option "${name}" of imageSave must be ${expected}; it is ${describeValue(value)}`,
    );
  }
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function createPathResolver(savePath: NonNullable<ImageSaveOptions['savePath']>): Settings['savePath'] {
  const workingDirectory = process.cwd();
  // An empty path stays empty: it disables saving.
  const absolute = (path: string): string => (path === '' ? '' : resolve(workingDirectory, path));
  if (typeof savePath === 'function') return async (req) => absolute(await savePath(req));
  const path = absolute(savePath);
  return () => path;
}
