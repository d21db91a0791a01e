// The error that carries a code of the table, and the conversion of other errors to it.
import { inspect } from 'node:util';
import { ERRORS, isRetryableStatus, type ErrorDetails, type ErrorEntry } from './error-table.js';

export type { ErrorDetails };

/** Why a save is refused or fails: every `error.code` of a reply. `docs/errors.md` explains each. */
export type SaveErrorCode = keyof typeof ERRORS;

/** Whether the same command may succeed later. `renderer-status` depends on the status, as `retry` of a {@link SaveError} does. */
export function isRetryable(code: string): boolean {
  return typeof getEntry(code) === 'object';
}

function getEntry(code: string): ErrorEntry | undefined {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as SaveErrorCode] : undefined;
}

// Registered for the whole process: the ESM copy of this package and the CommonJS one, or the copy of a store, recognise
// each other's errors.
const kSaveError = Symbol.for('express-image-save.error');

/**
 * A save that was refused or failed. `message` tells the client what to do, and nothing of the server's inside; `cause`
 * is for the operator. `instanceof SaveError` also holds for errors of other copies of this package.
 */
export class SaveError extends Error {
  override readonly name = 'SaveError';
  readonly code: SaveErrorCode;
  /** Whether the same command may succeed later without any change. */
  readonly retry: boolean;
  /** The status of the rendered response; only with `renderer-status`. */
  readonly rendererStatus: number | undefined;
  /** Whole seconds after which the client may try again; only with `too-busy`, or from the renderer. */
  readonly retryAfter: number | undefined;

  /**
   * @param detail A message of your own, or details for the code's message in the table. Default: that message.
   * @param cause The error underneath.
   */
  constructor(code: SaveErrorCode, detail: string | ErrorDetails = {}, cause?: unknown) {
    super(
      typeof detail === 'string' ? detail : createMessage(code, detail),
      cause === undefined ? undefined : { cause },
    );
    const { status, retryAfter } = typeof detail === 'string' ? {} : detail;
    this.code = code;
    this.rendererStatus = code === 'renderer-status' ? status : undefined;
    this.retry = isRetryable(code) || isRetryableStatus(this.rendererStatus);
    this.retryAfter = retryAfter;
    Object.defineProperty(this, kSaveError, { value: true });
  }

  static override [Symbol.hasInstance](this: unknown, value: unknown): boolean {
    return this === SaveError ? isSaveError(value) : Reflect.apply(ordinaryHasInstance, this, [value]);
  }
}

const ordinaryHasInstance = Function.prototype[Symbol.hasInstance] as (value: unknown) => boolean;

/** Never throws, even where a getter does. */
function isSaveError(value: unknown): boolean {
  try {
    if (typeof value !== 'object' || value === null || !(kSaveError in value)) return false;
    const { code, message } = value as { code?: unknown; message?: unknown };
    // A newer copy may have codes that are unknown here. Such an error counts as any other error.
    return typeof code === 'string' && Object.hasOwn(ERRORS, code) && typeof message === 'string';
  } catch {
    return false;
  }
}

function createMessage(code: string, details: ErrorDetails): string {
  const entry = getEntry(code) ?? ERRORS['internal-error'];
  const message = typeof entry === 'object' ? entry.retry : entry;
  return typeof message === 'string' ? message : message(details);
}

/** The codes for the client, and the file system's errors that have them. */
const SYSTEM_ERRORS: ReadonlyMap<SaveErrorCode, readonly (string | undefined)[]> = new Map([
  ['disk-full', ['ENOSPC', 'EDQUOT']],
  ['too-many-open-files', ['EMFILE', 'ENFILE']],
  ['out-of-resources', ['EAGAIN', 'ENOMEM']],
  // The last one is that of Node's permission model.
  ['not-writable', ['EACCES', 'EPERM', 'EROFS', 'ERR_ACCESS_DENIED']],
  ['folder-missing', ['ENOENT', 'ENOTDIR', 'ELOOP']],
  ['name-invalid', ['ENAMETOOLONG']],
  ['not-a-file', ['EISDIR']],
  ['too-many-bytes', ['EFBIG']],
]);

/** The broken rule of a name that is too long for the system. */
export const TOO_LONG = 'this one is too long';

/** The code of a system error (`ENOSPC`); undefined for anything else that was thrown. */
export function systemCode(error: unknown): string | undefined {
  try {
    // Not by instanceof: under a test runner, the system's errors come from another realm.
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Converts an error of a file-system call, which becomes the cause. */
export function fileSystemError(error: unknown, details: ErrorDetails = {}): SaveError {
  if (error instanceof SaveError) return error;
  const found = systemCode(error);
  const [code = 'write-failed'] = [...SYSTEM_ERRORS].find(([, errors]) => errors.includes(found)) ?? [];
  return new SaveError(code, { rule: TOO_LONG, ...details }, error);
}

/** Converts anything that was thrown: to `internal-error`, unless it is a {@link SaveError}. */
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
