// The recipes as an operator runs them: each a program in a project with the package.
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { get, type Answer } from '../../support/client.js';
import { list } from '../../support/temp-dir.js';
import { start as startServer, stopAll } from '../../support/host.js';
import { jpeg, png } from '../../support/images.js';
import { useProject, type Program } from '../../support/project.js';

const SAVE = '/is/image/shoe?wid=20&req=saveToFile&name=';
const REFUSED = '403 failed not-authorized';
/** Node has it since 22.13 without a flag. */
const hasSqlite = spawnSync(process.execPath, ['-e', "require('node:sqlite')"]).status === 0;
const { file, cwd, start, run } = useProject(
  'express-session multer pino pino-http prom-client @opentelemetry'.split(' '),
);
beforeAll(() => {
  cpSync('spec/integration/recipes/tracing.mjs', file('tracing.mjs'));
});
afterEach(stopAll);

type Line = Record<string, unknown>;

/** The first complete JSON line of a program with this text. */
async function line(program: Program, text: string): Promise<Line> {
  await program.printed(new RegExp(`${text}.*\\n`));
  const found = program
    .output()
    .split('\n')
    .find((each) => each.includes(text));
  return JSON.parse(found ?? '') as Line;
}

function sent(answer: Answer): string {
  return `${answer.status} ${answer.reply.status} ${answer.reply.error?.code ?? ''}`.trim();
}

test('logs.mjs logs a request, a save and the cause of a refusal, each in a line without the query', async () => {
  const program = await start('logs.mjs');
  expect(sent(await get(`${program.url}${SAVE}shoe.png&signature=secret`))).toBe('200 done');
  expect(await line(program, 'shoe.png')).toMatchObject({
    level: 30,
    msg: 'image save',
    outcome: 'done',
    path: '/is/image/shoe',
    pixels: 400,
  });
  expect(sent(await get(`${program.url}${SAVE}no/shoe.png`))).toBe('403 failed folder-missing');
  expect(await line(program, 'no/shoe.png')).toMatchObject({
    level: 40,
    code: 'folder-missing',
    err: { type: 'Error', code: 'ENOENT' },
  });
  expect(await line(program, '"GET"')).toMatchObject({ req: { path: '/is/image/shoe' } });
  await program.printed(/^(.*\n){4}$/);
  expect(program.output()).not.toContain('secret');
});

test('metrics.mjs counts saves by outcome and code, their time and their bytes', async () => {
  const program = await start('metrics.mjs');
  const done = await get(`${program.url}${SAVE}shoe.png`);
  await get(`${program.url}${SAVE}no/shoe.png`);
  const { headers, body } = await get(`${program.url}/metrics`);
  expect(headers['content-type']).toMatch(/^text\/plain; version=/);
  expect(body.toString().split('\n')).toEqual(
    expect.arrayContaining([
      'image_saves_total{outcome="done",code="none"} 1',
      'image_saves_total{outcome="failed",code="folder-missing"} 1',
      'image_save_duration_seconds_count{outcome="done"} 1',
      `image_saved_bytes_total ${done.reply.image?.length ?? 0}`,
    ]),
  );
  expect(body.toString()).not.toContain('shoe');
});

test('readiness.mjs is ready while the folder is there', async () => {
  const program = await start('readiness.mjs');
  const ready = async (): Promise<[number, string]> => {
    const { status, body } = await get(`${program.url}/ready`);
    return [status, body.toString()];
  };
  expect(await ready()).toEqual([200, 'ready']);
  expect(list(cwd('saved'))).toEqual([]);
  rmSync(cwd('saved'), { recursive: true });
  expect(await ready()).toEqual([503, 'save-path-missing']);
  await program.printed(/save-path-missing .*ENOENT/);
  mkdirSync(cwd('saved'));
  expect(await ready()).toEqual([200, 'ready']);
});

test('purge.mjs asks the cache to forget each saved image, and reports a cache that does not', async () => {
  const purged: string[] = [];
  let status = 200;
  const cache = await startServer([
    (req, res) => {
      purged.push(`${req.method} ${req.url}`);
      res.writeHead(status).end();
    },
  ]);
  const program = await start('purge.mjs', { env: { PURGE_URL: `${cache.url}/purge/` } });
  expect(sent(await get(`${program.url}${SAVE}a%20b.png`))).toBe('200 done');
  expect(purged).toEqual(['GET /purge/a%20b.png']);
  expect(program.output()).toBe('');
  status = 500;
  expect(sent(await get(`${program.url}${SAVE}shoe.png`))).toBe('200 done');
  await program.printed(/shoe\.png was not purged: The cache replied 500/);
});

