// The folder store as on Windows: names and temporary files that another program has open.
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { FolderTarget } from '../../../../lib/stores/folder/folder-store.js';
import { openTarget } from '../../../../lib/stores/folder/resolve-path.js';
import { StaleFileSweeper } from '../../../../lib/temp-files/stale-files.js';
import { interceptFsCall } from '../../../support/intercept-fs.js';
import { codeOf } from '../../../support/refusal.js';
import { useTempDir } from '../../../support/temp-dir.js';
import { IN_USE_CODES, keepInUse, usePlatform } from '../../../support/windows.js';

const inFolder = useTempDir();
usePlatform('win32');

const inSaved = (): Promise<string[]> => readdir(inFolder('saved'));
const content = (): Promise<string> => readFile(inFolder('saved/a.png'), 'utf8');

let target: FolderTarget;
/** What the middleware was told, in order. */
let happened: string[];

/** A target whose temporary file holds an image. */
async function createTarget(overwrite = true): Promise<FolderTarget> {
  const options = { overwrite, durable: true };
  const resolved = await openTarget(inFolder('saved'), ['a.png'], options);
  const created = new FolderTarget(resolved, options, new StaleFileSweeper(60_000));
  await created.tempFile.write([Buffer.from('new')]);
  return created;
}

const publish = async (one = target): Promise<void> => {
  const commit = (): void => void happened.push('commit');
  const rollback = (): void => void happened.push('rollback');
  await one.publish({ bytes: one.tempFile }, { commit, rollback });
};

beforeEach(async () => {
  happened = [];
  await mkdir(inFolder('saved'));
  await writeFile(inFolder('saved/a.png'), 'old');
  target = await createTarget();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await target.close();
});

describe('a name that another program has open', () => {
  it.each(IN_USE_CODES)('is replaced once it is closed (%s)', async (code) => {
    const calls = keepInUse('rename', 2, code);
    await publish();
    await target.close();
    expect([calls(), await content(), await inSaved()]).toEqual([3, 'new', ['a.png']]);
    expect(happened).toEqual(['commit', 'rollback', 'commit', 'rollback', 'commit']);
  });

  it('is not replaced in another folder that took the place of its own meanwhile', async () => {
    let calls = 0;
    interceptFsCall('rename', async () => {
      calls += 1;
      await rename(inFolder('saved'), inFolder('moved'));
      throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
    });
    expect(await codeOf(() => publish())).toBe('folder-changed');
    expect(calls).toBe(1);
  });

  it.each([
    ['not-a-file', 'a folder', () => rm(inFolder('saved/a.png')).then(() => mkdir(inFolder('saved/a.png')))],
    ['not-writable', 'read-only', () => chmod(inFolder('saved/a.png'), 0o444)],
  ])('is refused with %s at once where it has become %s', async (code, _what, change) => {
    await change();
    const calls = keepInUse('rename', Infinity);
    expect([await codeOf(() => publish()), calls()]).toEqual([code, 1]);
    await chmod(inFolder('saved/a.png'), 0o777);
  });
});

describe('a temporary file that another program has open', () => {
  it('is linked once it is closed, if overwrite is false', async () => {
    await rename(inFolder('saved/a.png'), inFolder('old.png'));
    const keeping = await createTarget(false);
    const calls = keepInUse('link', 1, 'EBUSY');
    await publish(keeping);
    await keeping.close();
    expect([calls(), await content()]).toEqual([2, 'new']);
  });

  it('is removed once it is closed', async () => {
    const calls = keepInUse('unlink', 3, 'EBUSY');
    await target.close();
    expect([calls(), await inSaved()]).toEqual([4, ['a.png']]);
  });
});
