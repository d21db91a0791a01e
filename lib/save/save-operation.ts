// One save, from its command to its reply: the only file with the order of the steps.
import { waitAtMost } from '../abort.js';
import type { ImageBytes, TempFile } from '../bytes/image-bytes.js';
import { recycle } from '../bytes/recycled-memory.js';
import { SaveError, describeError, toSaveError } from '../errors.js';
import { inspectImage, warmUp } from '../image/inspect.js';
import { checkName } from '../protocol/file-name.js';
import type { SaveFailure, SaveOutcome, SaveSuccess } from '../protocol/reply.js';
import type { ImageStore, InspectedImage, PublishResult, SaveTarget } from '../stores/types.js';
import type { StaleFileSweeper } from '../temp-files/stale-files.js';
import { createPrivateTempFile } from '../temp-files/temp-file.js';
import type { Admission, Slot } from './admission.js';
import { createPublicUrl, joinWarnings, waitForHook } from './after-publish.js';
import { Cancellation } from './cancellation.js';
import { checkAuthorized, checkExtension, checkSender, checkStatus } from './checks.js';
import { collectBody } from './collect-body.js';
import type { Exchange, Save } from './exchange.js';
import type { Settings } from './options.js';
import { StageTimer, type SaveRecord, type StageTimes } from './save-record.js';

/** How long a reply waits for the cleanup. On a healthy disk it takes no time. */
const CLEANUP_GRACE_MS = 100;

/** What all saves of one middleware, handler or image saver share. */
export interface SaveContext {
  readonly settings: Settings;
  readonly store: ImageStore;
  readonly sweeper: StaleFileSweeper;
  readonly admission: Admission;
}

export class SaveOperation {
  readonly #context: SaveContext;
  readonly #exchange: Exchange;
  readonly #stopWatching: () => void;
  readonly #cancellation = new Cancellation();
  readonly #stages = new StageTimer();
  #name: string | undefined;
  #slot: Slot | undefined;
  #rendererStatus: number | undefined;
  #target: SaveTarget | undefined;
  #tempFile: TempFile | undefined;
  #bytes: ImageBytes | undefined;
  /** What was thrown after publishing. */
  readonly #warnings: unknown[] = [];

