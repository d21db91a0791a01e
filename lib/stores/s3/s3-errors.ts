// Maps the errors of an S3 store and of its client to error codes.
import { SaveError, TOO_LONG, type SaveErrorCode } from '../../errors.js';

/** The HTTP status of the answer behind an error; undefined without an answer. */
export function getStatus(error: unknown): number | undefined {
  const { $metadata } = (error ?? {}) as { $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}

/** The name of an error of S3 or of its client, such as `NoSuchBucket`. */
export function getErrorName(error: unknown): string {
  const { name } = (error ?? {}) as { name?: unknown };
  return typeof name === 'string' ? name : '';
}

/** Errors with an ambiguous status, by S3's own names. (Amazon S3 API Reference, "Error responses".) */
const CODES: ReadonlyMap<string, SaveErrorCode> = new Map<string, SaveErrorCode>([
  ['NoSuchBucket', 'store-missing'],
  ['PermanentRedirect', 'store-missing'],
  ['AuthorizationHeaderMalformed', 'store-denied'],
  ['ExpiredToken', 'store-denied'],
  ['InvalidToken', 'store-denied'],
  ['CredentialsProviderError', 'store-denied'],
  ['KeyTooLongError', 'name-invalid'],
  ['QuotaExceeded', 'disk-full'],
  ['RequestTimeout', 'store-unavailable'],
  // Another conditional save of the same name is in progress.
  ['ConditionalRequestConflict', 'store-unavailable'],
]);

/** Converts an error of the client to a SaveError, with the original error as its cause. */
export function storeError(error: unknown): SaveError {
  if (error instanceof SaveError) return error;
  const status = getStatus(error);
  if (status === 412) return new SaveError('file-exists', {}, error);
  const code = CODES.get(getErrorName(error)) ?? getCodeByStatus(status);
  return new SaveError(code, { rule: TOO_LONG }, error);
}

function getCodeByStatus(status: number | undefined): SaveErrorCode {
  // Without a status there was no answer.
  if (status === undefined) return 'store-unavailable';
  if (status === 401 || status === 403) return 'store-denied';
  if (status === 301 || status === 404) return 'store-missing';
  if (status === 507) return 'disk-full';
  if (status >= 500 || status === 429) return 'store-unavailable';
  return 'write-failed';
}

/** Errors that concern the credentials, and so all objects. */
const BAD_CREDENTIALS: ReadonlySet<string> = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'CredentialsProviderError',
  'AuthorizationHeaderMalformed',
]);

/** Whether the error would refuse every other save to the same bucket. */
export function concernsBucket(error: SaveError): boolean {
  return error.code === 'store-missing' || BAD_CREDENTIALS.has(getErrorName(error.cause));
}
