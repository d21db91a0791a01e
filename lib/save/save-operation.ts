// One save, from its command to its reply: the only file with the order of the steps.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ImageBytes, TempFile } from '../bytes/image-bytes.js';
import { recycle } from '../bytes/recycled-memory.js';
import { holdInactivityTimer } from '../capture/inactivity-timer.js';
import type { ResponseCapture, ResponseHead } from '../capture/response-capture.js';
import { describeError, toSaveError, type SaveError } from '../errors.js';
import { inspectImage } from '../image/inspect.js';
import type { SaveRecord, Settings, StageTimes } from '../options.js';
import { parseCommand } from '../protocol/parse-command.js';
import {
  cutConnection,
  sendReply,
  type SaveFailure,
  type SaveResult,
  type SaveSuccess,
} from '../protocol/reply.js';
import type { ImageStore, InspectedImage, PublishResult, SaveTarget } from '../stores/types.js';
import type { StaleFileSweeper } from '../temp-files/stale-files.js';
import { createPrivateTempFile } from '../temp-files/temp-file.js';
import type { Admission, Slot } from './admission.js';
import { callRenderer, captureResponse, type Next } from './call-renderer.js';
import { Cancellation } from './cancellation.js';
import { checkCommand, checkExtension, checkStatus } from './checks.js';
import { collectBody } from './collect-body.js';
import { createPublicUrl, joinWarnings, waitForHook } from './published-hook.js';
import { createRecord } from './save-record.js';
import { StageTimer } from './stages.js';
import { waitAtMost } from './wait-at-most.js';

/** How long a reply waits for the cleanup, in milliseconds. On a healthy disk it takes no time. */
const CLEANUP_GRACE_MS = 100;

/** A command and everything that is needed to save it. */
export interface SaveRequest {
  readonly settings: Settings;
  readonly store: ImageStore;
  readonly sweeper: StaleFileSweeper;
  readonly admission: Admission;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly next: Next;
  /** When the command arrived, a reading of `performance.now()`. */
  readonly arrival: number;
  /** The URL of the request, with the command. */
  readonly url: string;
}

/** One command, from its arrival to its one reply. */
export class SaveOperation {
  readonly #request: SaveRequest;
  readonly #cancellation: Cancellation;
  /** The client's own connection, also while the renderer sees another. */
  readonly #socket: Socket;
  readonly #releaseTimer: () => void;
  readonly #stages = new StageTimer();
  /** The name of the image, unless the command is malformed. */
  #name: string | undefined;
  #slot: Slot | undefined;
  #capture: ResponseCapture | undefined;
  #head: ResponseHead | undefined;
  #target: SaveTarget | undefined;
  #tempFile: TempFile | undefined;
  #bytes: ImageBytes | undefined;
  /** When the deadline passes, a reading of `performance.now()`. */
  #deadline = 0;
  /** An error after publishing. */
  #warning: unknown;

