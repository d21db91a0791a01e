// The decoder processes of a host: few, started on demand and ended when idle.
import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { enqueue, whenAborted, type Waiter } from '../../abort.js';
import { fileSystemError, SaveError, systemCode } from '../../errors.js';
import { broken } from '../refusals.js';
import { Decoder, DecoderEnded, type DecodeRequest, type DecoderReply } from './client.js';
import { PixelBudget } from './pixel-budget.js';

/** No decoder process could be started, and the host may decode instead. */
export class NoDecoder extends Error {
  override readonly name = 'NoDecoder';
}

/**
 * One for each processor, from 2, so that a small image can pass a large one, to 4, the default size of Node's pool. The
 * workers of a cluster share the processors, so each has 2.
 */
export const MAX_DECODERS = cluster.isWorker ? 2 : Math.min(4, Math.max(2, availableParallelism()));

/** A decoder that has grown by more bytes after an image is replaced. How many it starts with depends on the system. */
const MAX_GROWTH_BYTES = 64 * 1024 ** 2;

/** The idle time after which a decoder ends, in milliseconds. */
const MAX_IDLE_MS = 30_000;

/** The pause after a failed start, in milliseconds. Its cause may pass. */
const RETRY_START_MS = 60_000;

/** What the system says where it can start no process now. Then the host could not load the image library either. */
const SHORTAGES: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM']);

/** For all middlewares in this process. A decoder is always left for small images. */
export const budget = new PixelBudget(MAX_DECODERS - 1);

const decoders = new Set<Decoder>();
/** Idle decoders, the most recently used last, each with the timer that will end it. */
const idle = new Map<Decoder, NodeJS.Timeout>();
const waiting = new Set<Waiter<Decoder>>();
let starting = 0;
let failure: { readonly error: NoDecoder; readonly at: number } | undefined;

/** Starts a decoder, up to so many, so that images that are being rendered need not wait for it. */
export function warmUp(images: number): void {
  if (decoders.size < Math.min(images, MAX_DECODERS) && !hasFailed()) start();
}

/**
 * Inspects an image in a decoder of its own, in its turn; again in a second one if the first ends without a reply.
 *
 * @param bytes Of the image, unless the request names its file; they must not change before this settles.
 * @param maxPixels For all images that are decoded at the same time. That of the request is for this image alone.
 * @param signal Ends the decoder at once when it aborts.
 * @throws NoDecoder No decoder could be started; the image was not touched.
 * @throws SaveError `too-many-open-files` or `out-of-resources`: the system lets none be started now, or ends each;
 * `broken-image`: the image ends each.
 */
export async function inspectInPool(
  request: DecodeRequest,
  bytes: Buffer | undefined,
  maxPixels: number,
  signal?: AbortSignal,
): Promise<DecoderReply> {
  const inspectOnce = (): Promise<DecoderReply> => inspect(request, bytes, maxPixels, signal);
  return inspectOnce().catch((first: unknown) => {
    if (!(first instanceof DecoderEnded)) throw first;
    return inspectOnce().catch((second: unknown) => {
      // Only an operator ends a process so, or a system whose memory is short.
      const wasKilled = [first, second].some(
        (end) => end instanceof DecoderEnded && end.signal === 'SIGKILL',
      );
      // An image that has ended a decoder must not come into the host.
      if (wasKilled || second instanceof NoDecoder) throw new SaveError('out-of-resources', {}, second);
      throw second instanceof DecoderEnded ? broken(second) : second;
    });
  });
}

/** @throws DecoderEnded The decoder ended without a reply, by itself. */
async function inspect(
  request: DecodeRequest,
  bytes: Buffer | undefined,
  maxPixels: number,
  signal?: AbortSignal,
): Promise<DecoderReply> {
  // A header alone takes no memory.
  const pixels = request.verify === 'header' ? 0 : request.maxPixels;
  const endTurn = await budget.take(pixels, maxPixels, signal);
  let decoder: Decoder | undefined;
  let stop: (() => void) | undefined;
  try {
    const free = enqueue(waiting, {}, signal);
    serve();
    decoder = await free;
    stop = whenAborted(signal, decoder.kill.bind(decoder));
    return await decoder.inspect(request, bytes);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    stop?.();
    if (decoder !== undefined) release(decoder);
    // A killed decoder has its memory until it has ended.
    if (decoder?.isClosed === true) void decoder.ended.then(endTurn);
    else endTurn();
  }
}

/** Takes a decoder that has no image any more. */
function release(decoder: Decoder): void {
  if (decoder.growth > MAX_GROWTH_BYTES) decoder.kill();
  if (decoder.isClosed) {
    remove(decoder);
    return;
  }
  decoder.unref();
  const timer = setTimeout(() => {
    decoder.kill();
    remove(decoder);
  }, MAX_IDLE_MS);
  idle.set(decoder, timer.unref());
  serve();
}

/** Gives idle decoders to waiting images, and starts one if an image waits that none is starting for. */
function serve(): void {
  for (const waiter of waiting) {
    const decoder = [...idle.keys()].findLast((each) => !each.isClosed);
    if (decoder === undefined) break;
    takeFromIdle(decoder);
    decoder.ref();
    waiting.delete(waiter);
    waiter.resolve(decoder);
  }
  if (starting >= waiting.size || decoders.size >= MAX_DECODERS) return;
  if (failure !== undefined && hasFailed()) giveUp(failure.error);
  else start();
}

function takeFromIdle(decoder: Decoder): void {
  clearTimeout(idle.get(decoder));
  idle.delete(decoder);
}

function remove(decoder: Decoder): void {
  takeFromIdle(decoder);
  if (decoders.delete(decoder)) serve();
}

/** Whether a decoder has failed to start a short time ago. */
function hasFailed(): boolean {
  return failure !== undefined && performance.now() < failure.at + RETRY_START_MS;
}

function start(): void {
  let decoder: Decoder;
  try {
    decoder = new Decoder();
  } catch (error) {
    fail(error);
    return;
  }
  decoders.add(decoder);
  starting += 1;
  decoder.ready.then(
    () => {
      starting -= 1;
      failure = undefined;
      release(decoder);
    },
    (error: unknown) => {
      starting -= 1;
      fail(error);
      remove(decoder);
    },
  );
  void decoder.ended.then(() => {
    remove(decoder);
  });
}

function fail(error: unknown): void {
  const cause = error instanceof DecoderEnded && error.cause !== undefined ? error.cause : error;
  if (SHORTAGES.has(systemCode(cause))) {
    giveUp(fileSystemError(cause));
  } else if (error instanceof DecoderEnded && error.signal !== undefined) {
    // What crashes or ends a process that has only loaded its libraries would do the same to the host.
    giveUp(new SaveError('out-of-resources', {}, error));
  } else {
    const noDecoder = new NoDecoder('No decoder process could be started', { cause: error });
    failure = { error: noDecoder, at: performance.now() };
    giveUp(noDecoder);
  }
}

/** Rejects the waiting images, unless a decoder will be free for them. */
function giveUp(error: Error): void {
  if ([...decoders].some((decoder) => !decoder.isClosed)) return;
  const givenUp = [...waiting];
  waiting.clear();
  for (const waiter of givenUp) waiter.reject(error);
}
