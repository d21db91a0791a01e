// Parses the text of a reply, for clients.
import { getProperties } from 'properties-file';
import type { SaveErrorCode } from '../errors.js';

interface AnyReply {
  /** All the properties of the reply, as they were sent. */
  readonly properties: Readonly<Record<string, string>>;
}

/** The new image is published. Image Serving sends `lastUpdated` and `pixelsTotal` only. */
export interface DoneReply extends AnyReply {
  readonly status: 'done';
  /** The file's modification time, milliseconds since 1970. */
  readonly lastUpdated?: number;
  /** Width × height × pages. */
  readonly pixelsTotal?: number;
  /** The name under which the image was saved. */
  readonly name?: string;
  /** The image: pixels of one page as stored, media type, bytes. */
  readonly image?: {
    readonly width: number;
    readonly height: number;
    readonly type: string;
    readonly length: number;
  };
  /** Where the image is served, if the server says so. */
  readonly url?: string;
  readonly error?: undefined;
}

/** The old file, if there was one, is untouched. */
export interface FailedReply extends AnyReply, Partial<Record<OfDone, undefined>> {
  readonly status: 'failed' | 'timeout';
  /** Why there is no new image. `retry`: the same command may succeed later. */
  readonly error: {
    /** The status where the server gives no code, as Image Serving does. */
    readonly code: SaveErrorCode | (string & {});
    readonly message: string;
    readonly retry: boolean;
    /** The status of the rendered response; only with `renderer-status`. */
    readonly rendererStatus?: number;
  };
}

type OfDone = 'lastUpdated' | 'pixelsTotal' | 'name' | 'image' | 'url';

/** A reply to a save command. */
export type SaveReply = DoneReply | FailedReply;

/**
 * Reads the reply to a save command, of this middleware or of Image Serving.
 *
 * @param text The body of the reply.
 * @throws TypeError The text is not such a reply: it has no `status` of `done`, `failed` or `timeout`.
 * @example
 * const reply = parseReply(await response.text());
 * if (reply.status === 'done') console.log(reply.pixelsTotal);
 * else console.error(reply.error.code, reply.error.message);
 */
export function parseReply(text: string): SaveReply {
  const properties = readProperties(text);
  const get = (key: string): string | undefined => properties[key];
  const status = get('status');
  if (status !== 'done' && status !== 'failed' && status !== 'timeout') {
    throw new TypeError(
      'This is not the reply to a save command: it has no status of done, failed or timeout. ' +
        'Did the request have req=saveToFile, and did it reach a server that saves?',
    );
  }
  const number = (key: string): number => readNumber(get(key));
  if (status !== 'done') {
    const code = get('error.code') ?? status;
    const message = get('error.message') ?? '';
    const rendererStatus = number('error.rendererStatus');
    const error = { code, message, retry: get('error.retry') === 'true' };
    return {
      status,
      error: Number.isNaN(rendererStatus) ? error : { ...error, rendererStatus },
      properties,
    };
  }
  const [lastUpdated, pixelsTotal] = [number('lastUpdated'), number('pixelsTotal')];
  const [name, type, url] = [get('name'), get('image.type'), get('url')];
  const [width, height, length] = [number('image.width'), number('image.height'), number('image.length')];
  return {
    status,
    ...(Number.isNaN(lastUpdated) ? {} : { lastUpdated }),
    ...(Number.isNaN(pixelsTotal) ? {} : { pixelsTotal }),
    ...(name === undefined ? {} : { name }),
    ...(type === undefined || Number.isNaN(width * height * length)
      ? {}
      : { image: { width, height, type, length } }),
    ...(url === undefined ? {} : { url }),
    properties,
  };
}

/** A whole number in decimal digits, or NaN. */
function readNumber(text = ''): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : NaN;
}

/** The properties of a text; none if the text is malformed. */
function readProperties(text: string): Record<string, string> {
  try {
    return getProperties(text);
  } catch {
    return {};
  }
}
