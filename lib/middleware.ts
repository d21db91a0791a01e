// The middleware: starts a save for each save command, and passes every other request on.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemCode } from './errors.js';
import { checkOptions, type ImageSaveOptions } from './options.js';
import { hasSaveCommand } from './protocol/parse-command.js';
import type { Next } from './save/call-renderer.js';
import { Admission } from './save/admission.js';
import { checkSaving } from './save/check-saving.js';
import { SaveOperation } from './save/save-operation.js';
import { folderStore } from './stores/folder/folder-store.js';
import { StaleFileSweeper } from './temp-files/stale-files.js';

/** A middleware for Express and every other host of `(req, res, next)` on Node's own request and response. */
export interface ImageSaveMiddleware<Request extends IncomingMessage = IncomingMessage> {
  (req: Request, res: ServerResponse, next: Next): void;
  /**
   * Resolves when every save has ended completely: it has its reply, its temporary file is removed, and its `onSave`
   * has settled. For a graceful stop, call it after `server.close()`, with a time limit of your own: it also waits
   * for a store or an `onSave` that never settles.
   */
  readonly idle: () => Promise<void>;
  /**
   * Resolves if images can be saved now: tries everything that a save needs, and leaves nothing behind. For a readiness
   * probe. It takes as long as the file system or the store does; calls at the same time share one check.
   *
   * @param req A request for which a folder is chosen, where `savePath` is a function. That folder is checked.
   * @throws SaveError Its code says why no image can be saved.
   */
  readonly check: (req?: Request) => Promise<void>;
  /** Saves in progress, for a gauge. */
  readonly running: number;
  /** Saves that wait for their turn, for a gauge. */
  readonly waiting: number;
}

/**
 * Makes a middleware that obeys `req=saveToFile`: mounted in front of a renderer, it saves the image that the renderer
 * sends, and replies with the result. All other requests pass through untouched.
 *
 * @throws TypeError An option is unknown or wrong.
 * @example
 * app.use('/is/image', imageSave({ savePath: './saved' }), renderer);
 */
export function imageSave<Request extends IncomingMessage = IncomingMessage>(
  options: ImageSaveOptions<Request> = {},
): ImageSaveMiddleware<Request> {
  const settings = checkOptions(options);
  // A temporary file that is older belongs to no save that still runs.
  const sweeper = new StaleFileSweeper(2 * settings.maxTimeout);
  const store = settings.store ?? folderStore(settings.savePath, sweeper);
  const admission = new Admission(settings);
  const operations = new Set<Promise<void>>();
  if (typeof options.savePath === 'string' && options.savePath !== '') void warnIfMissing(options.savePath);

  function imageSaveMiddleware(req: Request, res: ServerResponse, next: Next): void {
    const url = req.url ?? '';
    if (!hasSaveCommand(url)) {
      next();
      return;
    }
    const arrival = performance.now();
    if (req.httpVersionMajor >= 2) {
      next(new TypeError('express-image-save works on HTTP/1 requests; serve HTTP/2 by a proxy in front'));
    } else {
      const save = new SaveOperation({
        ...{ settings, store, sweeper, admission, req, res, next, arrival, url },
      }).run();
      operations.add(save);
      void save.finally(() => operations.delete(save));
    }
  }

  const idle = async (): Promise<void> => {
    // Other saves may have begun meanwhile.
    while (operations.size > 0) await Promise.all(operations);
  };
  let checking: Promise<void> | undefined;
  const check = (req?: Request): Promise<void> => {
    if (req !== undefined) return checkSaving(settings, store, sweeper, req);
    // A folder that hangs must not take one more thread for each probe.
    checking ??= checkSaving(settings, store, sweeper).finally(() => {
      checking = undefined;
    });
    return checking;
  };
  const gauges = {
    running: { get: () => admission.running, enumerable: true },
    waiting: { get: () => admission.waiting, enumerable: true },
  };
  return Object.defineProperties(
    Object.assign(imageSaveMiddleware, { idle, check }),
    gauges,
  ) as ImageSaveMiddleware<Request>;
}

/** Warns of a missing save folder, since the path may be mistyped. A folder may be mounted later, so it is no error. */
async function warnIfMissing(savePath: string): Promise<void> {
  const path = resolve(savePath);
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (error) {
    // The first save reports any other fault of the folder.
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') return;
  }
  process.emitWarning(
    `The save folder of imageSave does not exist: ${path}. No image is saved until it does.`,
    {
      code: 'IMAGE_SAVE_NO_FOLDER',
    },
  );
}
