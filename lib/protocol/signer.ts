// Signed save commands: makes URLs that may save until they expire, and recognises them.
import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { types } from 'node:util';
import { MILLISECONDS, validateOptions, type Rules } from '../validate-options.js';
import { parseQuery } from './query.js';

/** 32 random bytes are a good one. */
export type SignerKey = string | Uint8Array;

export interface SignerOptions {
  /** The first key signs, all verify. To change it, put the new one first, and drop the old one when its URLs have expired. */
  readonly keys: readonly SignerKey[];
}

/** What a signed URL saves. */
export interface SignedCommand {
  /** Relative to the save folder. */
  readonly name: string;
  /** Milliseconds that the save may take; without it the server's default. */
  readonly timeout?: number | undefined;
  /** From when on the URL no longer saves: a `Date`, or milliseconds since 1970. */
  readonly expires: Date | number;
}

/** A request of Node, or one of the Fetch API. Below a mount, `originalUrl` has what the client sent. */
export interface SignedRequest {
  readonly url?: string | undefined;
  readonly originalUrl?: string | undefined;
}

export interface Signer {
  /**
   * Adds a save command, its expiry and a signature, which covers path and query to the byte, to the URL of an image.
   * Characters that no URL may have are percent-encoded, as browsers and `fetch` do.
   * @param url A path with its query, or a whole URL of http or https.
   * @throws TypeError The URL or the command is wrong, or the URL has one of these parameters already.
   */
  readonly sign: (url: string, command: SignedCommand) => string;
  /**
   * For the option `authorize`: true for a URL that one of the keys has signed, unchanged and not expired.
   *
   * @throws Error Any other URL, and why. That becomes the `cause` in the record of `onSave`.
   */
  readonly authorize: (req: SignedRequest) => true;
}

const isKey = (key: unknown): boolean =>
  (typeof key === 'string' || types.isUint8Array(key)) && key.length > 0;

const RULES: Rules<SignerOptions> = {
  keys: {
    expected: 'a list of texts or bytes, the newest first, none of them empty',
    isValid: (keys) => Array.isArray(keys) && keys.length > 0 && keys.every(isKey),
    required: true,
  },
};

const COMMAND_RULES: Rules<SignedCommand> = {
  name: {
    expected: 'the name of the image, as in shoe.jpg',
    isValid: (name) => typeof name === 'string' && name !== '',
    required: true,
  },
  timeout: MILLISECONDS,
  expires: {
    expected: 'a Date, or milliseconds since 1970, as in Date.now() + 600_000',
    isValid: (expires) => toMilliseconds(expires) >= 0,
    required: true,
  },
};

/** NaN for what is no time, and for seconds since 1970, which would be a time in its first months. */
function toMilliseconds(expires: unknown): number {
  const time: unknown = expires instanceof Date ? expires.getTime() : expires;
  const milliseconds = typeof time === 'number' ? Math.floor(time) : NaN;
  const isSeconds = milliseconds >= 1e9 && milliseconds < 1e10;
  return Number.isSafeInteger(milliseconds) && !isSeconds ? milliseconds : NaN;
}

/** The parameters that {@link Signer.sign} adds. */
const ADDED = new Set(['req', 'name', 'timeout', 'expires', 'signature']);

/** The signed text, with its expiry at its end, and the signature: 32 bytes in base64url. */
const SIGNED_URL = /^(.*&expires=(\d{1,16}))&signature=([\w-]{43})$/s;

/**
 * Makes a signer of save commands. (HMAC-SHA-256: RFC 2104; base64url: RFC 4648, section 5.)
 *
 * @throws TypeError There is no key, or an empty one.
 * @example
 * const signer = createSigner({ keys: process.env.LINK_KEYS.split(',') });
 * app.use('/is/image', imageSave({ savePath: './saved', authorize: signer.authorize }), renderer);
 * signer.sign('/is/image/shoe?wid=800', { name: 'shoe.jpg', expires: Date.now() + 600_000 });
 */
export function createSigner(options: SignerOptions): Signer {
  validateOptions<SignerOptions>('createSigner', 'createSigner({ keys: [process.env.KEY] })', RULES, options);
  // Copies: the caller may wipe or change its own.
  const keys = options.keys.map((key) => createSecretKey(Buffer.from(key as string)));
  const [newest] = keys as [KeyObject];
  const authorize = (req: SignedRequest): true => {
    const [, text, expires, signature] =
      SIGNED_URL.exec(withoutOrigin(req.originalUrl ?? req.url ?? '')) ?? [];
    if (text === undefined || signature === undefined) throw new Error('The URL is not signed');
    // Each key is tried, so that the time does not tell which of them has signed.
    const matches = keys.filter((key) =>
      timingSafeEqual(Buffer.from(digest(key, text)), Buffer.from(signature)),
    );
    if (matches.length === 0) throw new Error('The signature is not that of this URL');
    if (Date.now() >= Number(expires)) throw new Error('The signed URL has expired');
    return true;
  };
  const sign = (url: string, command: SignedCommand): string => {
    const target = addCommand(url, command);
    return `${target}&signature=${digest(newest, withoutOrigin(target))}`;
  };
  return { sign, authorize };
}

function digest(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function addCommand(url: string, given: SignedCommand): string {
  const isPath = /^\/(?!\/)/.test(url);
  if (!isPath && !/^https?:\/\//i.test(url)) {
    throw new TypeError('A URL to sign must start with one / or with http:// or https://');
  }
  const example = "sign(url, { name: 'shoe.jpg', expires: Date.now() + 600_000 })";
  validateOptions<SignedCommand>('sign', example, COMMAND_RULES, given);
  const { origin, pathname, search, username, password } = new URL(isPath ? `http://localhost${url}` : url);
  if (username !== '' || password !== '')
    throw new TypeError('A URL to sign must have no user or password, which the signature would not cover');
  const taken = parseQuery(search.slice(1)).find((param) => ADDED.has(param.name));
  if (taken !== undefined)
    throw new TypeError(`The URL has ${taken.name}= already, which signing adds: leave it out`);
  // URLSearchParams encodes brackets too: in a nested request one would take the parameters behind it along.
  const command = new URLSearchParams({ req: 'saveToFile', name: given.name });
  if (given.timeout !== undefined) command.set('timeout', String(given.timeout));
  command.set('expires', String(toMilliseconds(given.expires)));
  const joint = search === '' ? '?' : '&';
  return `${isPath ? '' : origin}${pathname}${search}${joint}${command.toString()}`;
}

/** The path and the query of a URL, to the byte. */
function withoutOrigin(url: string): string {
  return url.replace(/^https?:\/\/[^/?#]*/i, '');
}
