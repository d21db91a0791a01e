// Makes the missing folders of a name, step by step through folders that are open and checked.
import { SaveError, systemCode } from '../../errors.js';
import { fsCalls } from '../../temp-files/fs.js';
import { DirectoryHandle } from './directory.js';

/**
 * Opens a folder below another one, and makes those on the way that are missing. Links are followed; no folder is made
 * outside the root, whatever takes the place of a folder meanwhile.
 *
 * @param root Stays open.
 * @param durable Whether the new folders must survive a power cut.
 * @throws SaveError A missing folder would be outside the root, or a folder was moved. Otherwise a system error.
 */
export async function makeFolders(
  root: DirectoryHandle,
  folders: readonly string[],
  durable: boolean,
): Promise<DirectoryHandle> {
  let directory = root;
  for (const folder of folders) {
    const parent = directory;
    try {
      directory = await openOrMake(parent, folder, root, durable);
    } finally {
      if (parent !== root) parent.close();
    }
  }
  return directory;
}

async function openOrMake(
  parent: DirectoryHandle,
  folder: string,
  root: DirectoryHandle,
  durable: boolean,
): Promise<DirectoryHandle> {
  const path = parent.join(folder);
  try {
    return await DirectoryHandle.open(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  if (!parent.isInside(root.path)) throw new SaveError('outside-save-path');
  await parent.assertUnmoved();
  try {
    await fsCalls.mkdir(path);
  } catch (error) {
    // Another save has made it, or it is a broken link: opening it tells.
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  if (durable) await parent.sync();
  return DirectoryHandle.open(path);
}
