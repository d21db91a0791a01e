// What the saves of one middleware, handler or image saver share, and what their operator can ask of it.
import { stat } from 'node:fs/promises';
import { MemoryBytes } from '../bytes/image-bytes.js';
import { systemCode, toSaveError } from '../errors.js';
import { inspectImage } from '../image/inspect.js';
import { Admission } from '../save/admission.js';
import type { Exchange } from '../save/exchange.js';
import type { Settings } from '../save/options.js';
import { SaveOperation, type SaveContext } from '../save/save-operation.js';
import { folderStore } from '../stores/folder/folder-store.js';
import { StaleFileSweeper } from '../temp-files/stale-files.js';
import { createPrivateTempFile } from '../temp-files/temp-file.js';

/** A GIF of one pixel: GIFs always go to a decoder process. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=', 'base64');

/** Whether an image has been decoded. That is tried once, because an idle decoder process takes memory. */
let decoded = false;

/** What the middleware, the Fetch handler and an image saver have in common. */
export interface SaveControls<HostRequest> {
  /**
   * Resolves when every save has ended completely: with its reply, without its temporary file, its `onSave` settled. For
   * a graceful stop, call it after `server.close()`, with a time limit: a store or an `onSave` may never settle.
   */
  readonly idle: () => Promise<void>;
  /**
   * For a readiness probe: resolves if images can be saved now. Tries everything that a save needs, and leaves nothing
   * behind.
   *
   * @param req The request for which a folder is chosen, where `savePath` is a function.
   * @throws SaveError Its code says why no image can be saved.
   */
  readonly check: (req?: HostRequest) => Promise<void>;
  /** Saves in progress, for a gauge. */
  readonly running: number;
  /** Saves that wait for their turn, for a gauge. */
  readonly waiting: number;
}

/** Starts saves with the same options, which share their store and its limits. */
export class Saver {
  readonly #context: SaveContext;
  readonly #operations = new Set<Promise<void>>();
  #checking: Promise<void> | undefined;

  constructor(settings: Settings) {
    // A temporary file that is older belongs to no save that still runs.
    const sweeper = new StaleFileSweeper(2 * settings.maxTimeout);
    const store = settings.store ?? folderStore(settings.savePath, sweeper);
    this.#context = { settings, store, sweeper, admission: new Admission(settings) };
    void warnIfMissing(settings);
  }

  start(exchange: Exchange): void {
    const operation = new SaveOperation(this.#context, exchange).run();
    this.#operations.add(operation);
    void operation.finally(() => this.#operations.delete(operation));
  }

  /** Gives a function its controls. */
  control<Call extends object, HostRequest>(call: Call): Call & SaveControls<HostRequest> {
    const { admission } = this.#context;
    const idle = async (): Promise<void> => {
      // Other saves may have begun meanwhile.
      while (this.#operations.size > 0) await Promise.all(this.#operations);
    };
    const check = (req?: HostRequest): Promise<void> => {
      if (req !== undefined) return this.#check(req);
      // A folder that hangs must not take one more thread for each probe.
      return (this.#checking ??= this.#check().finally(() => {
        this.#checking = undefined;
      }));
    };
    return Object.defineProperties(Object.assign(call, { idle, check }), {
      running: { get: () => admission.running, enumerable: true },
      waiting: { get: () => admission.waiting, enumerable: true },
    }) as Call & SaveControls<HostRequest>;
  }

  async #check(req?: unknown): Promise<void> {
    const { settings, store, sweeper } = this.#context;
    try {
      await store.check?.(req, settings);
      // A folder collects large images itself.
      if (settings.store !== undefined) {
        const file = createPrivateTempFile(sweeper);
        await file.write([Buffer.from('check')]).finally(() => file.discard());
      }
      if (!decoded) await inspectImage(new MemoryBytes(PIXEL), settings);
      decoded = true;
    } catch (error) {
      throw toSaveError(error);
    }
  }
}

/** Warns of a missing save folder, since the path may be mistyped. A folder may be mounted later, so it is no error. */
async function warnIfMissing({ savePath }: Settings): Promise<void> {
  let path = '';
  try {
    path = await savePath();
    if (path === '' || (await stat(path)).isDirectory()) return;
  } catch (error) {
    // The first save reports any other fault of the folder. A function needs a request.
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') return;
  }
  process.emitWarning(`The save folder does not exist: ${path}. No image is saved until it does.`, {
    code: 'IMAGE_SAVE_NO_FOLDER',
  });
}
