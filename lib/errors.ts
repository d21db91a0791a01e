// Why a save was refused or failed: a closed list of codes, and the error that carries one.

/**
 * Every `error.code` that a reply can hold. `docs/errors.md` explains each with its cause and its remedy.
 */
export const ERROR_CODES = [
  // The command
  'method-not-allowed',
  'cross-site',
  'repeated-command',
  'bad-escape',
  'unknown-req-option',
  'name-missing',
  'name-invalid',
  'unknown-extension',
  'timeout-invalid',
  'not-authorized',
  // The target
  'saving-disabled',
  'save-path-missing',
  'folder-missing',
  'outside-save-path',
  'not-writable',
  'not-a-file',
  'file-exists',
  'folder-changed',
  // The renderer
  'renderer-failed',
  'renderer-status',
  'renderer-aborted',
  'renderer-refused',
  'length-mismatch',
  'unknown-encoding',
  'broken-encoding',
  // The image
  'not-an-image',
  'wrong-extension',
  'broken-image',
  'incomplete-image',
  'unsupported-compression',
  'too-many-pixels',
  'too-many-bytes',
  // Publishing
  'disk-full',
  'too-many-open-files',
  'no-hard-links',
  'write-failed',
  // The store
  'store-missing',
  'store-denied',
  'store-unavailable',
  'store-no-response',
  // Time
  'timeout',
  'client-disconnected',
  // Ours
  'internal-error',
] as const;

/** One of the closed list of reasons for which a save can be refused or fail. */
export type SaveErrorCode = (typeof ERROR_CODES)[number];

/**
 * A save that was refused or failed.
 *
 * `message` is for the client: it says what to change, and never holds a path of the server, a system error
 * code or a stack. What went wrong underneath, if anything did, is the `cause`: that is for the operator.
 */
export class SaveError extends Error {
  override readonly name = 'SaveError';
  readonly code: SaveErrorCode;

  constructor(code: SaveErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

type Reason = readonly [SaveErrorCode, string];

const DISK_FULL: Reason = [
  'disk-full',
  'There is no room to save the image. Try again when the server has more.',
];
const TOO_MANY_FILES: Reason = ['too-many-open-files', 'The server is saving too much at once. Try again.'];
const NOT_WRITABLE: Reason = [
  'not-writable',
  'The server may not write there. Save to another folder, or have it made writable.',
];
const FOLDER_MISSING: Reason = ['folder-missing', 'Name a folder that exists: saving creates none.'];
const WRITE_FAILED: Reason = [
  'write-failed',
  'The server could not write the image. Try again; if it fails again, tell its operator.',
];

/** What the file system's own error codes mean to a client. */
const SYSTEM_ERRORS: ReadonlyMap<string | undefined, Reason> = new Map<string, Reason>([
  ['ENOSPC', DISK_FULL],
  ['EDQUOT', DISK_FULL],
  ['EMFILE', TOO_MANY_FILES],
  ['ENFILE', TOO_MANY_FILES],
  ['EACCES', NOT_WRITABLE],
  ['EPERM', NOT_WRITABLE],
  ['EROFS', NOT_WRITABLE],
  ['ENOENT', FOLDER_MISSING],
  ['ENOTDIR', FOLDER_MISSING],
  ['ELOOP', FOLDER_MISSING],
  ['ENAMETOOLONG', ['name-invalid', 'Shorten the name.']],
  ['EISDIR', ['not-a-file', 'Choose another name: something that is not a file has this one.']],
]);

/** The code of a system error (`ENOSPC`), or undefined for anything else that was thrown. */
export function systemCode(error: unknown): string | undefined {
  // Not by instanceof: under a test runner, the system's errors come from another realm.
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Turns what a file-system call threw into the reason that a client is told, with the error as its cause. */
export function fileSystemError(error: unknown): SaveError {
  if (error instanceof SaveError) return error;
  const [code, message] = SYSTEM_ERRORS.get(systemCode(error)) ?? WRITE_FAILED;
  return new SaveError(code, message, error);
}

/** Anything that was thrown, as the error that a client gets: `internal-error` unless it is a {@link SaveError}. */
export function toSaveError(error: unknown): SaveError {
  if (error instanceof SaveError) return error;
  return new SaveError('internal-error', 'The server failed to save the image. Tell its operator.', error);
}
