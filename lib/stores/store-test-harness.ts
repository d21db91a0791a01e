// The harness of the store tests: it calls a store as the middleware does, and reads the store's contents.
import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { MemoryBytes, type ReadableBytes } from '../bytes/image-bytes.js';
import type { SaveError, SaveErrorCode } from '../errors.js';
import { StaleFileSweeper } from '../temp-files/stale-files.js';
import { createPrivateTempFile } from '../temp-files/temp-file.js';
import type { ImageStore, PublishResult, SaveTarget } from './types.js';

/** How the tests make stores. Each test begins with one of its own. */
export interface StoreTestOptions {
  /** Makes an empty store. */
  readonly open: () => Promise<StoreFixture>;
  /** The length of an image that the store treats as large, in bytes. Default 3 MiB. */
  readonly largeImageBytes?: number;
}

/** A store, and access to its contents. */
export interface StoreFixture {
  readonly store: ImageStore;
  /** Reads the bytes under a name; undefined if there are none. If possible, not by the store's own code. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Lists the names of all contents in any order: images, and leftovers such as temporary files. */
  list(): Promise<string[]>;
  /** Makes what a name needs, such as its folder. */
  prepare?(name: string): Promise<void>;
  /** Removes the store and its contents. */
  close(): Promise<void>;
}

/** One promise that a store must keep. */
export interface StoreTest {
  readonly name: string;
  /** Rejects if the store breaks the promise. */
  readonly run: () => Promise<void>;
}

/** How one save differs from the defaults. */
export interface SaveOptions {
  readonly overwrite?: boolean;
  /** Whether the image waits in a file. */
  readonly inFile?: boolean;
  readonly signal?: AbortSignal;
  /** Called between `prepare` and `publish`. */
  readonly onPrepared?: () => unknown;
  readonly commit?: () => void;
  readonly rollback?: () => void;
}

/** What the inspection has found in the image of every save. */
const INFO = { format: 'png', type: 'image/png', width: 30, height: 20, pages: 1, pixels: 600 } as const;

/** Saves an image to a store as the middleware does, as a PNG of 30 × 20 pixels. */
export async function saveTo(
  store: ImageStore,
  name: string,
  image: Buffer,
  options: SaveOptions = {},
): Promise<PublishResult> {
  const { signal, inFile = false, commit = () => signal?.throwIfAborted() } = options;
  return withTarget(store, name, options, async (target) => {
    await options.onPrepared?.();
    const publish = (bytes: ReadableBytes): Promise<PublishResult> =>
      target.publish({ ...INFO, bytes }, { commit, rollback: () => options.rollback?.() });
    return inFile ? withTempFile(target, image, publish) : publish(new MemoryBytes(image));
  });
}

/** Prepares a save, writes the image into its temporary file, and does not publish it. */
export async function abandon(store: ImageStore, name: string, image: Buffer): Promise<void> {
  await withTarget(store, name, {}, (target) => withTempFile(target, image, () => Promise.resolve()));
}

async function withTarget<Value>(
  store: ImageStore,
  name: string,
  { overwrite = true, signal = new AbortController().signal }: SaveOptions,
  use: (target: SaveTarget) => Promise<Value>,
): Promise<Value> {
  const req = new IncomingMessage(new Socket());
  const target = await store.prepare(name, { req, overwrite, durable: true, signal });
  try {
    return await use(target);
  } finally {
    await target.tempFile?.discard();
    await target.close?.();
  }
}

/** Writes an image into a temporary file: that of the target, or a private one. */
async function withTempFile<Value>(
  target: SaveTarget,
  image: Buffer,
  use: (bytes: ReadableBytes) => Promise<Value>,
): Promise<Value> {
  const tempFile = target.tempFile ?? createPrivateTempFile(new StaleFileSweeper(3_600_000));
  try {
    await tempFile.write([image.subarray(0, 1000), image.subarray(1000)]);
    return await use(tempFile);
  } finally {
    await tempFile.discard();
  }
}

export async function expectRefusal(code: SaveErrorCode, save: Promise<unknown>): Promise<void> {
  const message = `The save was acknowledged, but should be refused with ${code}`;
  await assert.rejects(save, (error) => assertRefusal(code, error), message);
}

export function assertRefusal(code: SaveErrorCode, error: unknown): true {
  // By name: a store may use the class of another copy of the package.
  const { name, code: actual } = error as Partial<SaveError>;
  if (name !== 'SaveError' || actual !== code) throw error;
  return true;
}
