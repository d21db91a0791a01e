// Refuses a name that reaches an existing folder or file by another spelling than its own.
import type { Stats } from 'node:fs';
import { basename, join } from 'node:path';
import { SaveError, systemCode } from '../../errors.js';
import { fsCalls, ignoreMissing, ignoreUnnamedDrive } from '../../temp-files/fs.js';

/**
 * Where case is ignored, or a short name (`PRIV~1`) leads to a file too, `authorize` would otherwise judge another name
 * than the one saved to.
 *
 * @throws SaveError `name-invalid`: a segment that exists is spelled in another way on the file system.
 */
export async function checkSpelling(savePath: string, segments: readonly string[]): Promise<void> {
  const own = await Promise.all(
    segments.map((segment, index) => isOwnSpelling(join(savePath, ...segments.slice(0, index)), segment)),
  );
  const wrong = own.indexOf(false);
  if (wrong < 0) return;
  const rule = `write "${segments[wrong] ?? ''}" as the server spells it, also in capital and small letters`;
  throw new SaveError('name-invalid', { rule });
}

async function isOwnSpelling(folder: string, name: string): Promise<boolean> {
  const look = (entry: string): Promise<Stats | undefined> =>
    fsCalls.lstat(join(folder, entry)).catch((error: unknown) => {
      // The other form of accents may be longer than any entry.
      if (systemCode(error) !== 'ENAMETOOLONG') ignoreMissing(error);
      return undefined;
    });
  const others = await Promise.all(otherSpellings(name).map(look));
  // Most file systems have one spelling for each entry, so this is the usual way out.
  if (others.every((other) => other === undefined) && !SHORT_NAME.test(name)) return true;
  const own = await look(name);
  if (own === undefined) return true;
  // Inodes tell nothing: FUSE may number one file differently for each spelling. Where the system does not know the
  // spelling of a path, the folder tells.
  if (process.platform !== 'linux' && !own.isSymbolicLink()) {
    const real = await fsCalls.realpath(join(folder, name)).catch(ignoreUnnamedDrive);
    if (real !== undefined) return basename(real) === name;
  }
  return (await fsCalls.readdir(folder)).includes(name);
}

/** A name that Windows may have made for a file with a longer one. */
const SHORT_NAME = /~\d/;

/** Names that lead to the same entry where the file system ignores case, the form of accents, or invisible characters. */
function otherSpellings(name: string): string[] {
  const letter = /[a-z]/i.test(name) ? /[a-z]/i : /\p{Changes_When_Casemapped}/u;
  const otherCase = name.replace(letter, (each) =>
    each === each.toLowerCase() ? each.toUpperCase() : each.toLowerCase(),
  );
  const visible = name.replace(/\p{Default_Ignorable_Code_Point}/gu, '');
  return [otherCase, name.normalize('NFC'), name.normalize('NFD'), visible].filter((other) => other !== name);
}
