// Every reason for which a save is refused or fails: its code, its message for the client, and whether a retry helps.
import { inspect } from 'node:util';

/** Details that a message can mention. Each message also reads well without them. */
export interface ErrorDetails {
  /** The parameter that is meant, without `=`. */
  readonly parameter?: string;
  /** The rule that a name breaks, as half a sentence. */
  readonly rule?: string;
  /** The extension that a name has or should have, with its dot. */
  readonly extension?: string;
  /** The formats that the name and the image have, as in "a JPEG". */
  readonly namedFormat?: string;
  readonly imageFormat?: string;
  /** The folder that a name leads to, as the client wrote it. */
  readonly folder?: string;
  /** The status of the rendered response. */
  readonly status?: number;
  /** Why the renderer does not want its image saved. */
  readonly reason?: string;
  readonly maxCodings?: number;
  readonly maxPixels?: number;
  readonly maxBytes?: number;
  /** Milliseconds. */
  readonly timeout?: number;
}

interface ErrorEntry {
  /** Tells the client what to do. Holds no path of the server, no system error code and no stack. */
  readonly message: string | ((details: ErrorDetails) => string);
  /** The same command may succeed later, although nobody changes anything. */
  readonly retry?: true;
}

const TRY_AGAIN_OR_TELL = 'Try again; if it fails again, tell the operator of this server.';

