// Responses that are refused, for every kind of renderer: by code, what it does, and what it sends.
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';

/** What a renderer sends. */
export interface Rendering {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string | Readable;
}

/** Begins like the image and goes on for as long as it is read. */
export async function* endless(image: Buffer): AsyncGenerator<Buffer> {
  yield image.subarray(0, 100);
  for (;;) {
    yield Buffer.alloc(10_000);
    await new Promise(setImmediate);
  }
}

const REFUSED: Record<string, Record<string, (image: Buffer) => Rendering>> = {
  'renderer-status': {
    ...Object.fromEntries(
      [404, 206, 201, 304, 204, 503].map((status) => [
        `answers ${status}`,
        (body: Buffer) => (status === 304 || status === 204 ? { status } : { status, body }),
      ]),
    ),
    redirects: () => ({ status: 302, headers: { location: '/y' } }),
    'answers an unending 500': (image) => ({ status: 500, body: Readable.from(endless(image)) }),
  },
  'length-mismatch': {
    'ends short of its Content-Length': (body) => ({
      body,
      headers: { 'content-length': String(body.length + 1) },
    }),
    'ends beyond its Content-Length': (body) => ({
      body,
      headers: { 'content-length': String(body.length - 1) },
    }),
  },
  'not-an-image': {
    'sends nothing': () => ({}),
    'sends a page': () => ({ body: '<html>', headers: { 'content-type': 'image/jpeg' } }),
    'sends an SVG': () => ({ body: '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>' }),
  },
  'incomplete-image': { 'sends half an image': (image) => ({ body: image.subarray(0, image.length / 2) }) },
  'unknown-encoding': {
    'uses an unknown encoding': (image) => ({
      body: gzipSync(image),
      headers: { 'content-encoding': 'zstd-ish' },
    }),
  },
  'broken-encoding': {
    'cuts its encoding': (image) => ({
      body: gzipSync(image).subarray(0, 200),
      headers: { 'content-encoding': 'gzip' },
    }),
    'damages its encoding': (image) => ({
      body: gzipSync(image).fill(0, 500),
      headers: { 'content-encoding': 'gzip' },
    }),
  },
  'renderer-aborted': {
    'sends a stream that fails': (image) => {
      const failing = new Readable({ read: () => setImmediate(() => failing.destroy(new Error('lost'))) });
      failing.push(image.subarray(0, 1000));
      return { body: failing };
    },
  },
};

/** Rows for `test.each`. */
export const refusedRenderings = Object.entries(REFUSED).flatMap(([code, all]) =>
  Object.entries(all).map(([name, render]) => ({ code, name, render })),
);
