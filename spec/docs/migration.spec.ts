// The recipes of docs/migration.md do what the page says of them.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { get } from '../support/client.js';
import { useProject, type Program } from '../support/project.js';
import { list } from '../support/temp-dir.js';

const { file, cwd, start } = useProject();
const SERVER = 'catalogs.mjs';

beforeAll(() => {
  copyFileSync('docs/recipes/catalogs.mjs', file(SERVER));
});
beforeEach(() => {
  for (const folder of ['misc', 'products/shoes']) mkdirSync(cwd('saved', folder), { recursive: true });
});

/** Sends a save command and returns how it ended. */
async function save({ url }: Program, path: string): Promise<string | undefined> {
  const { reply } = await get(`${url}/is/image/${path}&req=saveToFile&name=x.png`);
  return reply.error?.code ?? reply.status;
}

describe('the server with catalogs', () => {
  test('saves below the SavePath of the catalog, or of the default catalog', async () => {
    const server = await start(SERVER);
    expect(await save(server, 'shoes/boot?wid=20')).toBe('done');
    expect(list(cwd('saved/products/shoes'))).toEqual(['x.png']);
    expect(list(cwd('saved/misc'))).toEqual([]);
    expect(await save(server, 'hats/bowler?wid=20')).toBe('done');
    expect(list(cwd('saved/misc'))).toEqual(['x.png']);
  });

  test('saves nothing from a catalog whose SavePath is empty', async () => {
    const server = await start(SERVER);
    expect(await save(server, 'drafts/boot?wid=20')).toBe('saving-disabled');
  });

  test('saves a larger image than it delivers, up to the limit for saves', async () => {
    const server = await start(SERVER);
    const large = 'shoes/boot?wid=16100&hei=1000';
    expect((await get(`${server.url}/is/image/${large}`)).status).toBe(403);
    expect((await get(`${server.url}/is/image/shoes/boot?wid=1600&hei=100`)).status).toBe(200);
    expect(await save(server, large)).toBe('done');
    expect(await save(server, 'shoes/boot?wid=10001&hei=10000')).toBe('renderer-status');
  });

  test.each(['wid=0', 'wid=-1', 'hei=abc', 'wid=1e9', 'wid=', 'wid=1&wid=2'])(
    'survives %s',
    async (query) => {
      const server = await start(SERVER);
      expect((await get(`${server.url}/is/image/shoes/boot?${query}`)).status).toBe(403);
      expect((await get(`${server.url}/is/image/shoes/boot?wid=7.5`)).status).toBe(200);
    },
  );
});

test('the program that reads .ini files prints the SavePath of each catalog', () => {
  const files = {
    'default.ini': '; the default catalog\r\nattribute::SavePath=misc/\r\n',
    'a.INI': '#attribute::SavePath=old\nattribute::RootId=shoes\nattribute::SavePath = products/shoes \n',
    'drafts.ini': 'savepath=\n',
    'hats.ini': 'attribute::RootId=hats\n',
    'notes.txt': 'attribute::SavePath=none\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(cwd(name), text);
  const printed = execFileSync(process.execPath, ['docs/recipes/save-paths.mjs', cwd()], {
    encoding: 'utf8',
  });
  expect(new Map(JSON.parse(printed) as [string, string][])).toEqual(
    new Map([
      ['shoes', 'products/shoes'],
      ['default', 'misc'],
      ['drafts', ''],
    ]),
  );
});
