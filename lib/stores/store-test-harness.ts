// The harness of the store tests: it calls a store as the middleware does, and reads the store's contents.
import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { MemoryBytes } from '../bytes/image-bytes.js';
import type { SaveError, SaveErrorCode } from '../errors.js';
import { StaleFileSweeper } from '../temp-files/stale-files.js';
import { createPrivateTempFile } from '../temp-files/temp-file.js';
import type { ImageStore, PublishResult } from './types.js';

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
  /** Whether the image waits in a file: that of the target, or a private one. */
  readonly inFile?: boolean;
  readonly signal?: AbortSignal;
  /** Called right before `publish`. */
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
  const { overwrite = true, inFile = false, signal = new AbortController().signal } = options;
  const { commit = signal.throwIfAborted.bind(signal), rollback = () => undefined } = options;
  const req = new IncomingMessage(new Socket());
  const target = await store.prepare(name, { req, overwrite, durable: true, signal });
  const tempFile = target.tempFile ?? createPrivateTempFile(new StaleFileSweeper(3_600_000));
  try {
    if (inFile) await tempFile.write([image.subarray(0, 1000), image.subarray(1000)]);
    await options.onPrepared?.();
    const bytes = inFile ? tempFile : new MemoryBytes(image);
    return await target.publish({ ...INFO, bytes }, { commit, rollback });
  } finally {
    await tempFile.discard();
    await target.close?.();
  }
}

export async function expectRefusal(code: SaveErrorCode, save: Promise<unknown>): Promise<void> {
  const isRefusal = (error: unknown): true => {
    // By name: a store may use the class of another copy of the package.
    const { name, code: actual } = error as Partial<SaveError>;
    if (name !== 'SaveError' || actual !== code) throw error;
    return true;
  };
  await assert.rejects(save, isRefusal, `The save was acknowledged, but should be refused with ${code}`);
}
