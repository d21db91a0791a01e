// Saves on Windows to a name that another program has open: pretended on every system, and real on Windows.
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { get, type Answer } from '../support/client.js';
import { interceptFsCall } from '../support/intercept-fs.js';
import { LONG } from '../support/manual-timer.js';
import { eventually } from '../support/deferred.js';
import { list } from '../support/temp-dir.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';
import { keepInUse, usePlatform } from '../support/windows.js';

const { image, folder, recorded, serve } = useSaveFixture();
let url: string;

const save = (): Promise<Answer> => get(url + SAVE);
const content = (): Buffer => readFileSync(join(folder(), 'x.jpg'));

beforeEach(async () => {
  writeFileSync(join(folder(), 'x.jpg'), 'old');
  ({ url } = await serve(undefined, LONG));
});
afterEach(() => {
  jest.restoreAllMocks();
});

usePlatform('win32');

test('a name that is in use is kept, and the client may try again, if it stays in use', async () => {
  keepInUse('rename', Infinity);
  const { status, reply } = await save();
  expect([status, reply.error?.code, reply.error?.retry]).toEqual([403, 'file-in-use', true]);
  await eventually(() => list(folder()).length === 1 && String(content()) === 'old');
  expect(await recorded()).toMatchObject({ code: 'file-in-use', cause: { code: 'EPERM' } });
});

(process.platform === 'win32' ? describe : describe.skip)('a name that really is in use', () => {
  /** libuv's `UV_FS_O_EXLOCK`: while the file is open, Windows lets no other handle read, replace or remove it. */
  const EXCLUSIVE = 0x10000000;
  const openExclusively = (): number => openSync(join(folder(), 'x.jpg'), constants.O_RDONLY | EXCLUSIVE);

  test('is kept, and replaced by a save after it was closed', async () => {
    const fd = openExclusively();
    const refused = await save();
    closeSync(fd);
    expect([refused.status, refused.reply.error?.code]).toEqual([403, 'file-in-use']);
    await eventually(() => list(folder()).length === 1 && String(content()) === 'old');
    expect((await save()).reply.status).toBe('done');
    expect(content().equals(image())).toBe(true);
  });

  test('is replaced by a save that was waiting for it', async () => {
    const fd = openExclusively();
    let calls = 0;
    interceptFsCall('rename', (real) => {
      if ((calls += 1) === 2) closeSync(fd);
      return real();
    });
    expect((await save()).reply.status).toBe('done');
    expect([calls, content().equals(image())]).toEqual([2, true]);
  });
});
