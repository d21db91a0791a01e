// Runs the examples of the documents: programs and commands give the results that are shown.
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { get } from '../support/client.js';
import { list } from '../support/temp-dir.js';
import { blocks, markdownFiles, prose, read, tableRows, type Block } from './markdown.js';
import { useProject, type Program } from '../support/project.js';

const { file, cwd, start, run } = useProject();
beforeEach(() => {
  mkdirSync(cwd('saved/products'));
});

const isProgram = ({ language }: Block): boolean =>
  ['js', 'ts', 'mjs', 'javascript', 'typescript'].includes(language);

/** Writes the first program of a page with this text into the project, with the parts that the page omits. */
function programOf(page: string, part: string, before = '', after = ''): string {
  const text = blocks(read(page)).find((block) => isProgram(block) && block.text.includes(part))?.text ?? '';
  writeFileSync(file('program.mjs'), `${before}\n${text}\n${after}\n`);
  return 'program.mjs';
}

const mountIt = (): Promise<Program> => start(programOf('README.md', 'app.listen'));

/** Values that differ from one save to the next. */
const masked = (text: string): string =>
  text
    .trim()
    .replace(/^#[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}$/m, '#(time)')
    .replace(/^lastUpdated=\d{13}$/m, 'lastUpdated=(time)');
/** The encoder's result may differ by a little from one processor to another. */
const withoutLength = (text: string): string => text.replace(/^image\.length=\d+$/m, 'image.length=(bytes)');
const lengthIn = (text: string): number => Number(/^image\.length=(\d+)$/m.exec(text)?.[1]);

function expectSameReply(actual: string, shown: string): void {
  expect(withoutLength(masked(actual))).toBe(withoutLength(masked(shown)));
  expect(masked(shown)).toContain('#(time)');
}

describe('Mount it', () => {
  const consoles = markdownFiles().flatMap((file) =>
    blocks(read(file))
      .filter(({ language }) => language === 'console')
      .map(({ text }) => [file, text] as const),
  );

  test.each(consoles)('the console example of %s prints the output that it shows', async (_file, text) => {
    const [, port, path = '', shown = ''] =
      /^\$ curl 'http:\/\/localhost:(\d+)(\S+)'\n([^]*)$/.exec(text) ?? [];
    expect(port).toBe('3000');
    const program = await mountIt();
    const body = (await get(`${program.url}${path}`)).body.toString();
    expectSameReply(body, shown);
    const name = /^name=(.*)$/m.exec(shown)?.[1] ?? '';
    expect(statSync(cwd('saved', name)).size).toBe(lengthIn(body));
    expect(Math.abs(lengthIn(shown) / lengthIn(body) - 1)).toBeLessThan(0.2);
  });

  test.each(['40000', '0', '-1', 'abc', '1e9', ''])('the program survives wid=%s', async (wid) => {
    const program = await mountIt();
    expect((await get(`${program.url}/is/image/shoe?wid=${wid}`)).status).toBe(400);
    expect((await get(`${program.url}/is/image/shoe?wid=7.5`)).status).toBe(200);
  });

  test('the requests at the start of the README work', async () => {
    const lines = (blocks(read('README.md'))[0]?.text ?? '').trim().split('\n');
    expect(lines).toHaveLength(2);
    const program = await mountIt();
    const [plain = '', save = ''] = lines.map((line) =>
      /^GET (\S+) +→/.exec(line)?.[1]?.replace('.jpg', '.png'),
    );
    expect((await get(`${program.url}${save}`)).reply.status).toBe('done');
    expect((await get(`${program.url}${plain}`)).headers['content-type']).toBe('image/png');
    expect(list(cwd('saved'))).toEqual(['products', 'shoe.png']);
  });
});

test('the renderer with saveOf saves, refuses and stops', async () => {
  const before = `
    import express from 'express';
    import sharp from 'sharp';
    import { imageSave } from 'express-image-save';
    const app = express();
    app.use('/is/image', imageSave({ savePath: './saved' }));
    async function render(req, { signal }) {
      const { picture } = req.params;
      if (picture === 'slow') {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        console.log('stopped:', signal.reason.code);
      }
      const create = { width: 4, height: 5, channels: 3, background: 'red' };
      return { isPlaceholder: picture === 'none', bytes: await sharp({ create }).png().toBuffer() };
    }`;
  const program = await start(programOf('docs/in-your-app.md', 'save?.refuse', before, 'app.listen(3000);'));
  const save = async (picture: string, more = ''): Promise<string> => {
    const { reply } = await get(`${program.url}/is/image/${picture}?req=saveToFile&name=x.png${more}`);
    return `${reply.status} ${reply.error?.message ?? ''}`;
  };
  expect(await save('shoe')).toBe('done ');
  expect(await save('none')).toMatch(/^failed .*there is no such picture/);
  expect(await save('slow', '&timeout=1000')).toMatch(/^timeout /);
  await program.printed(/stopped: timeout/);
  expect((await get(`${program.url}/is/image/none`)).headers['content-type']).toBe('image/png');
});

test('the program with parseReply prints the result of a save or the reason of a refusal', async () => {
  const program = await mountIt();
  const reader = programOf('README.md', 'parseReply', 'const url = process.env.URL;');
  const print = async (query: string): Promise<string> =>
    run(reader, { env: { URL: `${program.url}/is/image/shoe?wid=20&req=saveToFile&${query}` } });
  expect(await print('name=x.png')).toBe('400 image/png\n');
  expect(await print('name=no/x.png')).toMatch(/^folder-missing Name a folder/);
});

describe('docs/batch.md', () => {
  const text = read('docs/batch.md');

  test('the program of saveAll saves its images', async () => {
    const { url } = await mountIt();
    const [program] = blocks(text).filter(isProgram);
    writeFileSync(file('batch.mjs'), (program?.text ?? '').replace('http://localhost:3000', url));
    const printed = (await run('batch.mjs')).trim().split('\n');
    expect(printed.map((line) => line.trim()).sort()).toEqual(['done shoe-320.png', 'done shoe-640.png']);
    expect(list(cwd('saved'))).toEqual(['products', 'shoe-320.png', 'shoe-640.png']);
  });

  test('every command that a document shows is understood', () => {
    writeFileSync(cwd('jobs.txt'), '/x x.jpg\n');
    writeFileSync(cwd('pim.csv'), 'sku,source,width\nS1,shoe,320\n');
    writeFileSync(cwd('pictures.txt'), 'shoe\n');
    writeFileSync(
      cwd('access.log'),
      '::1 - - [1/Jan/2026:00:00:00 +0000] "GET /is/image/x?wid=1 HTTP/1.1" 200 1\n',
    );
    const commands = markdownFiles().flatMap((page) =>
      blocks(read(page))
        .filter(({ language }) => language === 'sh')
        .flatMap((block) => block.text.replaceAll('\\\n', ' ').split('\n'))
        // A report sends nothing: spec/integration/batch runs it.
        .filter((line) => /^npx express-image-save batch (?!report)/.test(line)),
    );
    expect(commands.length).toBeGreaterThan(3);
    const cli = file('node_modules/express-image-save/dist/cli.js');
    for (const command of commands) {
      const line = command.replace('npx express-image-save', '"$NODE" "$CLI"');
      const env = { ...process.env, NODE: process.execPath, CLI: cli };
      const { status, stdout } = spawnSync('sh', ['-c', `${line} --dry-run`], {
        cwd: cwd(),
        env,
        encoding: 'utf8',
      });
      expect([command, status, stdout]).toEqual([
        command,
        0,
        expect.stringContaining('req=saveToFile&name='),
      ]);
    }
  });

  test('the tables have every option of the command and every code of its own', () => {
    const cli = file('node_modules/express-image-save/dist/cli.js');
    const { stdout } = spawnSync(process.execPath, [cli, 'batch', '--help'], { encoding: 'utf8' });
    const offered = [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name = '']) => name);
    expect(offered.filter((name) => !text.includes(`\`${name}`) && !text.includes(` ${name} `))).toEqual([]);
    const source = read('lib/batch/outcome.ts') + read('lib/batch/pace.ts');
    const codes = [...source.matchAll(/(?<!headers\[)'((?:[a-z]+-)+[a-z]+)'/g)].map(([, code = '']) => code);
    expect(codes.length).toBeGreaterThan(15);
    expect(codes.filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });
});

describe('docs/protocol.md', () => {
  const page = read('docs/protocol.md');
  // A slow machine must not fail the test.
  const command = (/^GET (\S+)$/m.exec(page)?.[1] ?? '').replace(/(?<=&timeout=)\d+/, '600000');
  const shown = blocks(page).map(({ text }) => text);
  const keys = (text: string): string[] => [...text.matchAll(/^([\w.]+)=/gm)].map(([, key = '']) => key);
  const rows = tableRows(/## The reply\n([^]*?)\n## /.exec(page)?.[1] ?? '').slice(1);

  /** The properties that the table has, as far as this fits their second cell. */
  const inTable = (kind: RegExp): string[] =>
    rows
      .filter(([names = '', cell = '']) => kind.test(`${names} ${cell}`))
      .flatMap(([names = '']) => [...names.matchAll(/`([\w.]+)`/g)].map(([, name = '']) => name));

  test('the example commands give the replies of the page', async () => {
    const program = await mountIt();
    const done = await get(`${program.url}${command}`);
    expectSameReply(done.body.toString(), shown.find((text) => text.startsWith('#S7Z OK')) ?? '');
    const failed = await get(`${program.url}${command.replace('=products/', '=produce/')}`);
    expectSameReply(failed.body.toString(), shown.find((text) => text.startsWith('#S7Z ERROR')) ?? '');
  });

  test('the table of properties lists those of each kind of reply and no others', async () => {
    const program = await mountIt();
    const [done, failed, timeout] = await Promise.all(
      ['name=x.png', 'name=no/x.png', 'name=x.png&timeout=1&wid=4000'].map(async (query) =>
        get(`${program.url}/is/image/shoe?req=saveToFile&${query}`),
      ),
    );
    expect([done, failed, timeout].map((answer) => answer?.reply.status)).toEqual([
      'done',
      'failed',
      'timeout',
    ]);
    // The program of the README sets no publicUrl.
    expect(keys(done!.body.toString())).toEqual(inTable(/^(?!.*`(?:error\.|url`))/));
    // A retry does not create a missing folder, but may be in time.
    expect(keys(failed!.body.toString())).toEqual(inTable(/`status`|`error\.(?!retry|rendererStatus)/));
    expect(keys(timeout!.body.toString())).toEqual(inTable(/`status`|`error\.(?!rendererStatus)/));
    const statuses = /`status` .*?\| +\| (.*?);/.exec(page)?.[1] ?? '';
    expect([...statuses.matchAll(/`(\w+)`/g)].map(([, status]) => status)).toEqual([
      'done',
      'failed',
      'timeout',
    ]);
  });

  test('the middleware obeys every parameter of the table', async () => {
    const commands = tableRows(prose(page))
      .map(([cell = '']) => cell)
      .filter((cell) => /^`[^`]*=[^`]*`$/.test(cell));
    expect(commands).toEqual(['`req=saveToFile`', '`name=`', '`timeout=`', '`$var=value`']);
    const program = await mountIt();
    const { reply } = await get(
      `${program.url}/is/image/shoe?wid=4&$var=value&timeout=60000&name=$var$.png&req=saveToFile`,
    );
    expect([reply.status, reply.name]).toEqual(['done', 'value.png']);
  });
});
