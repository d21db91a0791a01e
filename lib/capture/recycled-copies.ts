// Copies of what a renderer writes, in memory that is used again: for large images, new memory costs more than the copy.

/** Shorter copies gain nothing. In bytes. */
const MIN_RECYCLED_BYTES = 64 * 1024;
/** Longer copies are rare. In bytes. */
const MAX_RECYCLED_BYTES = 16 * 1024 * 1024;

/** Free memory by its length. Node may collect it at any time, so that an idle process keeps none. */
const free = new Map<number, WeakRef<ArrayBufferLike>[]>();
/** The memory of copies that have not been recycled. */
const inUse = new WeakSet<ArrayBufferLike>();

/** Copies bytes. */
export function copyBytes(bytes: Uint8Array): Buffer {
  const { length } = bytes;
  if (length < MIN_RECYCLED_BYTES || length > MAX_RECYCLED_BYTES) return Buffer.from(bytes);
  const memory = takeMemory(length);
  inUse.add(memory);
  const copy = Buffer.from(memory, 0, length);
  copy.set(bytes);
  return copy;
}

/**
 * Lets a later copy use the memory of this one. Call this when nothing will read the copy any more. Has no effect on
 * buffers that {@link copyBytes} has not made.
 */
export function recycleCopy({ buffer }: Uint8Array): void {
  if (!inUse.delete(buffer)) return;
  const sameLength = free.get(buffer.byteLength);
  if (sameLength === undefined) free.set(buffer.byteLength, [new WeakRef(buffer)]);
  else sameLength.push(new WeakRef(buffer));
}

/** @returns At most a quarter more than the given number of bytes, so that images of similar length share memory. */
function takeMemory(length: number): ArrayBufferLike {
  const step = 2 ** (Math.floor(Math.log2(length)) - 2);
  const rounded = Math.ceil(length / step) * step;
  const candidates = free.get(rounded) ?? [];
  while (candidates.length > 0) {
    const memory = candidates.pop()?.deref();
    if (memory !== undefined) return memory;
  }
  return Buffer.allocUnsafeSlow(rounded).buffer;
}
