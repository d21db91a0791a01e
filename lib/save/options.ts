// The options of imageSave and createImageSaver: their types, their rules and their defaults.
import type { IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import type { ImageStore } from '../stores/types.js';
import { BOOLEAN, FUNCTION, MILLISECONDS, integerFrom, isIntegerBetween } from '../validate-options.js';
import { validateOptions, type Rule, type Rules } from '../validate-options.js';
import type { SaveRecord } from './save-record.js';

/** The options of `imageSave`. All of them are optional. Functions get Node's request, or one of the Fetch API. */
export interface ImageSaveOptions<HostRequest = IncomingMessage> {
  /**
   * The existing folder for images, or a function that chooses one for each request. The factory resolves a relative path.
   * `''`, the default, disables saving.
   */
  savePath?: string | ((req: HostRequest) => string | Promise<string>) | undefined;
  /** A store other than a folder: an object store, or one of your own. Replaces `savePath`. */
  store?: ImageStore<HostRequest> | undefined;
  /** The deadline of commands without `timeout=`, in milliseconds. Default 60,000. */
  timeout?: number | undefined;
  /** The upper limit for `timeout=`, in milliseconds; larger values are capped. Default 600,000. */
  maxTimeout?: number | undefined;
  /** The maximum number of pixels of an image, all its pages together. Default 100,000,000. */
  maxPixels?: number | undefined;
  /** The maximum number of bytes of an image. Default 1 GiB. */
  maxBytes?: number | undefined;
  /** `'pixels'` decodes every pixel before publishing; `'header'` trusts the renderer. Default `'pixels'`. */
  verify?: 'pixels' | 'header' | undefined;
  /** Replace an existing file; `false` refuses instead. Default `true`. */
  overwrite?: boolean | undefined;
  /** Create the folders of a name that are missing below `savePath`. A bucket needs none. Default `false`. */
  createFolders?: boolean | undefined;
  /** Flush file and folder to the disk, so that `done` survives a power cut. Default `true`. */
  durable?: boolean | undefined;
  /** Saves at once; more wait: a whole number, `Infinity`, or `'auto'`, which follows the renderer. Default `'auto'`. */
  concurrency?: number | 'auto' | undefined;
  /** Saves that may wait for their turn; further ones are refused with `too-busy`. Default 1000. */
  maxQueue?: number | undefined;
  /** Decides which request may save under which name: anything but `true` refuses. Default: every request may. */
  authorize?: ((req: HostRequest, save: { readonly name: string }) => boolean | Promise<boolean>) | undefined;
  /** Accept the command from a browser on another site (`Sec-Fetch-Site: cross-site`). Default `false`. */
  allowCrossSite?: boolean | undefined;
  /**
   * Called for each published image before its reply, to purge a cache or to write a row. The reply waits for the rest
   * of the deadline, but at least a second. If this throws or takes too long, the record of `onSave` has the `warning`.
   */
  onPublished?: ((record: SaveRecord, req: HostRequest) => void | Promise<void>) | undefined;
  /**
   * Where the images are served, for `url` in the reply: a prefix of the encoded name that ends in `/` or `=`, or a
   * function of the name. If that throws or returns no string, the reply has no `url`, and the record the `warning`.
   */
  publicUrl?: string | ((name: string, req: HostRequest) => string) | undefined;
  /** Called once per command, after its reply. An error of it becomes a process warning. */
  onSave?: ((record: SaveRecord, req: HostRequest) => void | Promise<void>) | undefined;
}

const DEFAULTS = {
  timeout: 60_000,
  maxTimeout: 600_000,
  maxPixels: 100_000_000,
  maxBytes: 1024 ** 3,
  verify: 'pixels',
  overwrite: true,
  createFolders: false,
  durable: true,
  concurrency: 'auto',
  maxQueue: 1000,
  allowCrossSite: false,
} satisfies ImageSaveOptions;

type WithDefaults = { readonly [Name in keyof typeof DEFAULTS]: NonNullable<ImageSaveOptions[Name]> };

/** The options with their defaults, checked. What a function of the operator returns is not. */
export interface Settings extends WithDefaults {
  /** Needs the request where the option is a function. */
  readonly savePath: (req?: unknown) => string | Promise<string>;
  readonly store: ImageStore | undefined;
  readonly authorize?: (req: unknown, save: { readonly name: string }) => unknown;
  readonly onPublished?: (record: SaveRecord, req: unknown) => unknown;
  readonly publicUrl?: string | ((name: string, req: unknown) => unknown);
  readonly onSave?: (record: SaveRecord, req: unknown) => unknown;
}

const RULES: Rules<ImageSaveOptions<unknown>> = {
  savePath: {
    expected: 'the path of a folder, or a function that returns one',
    isValid: (value) => typeof value === 'function' || (typeof value === 'string' && !value.includes('\0')),
  },
  store: {
    expected: "a store, as s3Store of 'express-image-save/s3' makes one",
    isValid: (value) => typeof (value as Partial<ImageStore> | null)?.prepare === 'function',
  },
  timeout: MILLISECONDS,
  maxTimeout: MILLISECONDS,
  maxPixels: integerFrom(1, 'pixels'),
  maxBytes: integerFrom(1, 'bytes'),
  verify: {
    expected: "'pixels' or 'header'",
    isValid: (value) => value === 'pixels' || value === 'header',
  },
  overwrite: BOOLEAN,
  createFolders: BOOLEAN,
  durable: BOOLEAN,
  concurrency: {
    expected: "'auto', a whole number of saves, 1 or more, or Infinity",
    isValid: (value) => value === 'auto' || value === Infinity || isIntegerBetween(value, 1),
  },
  maxQueue: integerFrom(0, 'saves'),
  authorize: FUNCTION,
  allowCrossSite: BOOLEAN,
  onPublished: FUNCTION,
  publicUrl: {
    expected: "a URL that ends in / or =, as in 'https://cdn.example.com/saved/', or a function of the name",
    isValid: (value) => typeof value === 'function' || (typeof value === 'string' && /[/=]$/.test(value)),
  },
  onSave: FUNCTION,
};

/**
 * Checks the options as {@link validateOptions}, and fills in the defaults.
 *
 * @param more The rules of further options of this factory.
 */
export function checkOptions<HostRequest>(
  factory: string,
  example: string,
  options: ImageSaveOptions<HostRequest>,
  more: Readonly<Record<string, Rule>> = {},
): Settings {
  validateOptions<ImageSaveOptions<HostRequest>>(factory, example, { ...RULES, ...more }, options);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  // Only the host's own functions depend on its request type.
  const { savePath, store, ...settings } = { ...DEFAULTS, ...given } as WithDefaults &
    ImageSaveOptions<unknown>;
  if (savePath !== undefined && store !== undefined) {
    throw new TypeError(`${factory} saves to one place: give it "savePath" or "store", not both`);
  }
  return { ...settings, savePath: createPathResolver(savePath ?? ''), store } as Settings;
}

function createPathResolver(
  savePath: NonNullable<ImageSaveOptions<unknown>['savePath']>,
): Settings['savePath'] {
  const workingDirectory = process.cwd();
  // An empty path disables saving, so it stays empty.
  const absolute = (path: string): string => (path === '' ? '' : resolve(workingDirectory, path));
  if (typeof savePath === 'function') {
    return async (req) => {
      if (req === undefined)
        throw new TypeError('savePath is a function: give check() a request, as in check(req)');
      return absolute(await savePath(req));
    };
  }
  const path = absolute(savePath);
  return () => path;
}
