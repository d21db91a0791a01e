import type { Readable } from 'node:stream';

/** Everything that a stream has buffered, as text. From Node 26 on, one `read` returns one chunk. */
export function readText(stream: Readable): string {
  const chunks: Buffer[] = [];
  for (let chunk: unknown; (chunk = stream.read()) !== null;) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString();
}
