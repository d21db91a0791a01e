// What the errors of an S3 store and of its client mean to whoever asked for a save.
import { SaveError, type SaveErrorCode } from '../../errors.js';
import { fileExists } from '../folder/target.js';

/** The HTTP status of the answer that an error stands for, or undefined where there was none. */
export function getStatus(error: unknown): number | undefined {
  const { $metadata } = (error ?? {}) as { $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}

/** The name that S3 or its client gives to an error, such as `NoSuchBucket`. */
export function getErrorName(error: unknown): string {
  const { name } = (error ?? {}) as { name?: unknown };
  return typeof name === 'string' ? name : '';
}

const MESSAGES = {
  'store-missing': 'The store of images is not there. Tell the operator of this server.',
  'store-denied': 'The store does not let this server save there. Save elsewhere, or tell its operator.',
  'store-unavailable':
    'The store of images cannot be reached or is out of order. Nothing was changed: try again.',
  'store-no-response':
    'The store of images has not said what became of the image. Look whether it is there, or save it again.',
  'disk-full': 'There is no room to save the image. Try again when the server has more.',
  'name-invalid': 'Shorten the name.',
  'write-failed': 'The server could not write the image. Try again; if it fails again, tell its operator.',
} as const satisfies Partial<Record<SaveErrorCode, string>>;

/** A refusal by a store. */
export function refusal(code: keyof typeof MESSAGES, cause?: unknown): SaveError {
  return new SaveError(code, MESSAGES[code], cause);
}

/** The names that S3 gives to what its statuses do not tell apart. (Amazon S3 API Reference, "Error responses".) */
const CODES: ReadonlyMap<string, keyof typeof MESSAGES> = new Map<string, keyof typeof MESSAGES>([
  ['NoSuchBucket', 'store-missing'],
  ['PermanentRedirect', 'store-missing'],
  ['AuthorizationHeaderMalformed', 'store-denied'],
  ['ExpiredToken', 'store-denied'],
  ['InvalidToken', 'store-denied'],
  ['CredentialsProviderError', 'store-denied'],
  ['KeyTooLongError', 'name-invalid'],
  ['QuotaExceeded', 'disk-full'],
  ['RequestTimeout', 'store-unavailable'],
  // Another conditional save of the same name is under way.
  ['ConditionalRequestConflict', 'store-unavailable'],
]);

/** Turns what a call of the client threw into the reason that is told, with the error as its cause. */
export function storeError(error: unknown): SaveError {
  if (error instanceof SaveError) return error;
  const status = getStatus(error);
  if (status === 412) return fileExists(error);
  return refusal(CODES.get(getErrorName(error)) ?? getCodeByStatus(status), error);
}

function getCodeByStatus(status: number | undefined): keyof typeof MESSAGES {
  // No answer at all.
  if (status === undefined) return 'store-unavailable';
  if (status === 401 || status === 403) return 'store-denied';
  if (status === 301 || status === 404) return 'store-missing';
  if (status === 507) return 'disk-full';
  if (status >= 500 || status === 429) return 'store-unavailable';
  return 'write-failed';
}

/** Names of refusals that concern the credentials, whatever object they are used for. */
const BAD_CREDENTIALS: ReadonlySet<string> = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'CredentialsProviderError',
  'AuthorizationHeaderMalformed',
]);

/** Would every other save to the same bucket be refused for the same reason? */
export function concernsBucket(error: SaveError): boolean {
  return error.code === 'store-missing' || BAD_CREDENTIALS.has(getErrorName(error.cause));
}
