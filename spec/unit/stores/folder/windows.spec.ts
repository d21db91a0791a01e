// The folder store as on Windows: names and temporary files that another program has open.
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { folderTarget, type FolderTarget } from '../../../../lib/stores/folder/folder-store.js';
import { openTarget } from '../../../../lib/stores/folder/resolve-path.js';
import { StaleFileSweeper } from '../../../../lib/temp-files/stale-files.js';
import { interceptFsCall } from '../../../support/intercept-fs.js';
import { codeOf } from '../../../support/refusal.js';
import { useTempDir } from '../../../support/temp-dir.js';
import { keepInUse, usePlatform } from '../../../support/windows.js';

const inFolder = useTempDir();
usePlatform('win32');

let target: FolderTarget;
/** What the middleware was told, in order. */
let happened: string[];

/** Makes a target whose temporary file holds an image. */
async function createTarget(overwrite: boolean): Promise<void> {
  const options = { overwrite, durable: true };
  const resolved = await openTarget(inFolder('saved'), ['a.png'], options);
  target = folderTarget(resolved, options, new StaleFileSweeper(60_000));
  await target.tempFile.write([Buffer.from('new')]);
}

const publish = async (): Promise<void> => {
  const commit = (): void => void happened.push('commit');
  const rollback = (): void => void happened.push('rollback');
  await target.publish({ bytes: target.tempFile }, { commit, rollback });
};

beforeEach(async () => {
  happened = [];
  await mkdir(inFolder('saved'));
});
afterEach(async () => {
  jest.restoreAllMocks();
  await target.close();
});

it.each([
  ['replaced', 'rename', true, ['commit', 'rollback', 'commit', 'rollback', 'commit']],
  ['linked', 'link', false, ['commit', 'rollback', 'commit', 'rollback', 'commit']],
  ['removed', 'unlink', false, ['commit']],
] as const)('a file that is in use is %s once it is closed', async (_how, call, overwrite, expected) => {
  if (overwrite) await writeFile(inFolder('saved/a.png'), 'old');
  await createTarget(overwrite);
  const calls = keepInUse(call, 2, 'EBUSY');
  await publish();
  await target.close();
  expect([calls(), await readdir(inFolder('saved')), happened]).toEqual([3, ['a.png'], expected]);
  expect(await readFile(inFolder('saved/a.png'), 'utf8')).toBe('new');
});

it.each(['EISDIR', 'UNKNOWN'])('an image is saved on a drive that Windows cannot name (%s)', async (code) => {
  interceptFsCall('realpath', () => Promise.reject(Object.assign(new Error(code), { code })));
  await createTarget(true);
  await publish();
  expect(await readFile(inFolder('saved/a.png'), 'utf8')).toBe('new');
});

it('a name in use is not replaced in another folder that took the place of its own meanwhile', async () => {
  await createTarget(true);
  const renamed = interceptFsCall('rename', async () => {
    await rename(inFolder('saved'), inFolder('moved'));
    throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
  });
  expect(await codeOf(publish)).toBe('folder-changed');
  expect(renamed).toHaveBeenCalledTimes(1);
});

it.each([
  ['not-a-file', 'a folder', () => rm(inFolder('saved/a.png')).then(() => mkdir(inFolder('saved/a.png')))],
  ['not-writable', 'read-only', () => chmod(inFolder('saved/a.png'), 0o444)],
])('a name is refused with %s at once where it has become %s', async (code, _what, change) => {
  await writeFile(inFolder('saved/a.png'), 'old');
  await createTarget(true);
  await change();
  const calls = keepInUse('rename', Infinity);
  expect([await codeOf(publish), calls()]).toEqual([code, 1]);
  await chmod(inFolder('saved/a.png'), 0o777);
});