// docs/errors.md lists the codes in this order, with causes and remedies.
const ERRORS = {
  // The command
  'method-not-allowed': { message: 'Send the save command by GET or POST.' },
  'cross-site': { message: 'Send the save command from a page of the same site, or not from a browser.' },
  'repeated-command': {
    message: ({ parameter = 'each parameter' }) =>
      `Write ${parameter}= only once, so that its value is certain.`,
  },
  'bad-escape': {
    message: ({ parameter = 'each parameter' }) =>
      `Encode the value of ${parameter}= as UTF-8 with %XX; a plain % is %25.`,
  },
  'unknown-req-option': {
    message: 'Write req=saveToFile or req=saveToFile,text: the reply has no other form.',
  },
  'name-missing': { message: 'Say where to save the image, as in name=shoe.jpg.' },
  'name-invalid': {
    message: ({ rule }) => (rule === undefined ? 'Choose another name.' : `Choose another name: ${rule}.`),
  },
  'unknown-extension': {
    message: ({ extension }) =>
      'End the name in the extension of an image format that can be saved, as in shoe.jpg, or in none' +
      (extension === undefined ? '.' : `: "${extension}" is the extension of no such format.`),
  },
  'timeout-invalid': { message: 'Give timeout= in whole milliseconds, 1 or more, as in timeout=5000.' },
  'not-authorized': {
    message: 'Not authorised to save under this name. Use the rights that this server asks for.',
  },
  // The target
  'saving-disabled': { message: 'This server saves no images. Its operator can set a save folder.' },
  'save-path-missing': { message: 'The save folder of this server does not exist. Tell its operator.' },
  'folder-missing': {
    message: ({ folder }) =>
      'Name a folder that exists, because saving creates none' +
      (folder === undefined ? '.' : `: there is no folder "${folder}".`),
  },
  'outside-save-path': { message: 'Name a folder that is really inside the save folder.' },
  'not-writable': {
    message: 'The server may not write there. Save to another folder, or have it made writable.',
  },
  'not-a-file': { message: 'Choose another name: something that is not a file has this one.' },
  'file-exists': { message: 'Choose another name: a file has this one, and existing files are kept.' },
  'folder-changed': { message: 'The folder was moved or removed during the save. Try again.', retry: true },
  // The renderer
  'renderer-failed': { message: 'The server could not make the image. Check what was asked for.' },
  'renderer-status': { message: ({ status }) => describeStatus(status) },
  'renderer-aborted': { message: 'The image broke off before its end. Try again.', retry: true },
  'renderer-refused': {
    message: ({ reason }) =>
      `Ask for another image: the server does not want this one saved${reason === undefined ? '' : `: ${reason}`}.`,
  },
  'length-mismatch': {
    message: 'The image arrived shorter or longer than announced. Try again.',
    retry: true,
  },
  'unknown-encoding': {
    message: ({ maxCodings }) =>
      maxCodings === undefined
        ? 'The image arrived in an encoding that cannot be undone. Tell the operator of this server.'
        : `The image arrived encoded more than ${maxCodings} times over. Tell the operator of this server.`,
  },
  'broken-encoding': { message: 'The image arrived damaged. Try again.', retry: true },
  // The image
  'not-an-image': {
    message:
      'The rendered response is no image that can be saved. Ask for a JPEG, PNG, WebP, GIF, TIFF or AVIF image.',
  },
  'wrong-extension': {
    message: ({
      extension = 'the extension of the image',
      namedFormat = 'that format',
      imageFormat = 'of another',
    }) => `End the name in ${extension}, or ask for ${namedFormat}: the image is ${imageFormat}.`,
  },
  'broken-image': { message: 'The image is damaged or cannot be decoded. Render it again.' },
  'incomplete-image': { message: 'The image ends before its last pixel. Try again.', retry: true },
  'unsupported-compression': {
    message:
      'This server cannot read the compression of this TIFF. Ask for LZW, Deflate or JPEG compression.',
  },
  'too-many-pixels': {
    message: ({ maxPixels }) =>
      'Ask for a smaller image: ' +
      (maxPixels === undefined
        ? 'this one has too many pixels, all pages together.'
        : `no more than ${maxPixels} pixels are saved, all pages together.`),
  },
  'too-many-bytes': {
    message: ({ maxBytes }) =>
      'Ask for a smaller image: ' +
      (maxBytes === undefined ? 'this one has too many bytes.' : `no more than ${maxBytes} bytes are saved.`),
  },
  // Publishing
  'disk-full': { message: 'The server has no room for the image. Try again when it has more.', retry: true },
  'too-many-open-files': { message: 'The server is saving too much at once. Try again.', retry: true },
  'no-hard-links': {
    message: 'The save folder cannot promise to keep existing files. Tell the operator of this server.',
  },
  'write-failed': { message: `The server could not write the image. ${TRY_AGAIN_OR_TELL}`, retry: true },
  // The store
  'store-missing': { message: 'The store of images does not exist. Tell the operator of this server.' },
  'store-denied': {
    message: 'The store does not let this server save there. Save elsewhere, or tell its operator.',
  },
  'store-unavailable': {
    message: 'The store of images cannot be reached or is out of order. Nothing was changed: try again.',
    retry: true,
  },
  'store-no-response': {
    message: 'The store has not confirmed the image. Check whether it was saved, or try again.',
    retry: true,
  },
  // Time
  timeout: {
    message: ({ timeout }) =>
      `The image was not saved ${timeout === undefined ? 'in time' : `within ${timeout} ms`}. ` +
      'Try again, or allow more with timeout=.',
    retry: true,
  },
  'client-disconnected': { message: 'The client disconnected before the image was published.' },
  // Ours
  'internal-error': { message: 'The server failed to save the image. Tell its operator.' },
} as const satisfies Record<string, ErrorEntry>;

/** One of the closed list of reasons for which a save can be refused or fail. */
export type SaveErrorCode = keyof typeof ERRORS;

/** Every `error.code` that a reply can hold. `docs/errors.md` explains each with its cause and its remedy. */
export const ERROR_CODES = Object.keys(ERRORS) as readonly SaveErrorCode[];

/**
 * Whether the same command may succeed later, although nobody changes anything: the reply then has `error.retry=true`.
 *
 * @param code An `error.code`. Codes that are not in the list are not retryable.
 */
export function isRetryable(code: string): boolean {
  return getEntry(code)?.retry === true;
}

function getEntry(code: string): ErrorEntry | undefined {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as SaveErrorCode] : undefined;
}

function describeStatus(status: number | undefined): string {
  if (status === undefined) return 'The server did not reply with an image. Check what was asked for.';
  return status >= 500
    ? `The server could not make the image: it replied with status ${status}. If that goes on, tell its operator.`
    : `Check what was asked for: the server replied with status ${status}, not 200.`;
}

