// Memory for one image after the other: for large images, new memory costs more than copying them.

/** Shorter buffers gain nothing, longer ones are rare. */
const [MIN_RECYCLED_BYTES, MAX_RECYCLED_BYTES] = [64 * 1024, 16 * 1024 * 1024];

/** Free memory by its length. Node may collect it at any time, so that an idle process keeps none. */
const free = new Map<number, WeakRef<ArrayBufferLike>[]>();
/** The memory of buffers that have not been recycled. */
const inUse = new WeakSet<ArrayBufferLike>();

/** Makes a buffer. Its bytes may be those of an earlier image. */
export function createBuffer(length: number): Buffer {
  if (length < MIN_RECYCLED_BYTES || length > MAX_RECYCLED_BYTES) return Buffer.allocUnsafe(length);
  const memory = takeMemory(length);
  inUse.add(memory);
  return Buffer.from(memory, 0, length);
}

/** Copies bytes into a buffer of {@link createBuffer}. */
export function copyBytes(bytes: Uint8Array): Buffer {
  const copy = createBuffer(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Lets later images use the memory of a buffer that nothing will read any more, if {@link createBuffer} has made it. */
export function recycle({ buffer }: Uint8Array): void {
  if (!inUse.delete(buffer)) return;
  const sameLength = free.get(buffer.byteLength) ?? [];
  sameLength.push(new WeakRef(buffer));
  free.set(buffer.byteLength, sameLength);
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
