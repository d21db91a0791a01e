// A folder under Node's permission model, which forbids paths of descriptors and `fsync` of descriptors.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { built, runInChild } from '../../../support/run-in-child.js';
import { testOnLinux, useTempDir } from '../../../support/temp-dir.js';

const inFolder = useTempDir();
const [major = 0] = process.versions.node.split('.').map(Number);
const flag = major < 24 ? '--experimental-permission' : '--permission';
/** Node 26 forbids the flush of a file handle too, so that a durable save is `not-writable`. */
const durable = major < 26;

/**
 * Checks, saves and decodes an image in a file, in a process that may write below a folder alone, and read nothing but
 * the save folder and its modules. Each outcome is `done` or a code.
 */
const outcomesWhere = (allowed: string): Promise<unknown> =>
  runInChild(
    `import { IncomingMessage } from 'node:http';
    import fs from 'node:fs';
    import { Socket } from 'node:net';
    import { MemoryBytes } from ${built('lib/bytes/image-bytes.ts')};
    import { inspectImage } from ${built('lib/image/inspect.ts')};
    import { folderStore } from ${built('lib/stores/folder/folder-store.ts')};
    import { StaleFileSweeper } from ${built('lib/temp-files/stale-files.ts')};
    import { DiskTempFile } from ${built('lib/temp-files/temp-file.ts')};
    const store = folderStore(() => ${JSON.stringify(inFolder('saved'))}, new StaleFileSweeper(1000));
    const { signal } = new AbortController();
    const options = { req: new IncomingMessage(new Socket()), durable: ${durable}, createFolders: true, signal };
    const save = async (overwrite) => {
      const target = await store.prepare('shoes/a.png', { ...options, overwrite });
      await target.publish({ bytes: new MemoryBytes(Buffer.from('new')) }, { commit() {} }).finally(() => target.close());
    };
    const decode = async () => {
      const file = new DiskTempFile(${JSON.stringify(inFolder('saved/file'))}, 0o600);
      await file.write([Buffer.from('R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=', 'base64')]);
      await inspectImage(file, { verify: 'pixels', maxPixels: 1 }).finally(() => file.discard());
    };
    const check = () => store.check(undefined, { ...options, overwrite: false });
    const outcomes = [];
    for (const step of [check, () => save(false), () => save(true), decode])
      outcomes.push(await step().then(() => 'done', (error) => error.code));
    console.log(JSON.stringify(outcomes));`,
    {
      nodeOptions: [
        ...[flag, '--allow-addons', '--allow-child-process', `--allow-fs-write=${allowed}`],
        ...[`${process.cwd()}/`, `${inFolder('saved')}/`].map((path) => `--allow-fs-read=${path}`),
      ],
    },
  );

beforeEach(() => mkdir(inFolder('saved')));

testOnLinux('saves where the save folder may be written to', async () => {
  expect(await outcomesWhere(`${inFolder('saved')}/`)).toEqual(['done', 'done', 'done', 'done']);
  expect(await readdir(inFolder('saved'), { recursive: true })).toEqual(['shoes', 'shoes/a.png']);
  expect(await readFile(inFolder('saved/shoes/a.png'), 'utf8')).toBe('new');
});

testOnLinux('refuses with not-writable elsewhere, from the check on', async () => {
  const outcomes = await outcomesWhere(`${inFolder('other')}/`);
  expect(outcomes).toEqual(['not-writable', 'not-writable', 'not-writable', 'not-writable']);
});
