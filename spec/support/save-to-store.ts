// Saves an image to a store as the middleware does, without a request or a renderer.
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { ImageStore, PublishResult } from '../../lib/stores/types.js';
import { MemoryBytes } from '../../lib/bytes/image-bytes.js';

/** The settings of a save that differ from the defaults. */
export interface SaveToOptions {
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  readonly onCommit?: () => void;
  readonly onRollback?: () => void;
}

/** Saves bytes as a PNG of 30 × 20 pixels. */
export async function saveTo(
  store: ImageStore,
  name: string,
  bytes: Buffer,
  options: SaveToOptions = {},
): Promise<PublishResult> {
  const { overwrite = true, signal = new AbortController().signal } = options;
  const req = new IncomingMessage(new Socket());
  const target = await store.prepare(name, { req, overwrite, durable: true, signal });
  try {
    const info = { format: 'png', type: 'image/png', width: 30, height: 20, pages: 1, pixels: 600 } as const;
    const commit = (): void => {
      signal.throwIfAborted();
      options.onCommit?.();
    };
    const rollback = (): void => options.onRollback?.();
    return await target.publish({ ...info, bytes: new MemoryBytes(bytes) }, { commit, rollback });
  } finally {
    await target.close?.();
  }
}