const describeSqlite = hasSqlite ? describe : describe.skip;

describeSqlite('rows.mjs', () => {
  test('writes a row before the reply, and replaces it at the next save', async () => {
    const program = await start('rows.mjs');
    const rows = async (): Promise<Line[]> =>
      JSON.parse((await get(`${program.url}/images`)).body.toString()) as Line[];
    const first = await get(`${program.url}${SAVE}shoe.png`);
    expect(await rows()).toEqual([
      {
        name: 'shoe.png',
        type: 'image/png',
        width: 20,
        height: 20,
        bytes: first.reply.image?.length,
        saved_at: expect.any(Number) as number,
      },
    ]);
    await get(`${program.url}/is/image/shoe?wid=30&req=saveToFile&name=shoe.png`);
    await get(`${program.url}${SAVE}no/shoe.png`);
    expect(await rows()).toMatchObject([{ name: 'shoe.png', width: 30 }]);
  });

  test('saves although the row cannot be written, and reports it', async () => {
    const program = await start('rows.mjs');
    const dropping = "new (require('node:sqlite').DatabaseSync)('./images.db').exec('DROP TABLE images')";
    await promisify(execFile)(process.execPath, ['-e', dropping], { cwd: cwd() });
    expect(sent(await get(`${program.url}${SAVE}shoe.png`))).toBe('200 done');
    await program.printed(/No row for shoe\.png: .*images/);
  });
});

describe('trace.mjs', () => {
  test('makes a span below that of the request', async () => {
    const program = await start('trace.mjs', { preload: [file('tracing.mjs')] });
    await get(`${program.url}${SAVE}shoe.png`);
    const save = await line(program, '"name":"image save"');
    const request = await line(program, '"name":"request"');
    expect(save).toMatchObject({
      parent: request['id'],
      attributes: { 'image_save.outcome': 'done', 'image_save.name': 'shoe.png', 'image_save.pixels': 400 },
      status: { code: 0 },
      events: [],
    });
    expect(save['attributes']).not.toHaveProperty(['image_save.code']);
    expect(save['seconds']).toBeGreaterThan(0);
  });

  test('marks a save that failed, with its cause', async () => {
    const program = await start('trace.mjs', { preload: [file('tracing.mjs')] });
    await get(`${program.url}${SAVE}no/shoe.png`);
    expect(await line(program, '"name":"image save"')).toMatchObject({
      status: { code: 2, message: 'folder-missing' },
      events: ['exception'],
    });
  });

  test('runs without an SDK', async () => {
    const program = await start('trace.mjs');
    expect(sent(await get(`${program.url}${SAVE}shoe.png`))).toBe('200 done');
  });
});

describe('signed-link.mjs', () => {
  const startSite = async (): Promise<{ program: Program; link: string }> => {
    const program = await start('signed-link.mjs', { env: { LINK_KEYS: 'newest,older' } });
    await program.printed(/\n/);
    return { program, link: program.output().trim().replace('http://localhost:3000', program.url) };
  };
  const saved = (): string[] => list(cwd('saved'));

  test('saves by the link that it prints and by no other, and tells the operator why', async () => {
    const { program, link } = await startSite();
    expect(sent(await get(link.replace('wid=800', 'wid=801')))).toBe(REFUSED);
    await program.printed(/not-authorized shoe.png The signature is not that of this URL/);
    expect(saved()).toEqual([]);
    expect(sent(await get(link))).toBe('200 done');
    expect(saved()).toEqual(['shoe.png']);
  });

  test('saves by the link that the commands of the page make', async () => {
    const { program } = await startSite();
    const page = readFileSync('docs/recipes.md', 'utf8');
    const [, commands = ''] = /```sh\n(target=[^]*?)```/.exec(page) ?? [];
    const script = commands.replace('http://localhost:3000', program.url);
    const { stdout } = await promisify(execFile)('sh', ['-c', script], {
      env: { ...process.env, LINK_KEYS: 'older,unknown' },
    });
    expect(stdout).toContain('status=done');
    expect(saved()).toEqual(['shoe.png']);
  });

  test('does not start without a key', async () => {
    expect(await run('signed-link.mjs')).toContain('The option "keys" of createSigner');
  });
});

