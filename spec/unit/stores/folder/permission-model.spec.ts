// The folder store under Node's permission model, which forbids paths of descriptors and `fsync` of descriptors.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { built, runInChild } from '../../../support/run-in-child.js';
import { testOnLinux, useTempDir } from '../../../support/temp-dir.js';

const inFolder = useTempDir();
const [major = 0] = process.versions.node.split('.').map(Number);
const flag = major < 24 ? '--experimental-permission' : '--permission';

/** Checks and saves in a process that may write below a folder alone. Each outcome is `done` or a code. */
const outcomesWhere = (allowed: string): Promise<unknown> =>
  runInChild(
    `import { IncomingMessage } from 'node:http';
    import fs from 'node:fs';
    import { Socket } from 'node:net';
    import { MemoryBytes } from ${built('lib/bytes/image-bytes.ts')};
    import { folderStore } from ${built('lib/stores/folder/folder-store.ts')};
    import { StaleFileSweeper } from ${built('lib/temp-files/stale-files.ts')};
    const store = folderStore(() => ${JSON.stringify(inFolder('saved'))}, new StaleFileSweeper(1000));
    const { signal } = new AbortController();
    const options = { req: new IncomingMessage(new Socket()), durable: true, createFolders: true, signal };
    const save = async (overwrite) => {
      const target = await store.prepare('shoes/a.png', { ...options, overwrite });
      await target.publish({ bytes: new MemoryBytes(Buffer.from('new')) }, { commit() {} }).finally(() => target.close());
    };
    const outcomes = [];
    for (const step of [() => store.check(undefined, { ...options, overwrite: false }), () => save(false), () => save(true)])
      outcomes.push(await step().then(() => 'done', (error) => error.code));
    console.log(JSON.stringify(outcomes));`,
    { nodeOptions: [flag, '--allow-fs-read=*', `--allow-fs-write=${allowed}`] },
  );

beforeEach(() => mkdir(inFolder('saved')));

testOnLinux('saves where the save folder may be written to', async () => {
  expect(await outcomesWhere(`${inFolder('saved')}/`)).toEqual(['done', 'done', 'done']);
  expect(await readdir(inFolder('saved'), { recursive: true })).toEqual(['shoes', 'shoes/a.png']);
  expect(await readFile(inFolder('saved/shoes/a.png'), 'utf8')).toBe('new');
});

testOnLinux('refuses with not-writable elsewhere, from the check on', async () => {
  const outcomes = await outcomesWhere(`${inFolder('other')}/`);
  expect(outcomes).toEqual(['not-writable', 'not-writable', 'not-writable']);
});