  constructor(context: SaveContext, exchange: Exchange) {
    this.#context = context;
    this.#exchange = exchange;
    this.#stopWatching = exchange.begin((error) => {
      this.#cancellation.abort(error);
    });
  }

  /** Resolves when all is cleaned up and `onSave` has settled. Never rejects, however store, renderer or hook behave. */
  async run(): Promise<void> {
    const work = this.#save();
    const result = await Promise.race([work, this.#cancellation.aborted]).catch((error: unknown) =>
      this.#fail(toSaveError(error)),
    );
    const stages = this.#stages.end();
    this.#slot?.release(result.status);
    if (result.status === 'done') await this.#recycleMemory();
    const cleanedUp = this.#cleanUp(work);
    const outcome = result.status === 'done' ? await this.#announce(result, stages) : result;
    // Before there is a target, there is nothing to clean up.
    if (this.#target !== undefined) await waitAtMost(CLEANUP_GRACE_MS, cleanedUp);
    this.#cancellation.disarm();
    this.#stopWatching();
    this.#exchange.reply(outcome);
    await Promise.all([cleanedUp, this.#report(outcome, stages)]);
  }

  /** All steps, in order. */
  async #save(): Promise<SaveSuccess> {
    const { settings, store, sweeper, admission } = this.#context;
    const exchange = this.#exchange;
    const { signal, aborted } = this.#cancellation;
    const command = exchange.readCommand();
    const name = (this.#name = command.name);
    const timeout = Math.min(command.timeout ?? settings.timeout, settings.maxTimeout);
    this.#cancellation.startTimer(timeout, exchange.arrival);

    checkSender(exchange, settings);
    checkName(name);
    await Promise.race([checkAuthorized(exchange, name, settings), aborted]);
    signal.throwIfAborted();
    this.#stages.begin('waiting');
    this.#slot = await admission.admit(this.#cancellation.deadline, signal);
    signal.throwIfAborted();
    this.#stages.begin('preparing');
    const { overwrite, durable, createFolders } = settings;
    const prepareOptions = { req: exchange.request, overwrite, durable, createFolders, signal };
    const target = (this.#target = await store.prepare(name, prepareOptions));
    signal.throwIfAborted();

    this.#stages.begin('rendering');
    if (settings.verify === 'pixels') warmUp(admission.running);
    const rendered = await Promise.race([exchange.render(this.#createSave(name)), aborted]);
    this.#rendererStatus = rendered.status;
    await checkStatus(rendered);

    const createTempFile = (): TempFile => {
      // A file that is created after the save has failed would not be discarded.
      signal.throwIfAborted();
      return (this.#tempFile = target.tempFile ?? createPrivateTempFile(sweeper));
    };
    const { maxBytes } = settings;
    const bytes = (this.#bytes = await collectBody(rendered, { maxBytes, createTempFile, signal }));
    this.#stages.begin('inspecting');
    const info = await inspectImage(bytes, { ...settings, signal });
    checkExtension(name, info.format);

    this.#stages.begin('publishing');
    this.#slot.startPublishing();
    const lastUpdated = await this.#publish(target, { ...info, bytes });
    return { status: 'done', name, info, length: bytes.length, lastUpdated };
  }

  #createSave(name: string): Save {
    const refuse = (reason?: unknown): void => {
      // Renderers without types may pass any value as the reason.
      const details = typeof reason === 'string' ? { reason } : {};
      this.#cancellation.abort(new SaveError('renderer-refused', details));
    };
    return { name, signal: this.#cancellation.signal, refuse };
  }

  /** @returns The store's own time of the image, milliseconds since 1970. */
  async #publish(target: SaveTarget, image: InspectedImage): Promise<number> {
    const commit = (): void => {
      this.#cancellation.commit(this.#context.settings.maxTimeout);
    };
    const rollback = (): void => {
      this.#cancellation.rollback();
    };
    // Stores without types may return any value.
    const published = await target.publish(image, { commit, rollback });
    const result = published as Partial<PublishResult> | undefined;
    if (result?.warning !== undefined) this.#warnings.push(result.warning);
    const lastUpdated = typeof result?.lastUpdated === 'number' ? Math.floor(result.lastUpdated) : NaN;
    if (Number.isSafeInteger(lastUpdated)) return lastUpdated;
    this.#warnings.push(new TypeError('The store published an image without a time as its lastUpdated'));
    return Date.now();
  }

  /** Calls `publicUrl` and `onPublished`. Never rejects, because the image is published and its client waits. */
  async #announce(result: SaveSuccess, stages: StageTimes): Promise<SaveSuccess> {
    const exchange = this.#exchange;
    const { onPublished, publicUrl } = this.#context.settings;
    const attempt = async <Value>(call: () => Value | Promise<Value>): Promise<Value | undefined> => {
      try {
        return await call();
      } catch (error) {
        this.#warnings.push(error);
        return undefined;
      }
    };
    const url = publicUrl && (await attempt(() => createPublicUrl(publicUrl, result.name, exchange)));
    const announced = { ...result, url };
    if (onPublished === undefined) return announced;
    const record = this.#createRecord(announced, stages);
    const left = this.#cancellation.deadline - performance.now();
    await attempt(() => waitForHook(() => exchange.callHook(onPublished, record), left));
    return announced;
  }

  #fail(error: SaveError): SaveFailure {
    this.#cancellation.abort(error);
    return { status: error.code === 'timeout' ? 'timeout' : 'failed', error };
  }

  /**
   * Lets a later image use the memory of this one. Not after a failure, when a decoder or the file system may still read
   * it, nor from a store of the operator's, which may keep it.
   */
  async #recycleMemory(): Promise<void> {
    const isKept = this.#context.settings.store !== undefined || this.#bytes?.path !== undefined;
    if (this.#bytes !== undefined && !isKept) recycle(await this.#bytes.buffer());
  }

  /** Releases the renderer, removes the temporary file and closes the target. Never rejects. */
  async #cleanUp(work: Promise<unknown>): Promise<void> {
    const warn = (error: unknown): void => {
      process.emitWarning(`The store of imageSave failed to clean up: ${describeError(error)}`);
    };
    const released = new Promise((resolve) => {
      resolve(this.#exchange.endReading());
    }).catch((error: unknown) => {
      process.emitWarning(
        `A renderer behind imageSave failed when its response ended: ${describeError(error)}`,
      );
    });
    const discard = async (): Promise<void> => this.#tempFile?.discard();
    const discarded = discard().catch(warn);
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

  async #report(outcome: SaveOutcome, stages: StageTimes): Promise<void> {
    const { onSave } = this.#context.settings;
    if (onSave === undefined) return;
    try {
      await this.#exchange.callHook(onSave, this.#createRecord(outcome, stages));
    } catch (error) {
      process.emitWarning(`onSave of imageSave failed: ${describeError(error)}`);
    }
  }

  /** What is known of the save by now. */
  #createRecord(outcome: SaveOutcome, stages: StageTimes): SaveRecord {
    const { status, error, info, length, url } = outcome;
    return {
      outcome: status,
      code: error?.code,
      name: this.#name,
      bytes: length,
      pixels: info?.pixels,
      width: info?.width,
      height: info?.height,
      type: info?.type,
      url,
      rendererStatus: this.#rendererStatus,
      milliseconds: performance.now() - this.#exchange.arrival,
      stages,
      cause: error?.cause,
      warning: info && joinWarnings(this.#warnings),
    };
  }
}
