// Parses the text of a reply, for clients.
import { getProperties } from 'properties-file';
import type { SaveErrorCode } from '../errors.js';

/** A reply to a save command. */
export interface SaveReply {
  /** `done`: the new image is published. `failed` or `timeout`: the old file, if there was one, is untouched. */
  readonly status: 'done' | 'failed' | 'timeout';
  /** The file's modification time, milliseconds since 1970; only when done. */
  readonly lastUpdated?: number;
  /** Width × height × pages; only when done. */
  readonly pixelsTotal?: number;
  /** The name under which the image was saved. Image Serving sends neither this nor the properties below. */
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
  /** Why there is no new image. `retry`: the same command may succeed later. */
  readonly error?: {
    readonly code: SaveErrorCode | (string & {});
    readonly message: string;
    readonly retry: boolean;
    /** The status of the rendered response; only with `renderer-status`. */
    readonly rendererStatus?: number;
  };
  /** All the properties of the reply, as they were sent. */
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * Reads the reply to a save command, of this middleware or of Image Serving.
 *
 * @param text The body of the reply.
 * @throws TypeError The text is not such a reply: it has no `status` of `done`, `failed` or `timeout`.
 * @example
 * const reply = parseReply(await response.text());
 * if (reply.status === 'done') console.log(reply.pixelsTotal);
 * else console.error(reply.error?.message);
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
  // An empty value is not 0.
  const number = (key: string): number => (get(key) === '' ? NaN : Number(get(key)));
  const [lastUpdated, pixelsTotal] = [number('lastUpdated'), number('pixelsTotal')];
  const [name, type, url, code] = [get('name'), get('image.type'), get('url'), get('error.code')];
  const [width, height, length] = [number('image.width'), number('image.height'), number('image.length')];
  const rendererStatus = number('error.rendererStatus');
  return {
    status,
    ...(Number.isNaN(lastUpdated) ? {} : { lastUpdated }),
    ...(Number.isNaN(pixelsTotal) ? {} : { pixelsTotal }),
    ...(name === undefined ? {} : { name }),
    ...(type === undefined || Number.isNaN(width * height * length)
      ? {}
      : { image: { width, height, type, length } }),
    ...(url === undefined ? {} : { url }),
    ...(code === undefined
      ? {}
      : {
          error: {
            code,
            message: get('error.message') ?? '',
            retry: get('error.retry') === 'true',
            ...(Number.isNaN(rendererStatus) ? {} : { rendererStatus }),
          },
        }),
    properties,
  };
}

/** The properties of a text; none if the text is malformed. */
function readProperties(text: string): Record<string, string> {
  try {
    return getProperties(text);
  } catch {
    return {};
  }
}
