// check() of a mount: tries everything that a save needs, and leaves nothing behind.
import { MemoryBytes } from '../bytes/image-bytes.js';
import { toSaveError } from '../errors.js';
import { inspectImage } from '../image/inspect.js';
import { createPrivateTempFile } from '../temp-files/temp-file.js';
import type { SaveContext } from './save-operation.js';

/** A GIF of one pixel: GIFs always go to a decoder process. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=', 'base64');

/** Whether an image has been decoded. That is tried once, because an idle decoder process takes memory. */
let decoded = false;

/**
 * @param req The request for which a folder is chosen, where `savePath` is a function.
 * @throws SaveError Its code says why no image can be saved.
 */
export async function checkSaving(
  { settings, store, sweeper }: Omit<SaveContext, 'admission'>,
  req?: unknown,
): Promise<void> {
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