// Registered for the whole process, so that errors of another copy of this package are recognised: the ESM copy beside
// the CommonJS one, or a store that has its own installation.
const kSaveError = Symbol.for('express-image-save.error');

/**
 * A save that was refused or failed.
 *
 * `message` is for the client: it says what to do, and never holds a path of the server, a system error code or a
 * stack. `cause`, if there is one, is for the operator.
 *
 * `error instanceof SaveError` also holds for errors of other copies of this package in the process.
 */
export class SaveError extends Error {
  override readonly name = 'SaveError';
  readonly code: SaveErrorCode;

  /**
   * @param detail A message of your own, or details for the usual message of the code, which is used otherwise.
   * @param cause The error underneath.
   */
  constructor(code: SaveErrorCode, detail: string | ErrorDetails = {}, cause?: unknown) {
    super(
      typeof detail === 'string' ? detail : createMessage(code, detail),
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    Object.defineProperty(this, kSaveError, { value: true });
  }

  static override [Symbol.hasInstance](this: unknown, value: unknown): boolean {
    return this === SaveError ? isSaveError(value) : Reflect.apply(ordinaryHasInstance, this, [value]);
  }
}

const ordinaryHasInstance = Function.prototype[Symbol.hasInstance] as (value: unknown) => boolean;

/** Nothing that was thrown can make this throw: not a proxy, nor a getter that fails. */
function isSaveError(value: unknown): boolean {
  try {
    if (typeof value !== 'object' || value === null || !(kSaveError in value)) return false;
    const { code, message } = value as { code?: unknown; message?: unknown };
    // A newer copy may have codes that this one does not know. The list is closed: they count as any other error.
    return typeof code === 'string' && Object.hasOwn(ERRORS, code) && typeof message === 'string';
  } catch {
    return false;
  }
}

function createMessage(code: string, details: ErrorDetails): string {
  const message = getEntry(code)?.message ?? ERRORS['internal-error'].message;
  return typeof message === 'string' ? message : message(details);
}

/** What the file system's own error codes mean to a client. */
const SYSTEM_ERRORS: ReadonlyMap<string | undefined, SaveErrorCode> = new Map<string, SaveErrorCode>([
  ['ENOSPC', 'disk-full'],
  ['EDQUOT', 'disk-full'],
  ['EMFILE', 'too-many-open-files'],
  ['ENFILE', 'too-many-open-files'],
  ['EACCES', 'not-writable'],
  ['EPERM', 'not-writable'],
  ['EROFS', 'not-writable'],
  ['ENOENT', 'folder-missing'],
  ['ENOTDIR', 'folder-missing'],
  ['ELOOP', 'folder-missing'],
  ['ENAMETOOLONG', 'name-invalid'],
  ['EISDIR', 'not-a-file'],
]);

/** The rule that a name breaks for which the system has no room. */
export const TOO_LONG = 'this one is too long';

/** The code of a system error (`ENOSPC`), or undefined for anything else that was thrown. */
export function systemCode(error: unknown): string | undefined {
  try {
    // Not by instanceof: under a test runner, the system's errors come from another realm.
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Turns an error of a file-system call into the reason that a client gets, with the error as its cause.
 *
 * @param details What is known of the target, for the message.
 */
export function fileSystemError(error: unknown, details: ErrorDetails = {}): SaveError {
  if (error instanceof SaveError) return error;
  const code = SYSTEM_ERRORS.get(systemCode(error)) ?? 'write-failed';
  return new SaveError(code, { rule: TOO_LONG, ...details }, error);
}

/** Turns anything that was thrown into the error that a client gets: `internal-error` unless it is a {@link SaveError}. */
export function toSaveError(error: unknown): SaveError {
  return error instanceof SaveError ? error : new SaveError('internal-error', {}, error);
}

/** Shows anything that was thrown to the operator, even where `util.inspect` fails at it. Never throws. */
export function describeError(error: unknown): string {
  try {
    return inspect(error);
  } catch {
    return 'an error that util.inspect cannot show';
  }
}
