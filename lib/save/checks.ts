// The checks of a command's sender, of the rendered status, and of the image's format against the name's extension.
import { waitAtMost } from '../abort.js';
import { SaveError } from '../errors.js';
import { getFormatByName, type ImageFormat } from '../image/formats.js';
import type { BodyChunks, Exchange, RenderedImage } from './exchange.js';
import type { Settings } from './options.js';

/** The bytes of an error page that go into the record. */
const MAX_EXCERPT_BYTES = 500;

/** How long the reply waits for the start of an error page. */
const EXCERPT_TIMEOUT_MS = 100;

/** The formats' names in a sentence, and their usual extensions. */
const FORMATS: Record<ImageFormat, readonly [label: string, extension: string]> = {
  jpeg: ['a JPEG', '.jpg'],
  png: ['a PNG', '.png'],
  webp: ['a WebP', '.webp'],
  gif: ['a GIF', '.gif'],
  tiff: ['a TIFF', '.tif'],
  avif: ['an AVIF', '.avif'],
};

/** Also keeps a page on another site from saving through its visitors' browsers. (Fetch Metadata, 2.4.) */
export function checkSender({ sentBy }: Exchange, { allowCrossSite }: Settings): void {
  if (sentBy === undefined) return;
  if (sentBy.method !== 'GET' && sentBy.method !== 'POST') throw new SaveError('method-not-allowed');
  if (sentBy.site === 'cross-site' && !allowCrossSite) throw new SaveError('cross-site');
}

export async function checkAuthorized(
  { request }: Exchange,
  name: string,
  { authorize }: Settings,
): Promise<void> {
  if (authorize === undefined) return;
  let cause: unknown;
  try {
    if ((await authorize(request, { name })) === true) return;
  } catch (error) {
    cause = error;
  }
  throw new SaveError('not-authorized', {}, cause);
}

/** Refuses every status but 200. The error's cause has the first bytes if they are text. */
export async function checkStatus({ status, retryAfter = '', body }: RenderedImage): Promise<void> {
  if (status === 200) return;
  const excerpt = await waitAtMost(EXCERPT_TIMEOUT_MS, readExcerpt(body)).catch(() => undefined);
  const text = excerpt === undefined || excerpt === '' ? '' : `: ${excerpt}`;
  throw new SaveError(
    'renderer-status',
    { status, retryAfter: /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined },
    new Error(`The renderer responded with status ${status}${text}`),
  );
}

/** The first bytes of a body as text; undefined if they are no text. */
async function readExcerpt(body: AsyncIterable<BodyChunks>): Promise<string | undefined> {
  for await (const { chunks } of body) {
    const bytes = Buffer.concat(chunks).subarray(0, MAX_EXCERPT_BYTES);
    const text = bytes.toString();
    return /^[^\0-\x08\x0b\x0e-\x1f\ufffd]*\ufffd{0,3}$/.test(text) ? text.trim() : undefined;
  }
  return undefined;
}

/** @throws SaveError `wrong-extension`: that of the name is none of the image's format. */
export function checkExtension(name: string, format: ImageFormat): void {
  const named = getFormatByName(name);
  if (named === 'any' || named === 'unknown' || named === format) return;
  const [imageFormat, extension] = FORMATS[format];
  throw new SaveError('wrong-extension', { extension, imageFormat, namedFormat: FORMATS[named][0] });
}