describe('session.mjs', () => {
  const env = { SESSION_SECRET: 'for this test', EDITOR_PASSWORD: 'open sesame' };

  async function login(program: Program, password: string): Promise<Answer> {
    return get(`${program.url}/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ password }),
    });
  }

  test('saves for a logged-in client that sends the token', async () => {
    const program = await start('session.mjs', { env });
    const { headers, body } = await login(program, env.EDITOR_PASSWORD);
    const cookie = headers['set-cookie']?.[0] ?? '';
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    const { token } = JSON.parse(body.toString()) as { token: string };
    const save = async (sentHeaders: Record<string, string>): Promise<string> =>
      sent(await get(`${program.url}${SAVE}shoe.png`, { headers: sentHeaders }));
    expect(await save({ Cookie: cookie, 'X-Save-Token': token })).toBe('200 done');
    const wrong = [
      { Cookie: cookie },
      { Cookie: cookie, 'X-Save-Token': 'undefined' },
      { 'X-Save-Token': token },
      {},
    ];
    for (const headers of wrong) expect(await save(headers)).toBe(REFUSED);
  });

  test('refuses a login with a wrong password', async () => {
    const program = await start('session.mjs', { env });
    const { status, headers } = await login(program, 'open barley');
    expect(status).toBe(401);
    expect(headers['set-cookie']).toBeUndefined();
  });
});

describe('serve.mjs', () => {
  test('serves saved images with Cache-Control: no-cache', async () => {
    const program = await start('serve.mjs');
    await get(`${program.url}${SAVE}shoe.png`);
    const { status, headers, body } = await get(`${program.url}/saved/shoe.png`);
    expect(status).toBe(200);
    expect(body.subarray(1, 4).toString()).toBe('PNG');
    expect(headers).toMatchObject({
      'content-type': 'image/png',
      'cache-control': 'public, max-age=0',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
    const again = await get(`${program.url}/saved/shoe.png`, { headers: { 'If-None-Match': headers.etag } });
    expect(again.status).toBe(304);
  });

  test('serves each format as its own type', async () => {
    const types: [string, string][] = [
      ...['jpg', 'jpeg', 'jpe', 'jfif', 'JFIF'].map((end): [string, string] => [`a.${end}`, 'image/jpeg']),
      ...['png', 'webp', 'gif', 'tiff', 'avif'].map((end): [string, string] => [`a.${end}`, `image/${end}`]),
      ['a.tif', 'image/tiff'],
      ['a', 'application/octet-stream'],
    ];
    for (const [name] of types) writeFileSync(cwd('saved', name), await jpeg(2, 2));
    const program = await start('serve.mjs');
    for (const [name, type] of types) {
      const { headers } = await get(`${program.url}/saved/${name}`);
      expect([name, headers['content-type']]).toEqual([name, type]);
    }
  });

  test('hides temporary files, lists and files outside', async () => {
    writeFileSync(cwd('saved', '.image-save-0.tmp'), await png(2, 2));
    writeFileSync(cwd('secret.png'), await png(2, 2));
    const program = await start('serve.mjs');
    for (const path of ['.image-save-0.tmp', '', '..%2fsecret.png', '%2e%2e/secret.png']) {
      const { status } = await get(`${program.url}/saved/${path}`);
      expect([path, status]).toEqual([path, 404]);
    }
  });
});

test('tenants.mjs saves to the folder of the tenant with the key, and refuses other keys', async () => {
  for (const tenant of ['acme', 'globex']) mkdirSync(cwd('saved', tenant));
  const program = await start('tenants.mjs', { env: { KEY_ACME: 'one', KEY_GLOBEX: 'two' } });
  const save = async (name: string, key?: string): Promise<string> => {
    const headers = key === undefined ? {} : { Authorization: `Bearer ${key}` };
    return sent(await get(`${program.url}${SAVE}${name}`, { headers }));
  };
  expect(await save('shoe.png', 'one')).toBe('200 done');
  expect(await save('hat.png', 'two')).toBe('200 done');
  for (const key of [undefined, 'three', '../acme']) expect(await save('x.png', key)).toBe(REFUSED);
  expect(await save('../globex/x.png', 'one')).toBe('403 failed name-invalid');
  expect([list(cwd('saved/acme')), list(cwd('saved/globex')), list(cwd('saved'))]).toEqual([
    ['shoe.png'],
    ['hat.png'],
    ['acme', 'globex'],
  ]);
});

describe('client-addresses.mjs', () => {
  const env = { SAVE_FROM: '10.0.0.0/8, 192.0.2.7, 2001:db8::/32', PROXIES: 'loopback, 203.0.113.1' };

  const allowed = [
    ...['10.1.2.3', '192.0.2.7', '2001:db8::1'],
    // An IPv4 address in the form of IPv6.
    '::ffff:10.1.2.3',
    // What the trusted proxies have added stands at the end.
    ...['11.0.0.1, 10.1.2.3', '10.1.2.3, 203.0.113.1'],
  ];
  const refused = [
    ...['10.1.2.3, 11.0.0.1', '10.1.2.3, 11.0.0.1, 203.0.113.1'],
    ...['192.0.2.8', '2001:db9::1', '::ffff:11.0.0.1', '10.1.2.3:4567', 'unknown', ''],
  ];

  test('saves for the addresses of the list, as the trusted proxies say them', async () => {
    const program = await start('client-addresses.mjs', { env });
    for (const forwarded of [...allowed, ...refused]) {
      const headers = { 'X-Forwarded-For': forwarded };
      const answer = sent(await get(`${program.url}${SAVE}shoe.png`, { headers }));
      expect([forwarded, answer]).toEqual([forwarded, allowed.includes(forwarded) ? '200 done' : REFUSED]);
    }
    await program.printed(/not-authorized shoe\.png 192\.0\.2\.8 is not in SAVE_FROM/);
  });

  test('believes no X-Forwarded-For of a client that is no trusted proxy', async () => {
    const strict = { SAVE_FROM: '10.0.0.0/8', PROXIES: '203.0.113.1' };
    const program = await start('client-addresses.mjs', { env: strict });
    const headers = { 'X-Forwarded-For': '10.1.2.3' };
    expect(sent(await get(`${program.url}${SAVE}shoe.png`, { headers }))).toBe(REFUSED);
  });

  test.each([
    ['', 'Set SAVE_FROM'],
    ['10.0.0.0/33', 'ERR_OUT_OF_RANGE'],
    ['shoe', 'ERR_INVALID_ADDRESS'],
  ])('does not start with the list %j', async (list, why) => {
    const output = await run('client-addresses.mjs', { env: { SAVE_FROM: list } });
    expect(output).toContain(why);
  });
});

describe('from code', () => {
  test('upload.mjs saves the image of a form, once for a name, and says why it refuses', async () => {
    const program = await start('upload.mjs');
    const upload = async (name: string, image: Buffer): Promise<[number, Line]> => {
      const body = new FormData();
      body.set('image', new Blob([image]), 'their name.jpg');
      const response = await fetch(`${program.url}/upload/${name}`, { method: 'POST', body });
      return [response.status, (await response.json()) as Line];
    };
    const image = await jpeg();
    expect(await upload('shoe.jpg', image)).toEqual([200, expect.objectContaining({ length: image.length })]);
    expect(await upload('shoe.jpg', image)).toEqual([422, expect.objectContaining({ code: 'file-exists' })]);
    expect(await upload('half.jpg', image.subarray(0, -100))).toEqual([
      503,
      expect.objectContaining({ code: 'incomplete-image' }),
    ]);
    expect(list(cwd('saved'))).toEqual(['shoe.jpg']);
  });

  test('worker.mjs saves the jobs of its input, and tries again what may pass', async () => {
    let requests = 0;
    const image = await jpeg();
    const source = await startServer([
      (req, res) => {
        requests += 1;
        if (req.url === '/none') res.writeHead(404).end();
        else if (req.url === '/busy' && requests % 2 === 1) res.writeHead(503).end();
        else res.end(image);
      },
    ]);
    const jobs = ['busy', 'none'].map((path) => ({ source: `${source.url}/${path}`, name: `${path}.jpg` }));
    const worker = execFile(process.execPath, [file('worker.mjs')], { cwd: cwd() });
    let output = '';
    worker.stdout?.on('data', (text: string) => (output += text));
    worker.stdin?.end(jobs.map((job) => `${JSON.stringify(job)}\n`).join(''));
    await once(worker, 'close');
    expect(output.trim().split('\n').sort()).toEqual([
      'failed none.jpg renderer-status',
      expect.stringMatching(/^saved busy.jpg \d+$/),
    ]);
    expect(list(cwd('saved'))).toEqual(['busy.jpg']);
  });

  test('pages.mjs saves each page of a document', async () => {
    const pages = sharp(Buffer.alloc(8 * 12 * 3), {
      raw: { width: 8, height: 12, channels: 3, pageHeight: 6 },
    });
    await pages.tiff().toFile(cwd('scan.tif'));
    const { stdout } = await promisify(execFile)(process.execPath, [file('pages.mjs'), 'scan.tif'], {
      cwd: cwd(),
    });
    expect(stdout.trim().split('\n')).toEqual(['scan/1.jpg 8 × 6', 'scan/2.jpg 8 × 6']);
    expect(list(cwd('saved/scan'))).toEqual(['1.jpg', '2.jpg']);
  });
});
