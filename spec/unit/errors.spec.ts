// Errors: a message for the client about what to do, a cause for the operator.
import type * as Errors from '../../lib/errors.js';
import {
  SaveError,
  describeError,
  fileSystemError,
  isRetryable,
  systemCode,
  toSaveError,
} from '../../lib/errors.js';
import { hostileErrors } from '../support/hostile-errors.js';
import { ERROR_CODES } from '../support/refusal.js';

/** An error as Node's file system creates it. */
const systemError = (code: string): Error =>
  Object.assign(new Error(`${code}: it went wrong, open '/srv/secret/shoe.png'`), {
    code,
    errno: -1,
    syscall: 'open',
    path: '/srv/secret/shoe.png',
  });

const EXPECTED: Readonly<Record<string, string>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EMFILE: 'too-many-open-files',
  ENFILE: 'too-many-open-files',
  EACCES: 'not-writable',
  EPERM: 'not-writable',
  EROFS: 'not-writable',
  ENAMETOOLONG: 'name-invalid',
  ENOENT: 'folder-missing',
  ENOTDIR: 'folder-missing',
  ELOOP: 'folder-missing',
  EISDIR: 'not-a-file',
  EIO: 'write-failed',
  EFBIG: 'too-many-bytes',
  EBUSY: 'write-failed',
  ESTALE: 'write-failed',
  EXDEV: 'write-failed',
  ENOTTHERE: 'write-failed',
};

test.each(Object.entries(EXPECTED))(
  'an error of the file system with the code %s becomes %s, and tells the client what to do without naming paths of the server',
  (system, code) => {
    const cause = systemError(system);
    const error = fileSystemError(cause);
    expect(error).toBeInstanceOf(SaveError);
    expect(error).toMatchObject({ code, cause });
    expect(error.message).not.toMatch(/E[A-Z]{3,}|\/|\n|secret|errno|at .*:\d/);
    expect(error.message).toMatch(/^[A-Z].*\.$/);
    // The message contains advice.
    expect(error.message).toMatch(/\b(Ask|Try|Save|Shorten|Name|Choose)\b/);
  },
);

test.each([
  [systemError('EIO'), 'EIO'],
  [{ code: 'EIO' }, 'EIO'],
  [new Error('EIO'), undefined],
  [{ code: 5 }, undefined],
  [Object.assign(new Error(), { code: 'constructor' }), 'constructor'],
  ['EIO', undefined],
  [null, undefined],
  [undefined, undefined],
  [5, undefined],
])('the code of a system error of %p is %p', (thrown, code) => {
  expect(systemCode(thrown)).toBe(code);
  expect(fileSystemError(thrown).code).toBe('write-failed');
});

describe('a SaveError', () => {
  it('has a code, a message for the client and a cause for the operator', () => {
    const cause = new Error('underneath');
    const error = new SaveError('disk-full', 'Try again.', cause);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'SaveError', code: 'disk-full', message: 'Try again.', cause });
    expect(String(error)).toBe('SaveError: Try again.');
  });

  it('has no cause property without a cause', () => {
    expect('cause' in new SaveError('timeout', 'Too late.')).toBe(false);
  });
});

describe('an error of another copy of this package', () => {
  let other: typeof Errors;
  beforeAll(() => {
    jest.isolateModules(() => {
      other = jest.requireActual<typeof Errors>('../../lib/errors.js');
    });
  });

  it('is a SaveError, with its own code and message', () => {
    const error = new other.SaveError('file-exists', 'Not this one.');
    expect(other.SaveError).not.toBe(SaveError);
    expect(error instanceof SaveError).toBe(true);
    expect(toSaveError(error)).toBe(error);
    expect(fileSystemError(error)).toBe(error);
  });

  it('becomes an internal error if this copy does not know its code', () => {
    const error = Object.assign(new other.SaveError('file-exists'), { code: 'not-invented-yet' });
    expect(error instanceof SaveError).toBe(false);
    expect(toSaveError(error)).toMatchObject({ code: 'internal-error', cause: error });
  });

  it('is no instance of a subclass', () => {
    class Special extends SaveError {}
    expect(new Special('timeout') instanceof SaveError).toBe(true);
    expect(new Special('timeout') instanceof Special).toBe(true);
    expect(new SaveError('timeout') instanceof Special).toBe(false);
  });
});

describe.each(hostileErrors())('%s', (_what, thrown) => {
  it('becomes an internal error that can be described', () => {
    expect(toSaveError(thrown).code).toBe('internal-error');
    expect(fileSystemError(thrown).code).toBe('write-failed');
    expect(typeof describeError(thrown)).toBe('string');
  });
});

describe('a message', () => {
  it.each(ERROR_CODES)('is a sentence for the client, also without details: %s', (code) => {
    const { message } = new SaveError(code);
    expect(message).toMatch(/^[A-Z"].*\.$/);
    expect(message).not.toMatch(/undefined|\n/);
  });

  it.each([
    [
      'wrong-extension',
      { extension: '.jpg', namedFormat: 'a PNG', imageFormat: 'a JPEG' },
      'End the name in .jpg, or ask for a PNG: the image is a JPEG.',
    ],
    ['unknown-extension', { extension: '.345' }, /"\.345"/],
    ['folder-missing', { folder: 'shoes/red' }, /"shoes\/red"/],
    ['renderer-status', { status: 404 }, /^Check what was asked for.*404/],
    ['renderer-status', { status: 500 }, /^The server could not make the image.*500/],
    ['renderer-status', { status: 503 }, /^The server cannot make the image now.*503/],
  ] as const)('explains %s with the details %j', (code, details, expected) => {
    const { message } = new SaveError(code, details);
    if (typeof expected === 'string') expect(message).toBe(expected);
    else expect(message).toMatch(expected);
    if (code === 'renderer-status' && /50\d/.test(message)) expect(message).not.toContain('asked for');
  });
});

describe('a retryable code', () => {
  it('has a message that says to try again', () => {
    const says = ERROR_CODES.filter((code) => /\btry again\b/i.test(new SaveError(code).message));
    expect(ERROR_CODES.filter(isRetryable)).toEqual(says);
    expect(says).toContain('timeout');
    expect(says).not.toContain('not-authorized');
  });

  it.each(['constructor', '', 'not-invented-yet'])('does not include %j', (code) => {
    expect(isRetryable(code)).toBe(false);
  });
});