  constructor(request: SaveRequest) {
    const { req } = request;
    this.#request = request;
    this.#socket = req.socket;
    this.#releaseTimer = holdInactivityTimer(req.socket);
    this.#cancellation = new Cancellation(this.#socket, () => {
      // Node is about to emit `close` on the response, to the listeners from before the capture.
      try {
        this.#capture?.restore();
      } catch {
        // Without a client there is no reply, so a failed restore does no harm.
      }
    });
  }

  /**
   * Saves, replies and calls `onSave`. Never rejects, even if the store, the renderer or a hook misbehaves.
   *
   * @returns Resolves when the temporary file is removed and `onSave` has settled.
   */
  async run(): Promise<void> {
    const work = this.#save();
    const outcome = await Promise.race([work, this.#cancellation.aborted]).catch((error: unknown) =>
      this.#toFailure(toSaveError(error)),
    );
    const stages = this.#stages.end();
    this.#slot?.release(outcome.status);
    if (outcome.status === 'done') await this.#recycleMemory();
    const cleanedUp = this.#cleanUp(work);
    const result = outcome.status === 'done' ? await this.#announce(outcome, stages) : outcome;
    // Before there is a target, there is nothing to clean up.
    if (this.#target !== undefined) await waitAtMost(CLEANUP_GRACE_MS, cleanedUp);
    try {
      this.#reply(result);
    } catch (error) {
      process.emitWarning(`imageSave could not reply: ${describeError(error)}`);
      cutConnection(this.#socket, this.#request.res);
    }
    await Promise.all([cleanedUp, this.#report(result, stages)]);
  }

  /** All steps, in order. */
  async #save(): Promise<SaveSuccess> {
    const { settings, admission, req, res, next, arrival, url } = this.#request;
    const command = parseCommand(url);
    const name = (this.#name = command.name);
    const { signal, aborted } = this.#cancellation;
    const timeout = Math.min(command.timeout ?? settings.timeout, settings.maxTimeout);
    this.#deadline = arrival + timeout;
    this.#cancellation.startTimer(timeout, arrival);

    await checkCommand(req, name, settings);
    signal.throwIfAborted();
    this.#stages.begin('waiting');
    this.#slot = await admission.admit(this.#deadline, signal);
    signal.throwIfAborted();
    this.#stages.begin('preparing');
    const target = (this.#target = await this.#prepareTarget(name));
    signal.throwIfAborted();

    this.#stages.begin('rendering');
    const capture = (this.#capture = captureResponse(req, res, command, this.#cancellation));
    callRenderer(next, this.#cancellation);
    const head = (this.#head = await Promise.race([capture.head, aborted]));
    await checkStatus(head, capture.body);

    const createTempFile = (): TempFile => this.#createTempFile(target);
    const { maxBytes } = settings;
    const bytes = (this.#bytes = await collectBody(capture.body, head, { maxBytes, createTempFile, signal }));
    this.#stages.begin('inspecting');
    const info = await inspectImage(bytes, { ...settings, signal });
    checkExtension(name, info.format);

    this.#stages.begin('publishing');
    const lastUpdated = await this.#publish(target, { ...info, bytes });
    return { status: 'done', name, info, length: bytes.length, lastUpdated };
  }

  async #prepareTarget(name: string): Promise<SaveTarget> {
    const { settings, store, req } = this.#request;
    const { overwrite, durable, createFolders } = settings;
    const { signal } = this.#cancellation;
    return store.prepare(name, { req, overwrite, durable, createFolders, signal });
  }

  #createTempFile(target: SaveTarget): TempFile {
    // A file that is created after the save has failed would not be discarded.
    this.#cancellation.signal.throwIfAborted();
    return (this.#tempFile = target.tempFile ?? createPrivateTempFile(this.#request.sweeper));
  }

  /** @returns The store's own time of the image, milliseconds since 1970. */
  async #publish(target: SaveTarget, image: InspectedImage): Promise<number> {
    const { maxTimeout } = this.#request.settings;
    // Stores without types may return any value.
    const commit = (): void => {
      this.#cancellation.commit(maxTimeout);
    };
    const rollback = (): void => {
      this.#cancellation.rollback();
    };
    const result = (await target.publish(image, { commit, rollback })) as Partial<PublishResult> | undefined;
    this.#warning = result?.warning;
    const lastUpdated = typeof result?.lastUpdated === 'number' ? Math.floor(result.lastUpdated) : NaN;
    if (Number.isSafeInteger(lastUpdated)) return lastUpdated;
    this.#warning ??= new TypeError('The store published an image without a time as its lastUpdated');
    return Date.now();
  }

  /** Calls what the operator has for a published image. Never rejects. */
  async #announce(result: SaveSuccess, stages: StageTimes): Promise<SaveSuccess> {
    const { settings, req } = this.#request;
    const { url, warning } = this.#asClient(() => createPublicUrl(settings.publicUrl, result.name, req));
    const announced = { ...result, url };
    this.#warning = joinWarnings(this.#warning, warning);
    const { onPublished } = settings;
    if (onPublished === undefined) return announced;
    const record = this.#createRecord(announced, stages);
    const call = (): unknown => this.#asClient(() => onPublished(record, req));
    const failure = await waitForHook(call, this.#deadline - performance.now());
    this.#warning = joinWarnings(this.#warning, failure.warning);
    return announced;
  }

  #toFailure(error: SaveError): SaveFailure {
    this.#cancellation.abort(error);
    return { status: error.code === 'timeout' ? 'timeout' : 'failed', error };
  }

  /** Releases the renderer, removes the temporary file and closes the target. Never rejects. */
  async #cleanUp(work: Promise<unknown>): Promise<void> {
    const warn = (error: unknown): void => {
      process.emitWarning(`The store of imageSave failed to clean up: ${describeError(error)}`);
    };
    const released = attempt(() => this.#capture?.body.release()).catch((error: unknown) => {
      process.emitWarning(
        `A renderer behind imageSave failed when its response ended: ${describeError(error)}`,
      );
    });
    const discarded = attempt(() => this.#tempFile?.discard()).catch(warn);
    // Every step has ended before the target is closed.
    const closed = work
      .catch(() => undefined)
      .then(() => {
        // A save that was admitted in the moment of its end has its slot only now.
        this.#slot?.release('failed');
        return this.#target?.close?.();
      })
      .catch(warn);
    await Promise.all([released, discarded, closed]);
  }

  /**
   * Lets a later image use the memory of this one. Not after a failure, when a decoder or the file system may still read
   * it, nor from a store of the operator's, which may keep it.
   */
  async #recycleMemory(): Promise<void> {
    if (this.#request.settings.store !== undefined || this.#bytes?.path !== undefined) return;
    recycle((await this.#bytes?.buffer()) ?? Buffer.alloc(0));
  }

  #reply(result: SaveResult): void {
    const { res } = this.#request;
    this.#cancellation.dispose();
    this.#releaseTimer();
    this.#capture?.restore();
    // Without a client, the response ends as it would without this middleware.
    if (result.status === 'failed' && result.error.code === 'client-disconnected') return;
    sendReply(res, result);
    this.#capture?.ignoreLateWrites();
  }

  async #report(result: SaveResult, stages: StageTimes): Promise<void> {
    const { settings, req } = this.#request;
    const record = this.#createRecord(result, stages);
    try {
      await this.#asClient(() => settings.onSave?.(record, req));
    } catch (error) {
      process.emitWarning(`onSave of imageSave failed: ${describeError(error)}`);
    }
  }

  /** Calls a hook, which gets the request with the client's method. */
  #asClient<Result>(call: () => Result): Result {
    return this.#capture === undefined ? call() : this.#capture.asClient(call);
  }

  #createRecord(result: SaveResult, stages: StageTimes): SaveRecord {
    const { arrival } = this.#request;
    const rendererStatus = this.#head?.status;
    return createRecord(result, {
      name: this.#name,
      arrival,
      stages,
      rendererStatus,
      warning: this.#warning,
    });
  }
}

/** Calls a function and turns an error that it throws into a rejection. */
async function attempt(call: () => unknown): Promise<void> {
  await call();
}
