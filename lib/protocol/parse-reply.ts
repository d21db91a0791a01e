// Parses the text of a reply, for clients.
import { getProperties } from 'properties-file';
import type { SaveErrorCode } from '../errors.js';

/** The new image is published. Image Serving sends `lastUpdated` and `pixelsTotal` only. */
export interface DoneReply {
  readonly status: 'done';
  /** All the properties of the reply, as they were sent. */
  readonly properties: Readonly<Record<string, string>>;
  /** The file's modification time, milliseconds since 1970. */
  readonly lastUpdated?: number;
  /** Width × height × pages. */
  readonly pixelsTotal?: number;
  /** The name under which the image was saved. */
  readonly name?: string;
  /** The image: pixels of one page as stored, media type, bytes. */
  readonly image?: Readonly<{ width: number; height: number; type: string; length: number }>;
  /** Where the image is served, if the server says so. */
  readonly url?: string;
  readonly error?: undefined;
}

/** The old file, if there was one, is untouched. */
export interface FailedReply
  extends
    Partial<Record<'lastUpdated' | 'pixelsTotal' | 'name' | 'image' | 'url', undefined>>,
    Pick<DoneReply, 'properties'> {
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

/** A reply to a save command. */
export type SaveReply = DoneReply | FailedReply;

/**
 * Reads the reply to a save command, of this middleware or of Image Serving.
 *
 * @throws TypeError The text is not such a reply: it has no `status` of `done`, `failed` or `timeout`.
 * @example
 * const reply = parseReply(await response.text());
 * if (reply.status === 'done') console.log(reply.pixelsTotal);
 * else console.error(reply.error.code, reply.error.message);
 */
export function parseReply(text: string): SaveReply {
  const properties = readProperties(text);
  const status = properties['status'];
  const number = (key: string): number | undefined => readNumber(properties[key]);
  if (status === 'failed' || status === 'timeout') {
    const error = omitUndefined<FailedReply['error']>({
      code: properties['error.code'] ?? status,
      message: properties['error.message'] ?? '',
      retry: properties['error.retry'] === 'true',
      rendererStatus: number('error.rendererStatus'),
    });
    return { status, error, properties };
  }
  if (status !== 'done') {
    throw new TypeError(
      'This is not the reply to a save command: it has no status of done, failed or timeout. ' +
        'Did the request have req=saveToFile, and did it reach a server that saves?',
    );
  }
  const image = {
    width: number('image.width'),
    height: number('image.height'),
    type: properties['image.type'],
    length: number('image.length'),
  };
  return omitUndefined<DoneReply>({
    status,
    lastUpdated: number('lastUpdated'),
    pixelsTotal: number('pixelsTotal'),
    name: properties['name'],
    image: Object.values(image).includes(undefined) ? undefined : (image as DoneReply['image']),
    url: properties['url'],
    properties,
  });
}

function omitUndefined<Result extends object>(all: {
  [Name in keyof Result]: Result[Name] | undefined;
}): Result {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Result;
}

function readNumber(text = ''): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** None if the text is malformed. */
function readProperties(text: string): Record<string, string> {
  try {
    return getProperties(text);
  } catch {
    return {};
  }
}
