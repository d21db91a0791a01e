// The package as npm packs it: its contents, and every way to import it.
import { spawnSync, type SpawnSyncOptions } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
import { installed } from '../../support/project.js';
import { linkDir, makeTempDir, removeTempDirs } from '../../support/temp-dir.js';

const root = process.cwd();
// By their scripts, because npm's commands differ from system to system.
const PUBLINT = join(installed('publint'), 'src/cli.js');
const ATTW = join(installed('@arethetypeswrong/cli'), 'dist/index.js');
const JEST = join(root, 'node_modules/jest/bin/jest.js');
const TSC = join(root, 'node_modules/typescript/bin/tsc');
let packed: string;
let files: string[];
let unpacked: string;

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. A failure throws an error that shows the output. */
function run(command: string, args: string[], options: SpawnSyncOptions): Output {
  const { status, stdout, stderr, error } = spawnSync(command, args, { ...options, encoding: 'utf8' });
  if (error ?? status !== 0)
    throw new Error(`${command} ${args.join(' ')}\n${stdout}\n${stderr}`, { cause: error });
  return { stdout, stderr };
}

/** Runs a script in a folder, on the Node that runs this. */
function runNode(cwd: string, ...args: string[]): string {
  return run(process.execPath, args, { cwd }).stdout;
}

/** Runs npm, which is a script on Windows: there a shell runs it, so what would need quotes goes by the environment. */
function runNpm(cwd: string, args: string[], env: Record<string, string> = {}): Output {
  return run('npm', args, { cwd, shell: process.platform === 'win32', env: { ...process.env, ...env } });
}

beforeAll(() => {
  const folder = makeTempDir();
  // npm itself builds dist/, as for a release.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const { stdout } = runNpm(root, ['pack', '--json', '--foreground-scripts=false'], {
    npm_config_pack_destination: folder,
  });
  const [pack] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packed = join(folder, pack.filename);
  files = pack.files.map((file) => file.path);
  // By a name without a drive letter, which some tools would take for a host name.
  run('tar', ['-xzf', pack.filename], { cwd: folder });
  unpacked = join(folder, 'package');
});
afterAll(removeTempDirs);

/** A project with the package, its peers and these files, and with the AWS SDK only on request. */
function consumer(sources: Record<string, string>, more: readonly '@aws-sdk'[] = []): string {
  const folder = makeTempDir();
  mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true });
  cpSync(unpacked, join(folder, 'node_modules', 'express-image-save'), { recursive: true });
  const needed = 'sharp properties-file express supertest @types/node @types/express jest @types/jest';
  for (const name of [...needed.split(' '), ...more]) {
    linkDir(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
  for (const [name, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const SAVE = `
const express = require('express');
const request = require('supertest');
const sharp = require('sharp');
const { mkdtempSync, readdirSync } = require('fs');
const { imageSave, parseReply, saveOf } = require('express-image-save');
async function save() {
  const folder = mkdtempSync(require('path').join(__dirname, 'saved-'));
  const app = express();
  app.use(imageSave({ savePath: folder }));
  app.use(async (req, res) => {
    const image = await sharp({ create: { width: 5, height: 4, channels: 3, background: 'red' } }).png().toBuffer();
    res.type('png').send(image);
  });
  const response = await request(app).get('/x?req=saveToFile&name=x.png').expect(200);
  return { reply: parseReply(response.text), files: readdirSync(folder) };
}
module.exports = { save };
`;

test('contains exactly the build and the documentation', () => {
  const unexpected = files.filter(
    (file) =>
      !/^(dist\/(([a-z0-9-]+\/)*[a-z0-9-]+\.(js|d\.ts)|(index|fetch|sign|s3|store-tests|batch)\.(mjs|d\.mts)|demo\/(main\.mjs|page\/[a-z]+\.(html|css|js|svg)|pictures\/([a-z]+\.(jpg|webp)|README\.md))|package\.json|THIRD-PARTY-LICENSES\.txt)|docs\/(([a-z-]+|README)\.(md|svg)|recipes\/([a-z-]+\.(mjs|conf|yaml)|Dockerfile)|clients\/[sS]ave\.(sh|py|java)))$/.test(
        file,
      ),
  );
  expect(unexpected.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']);
  expect(files).toEqual(
    expect.arrayContaining(['dist/index.js', 'dist/index.mjs', 'dist/index.d.ts', 'dist/index.d.mts']),
  );
});

test('npm installs the package without warning of install scripts', () => {
  const { scripts } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  // `prepare` is one of them where the package comes from a file or from git. npm before 11 runs them without a word.
  const installing = ['preinstall', 'install', 'postinstall', 'prepare'];
  expect(Object.keys(scripts).filter((name) => installing.includes(name))).toEqual([]);

  const project = makeTempDir();
  // A dependency without code, so that nothing is downloaded.
  mkdirSync(join(project, 'properties-file'));
  const { version } = JSON.parse(
    readFileSync(join(root, 'node_modules/properties-file/package.json'), 'utf8'),
  ) as { version: string };
  writeFileSync(
    join(project, 'properties-file/package.json'),
    JSON.stringify({ name: 'properties-file', version }),
  );
  const dependencies = {
    'express-image-save': `file:${packed}`,
    'properties-file': 'file:properties-file',
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify({ dependencies }));
  const { stdout, stderr } = runNpm(project, ['install', '--offline', '--legacy-peer-deps']);
  expect(stdout + stderr).not.toMatch(/script/i);
  expect(existsSync(join(project, 'node_modules/express-image-save/dist/index.js'))).toBe(true);
}, 60_000);

test('passes publint and attw', () => {
  runNode(root, PUBLINT, '--strict', packed);
  runNode(root, ATTW, packed);
});

test('every entry point has its exports, by import and by require from one copy, and only s3 loads the AWS SDK', () => {
  const folder = consumer(
    {
      'x.mjs': `
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const clients = () => Object.keys(require.cache).filter((file) => file.includes('@aws-sdk')).length;
      for (const entry of ['express-image-save', 'express-image-save/fetch', 'express-image-save/sign', 'express-image-save/store-tests', 'express-image-save/batch', 'express-image-save/s3']) {
        const [imported, required] = [await import(entry), require(entry)];
        const names = Object.keys(imported).sort();
        if (Object.keys(required).sort().join() !== names.join()) throw new Error('other names');
        if (names.some((name) => imported[name] !== required[name])) throw new Error('two copies');
        console.log(JSON.stringify([names, clients() > 0]));
      }
      const { default: imageSave, imageSave: named } = await import('express-image-save');
      if (imageSave !== named) throw new Error('another default');`,
    },
    ['@aws-sdk'],
  );
  expect(
    runNode(folder, 'x.mjs')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    [['SaveError', 'createImageSaver', 'default', 'imageSave', 'isRetryable', 'parseReply', 'saveOf'], false],
    [['imageSave', 'saveOf'], false],
    [['createSigner'], false],
    [['storeTests'], false],
    [['saveAll'], false],
    [['s3Store'], true],
  ]);
});

test('a default import of compiled CommonJS, which for Bun is exports.default, costs no export', () => {
  const dist = join(unpacked, 'dist');
  const { outputFiles } = buildSync({
    stdin: { contents: readFileSync(join(dist, 'index.mjs'), 'utf8'), resolveDir: dist },
    ...{ bundle: true, format: 'cjs', platform: 'node', packages: 'external', write: false },
  });
  const kinds = "Object.values(require('./x.cjs')).map((each) => typeof each).join(' ')";
  const folder = consumer({ 'x.cjs': outputFiles[0]!.text });
  expect(runNode(folder, '-p', kinds)).toBe(`${Array<string>(7).fill('function').join(' ')}\n`);
});

test('the command and saveAll run where neither sharp nor express is, and the middleware loads neither of them', () => {
  const folder = makeTempDir();
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  cpSync(unpacked, join(modules, 'express-image-save'), { recursive: true });
  linkDir(join(root, 'node_modules/properties-file'), join(modules, 'properties-file'));
  const cli = join(modules, 'express-image-save/dist/cli.js');
  writeFileSync(join(folder, 'jobs.txt'), '/x?wid=1 x.png\n');
  const command = [cli, 'batch', 'jobs.txt', '--server', 'http://host', '--dry-run'];
  expect(runNode(folder, ...command)).toBe('http://host/x?wid=1&req=saveToFile&name=x.png\n');
  writeFileSync(
    join(folder, 'x.mjs'),
    `import { saveAll } from 'express-image-save/batch';
    for await (const { code } of saveAll([{ url: 'x', name: 'x' }])) console.log(code);`,
  );
  expect(runNode(folder, 'x.mjs')).toBe('invalid-job\n');
  expect(runNode(folder, '-p', `typeof require('express-image-save/sign').createSigner`)).toBe('function\n');

  const loaded = `
    for (const entry of ['', '/fetch', '/sign']) require('express-image-save' + entry);
    const parts = Object.keys(require.cache).filter((file) => /dist.(batch|cli)|commander|cli-progress|node_modules.express[^-]/.test(file));
    console.log(parts.length);`;
  expect(runNode(consumer({ 'x.cjs': loaded }), 'x.cjs')).toBe('0\n');
});

test('a file tracer, as of Next, finds everything that a decoder process needs', () => {
  const folder = consumer({
    'app.mjs': "import { imageSave } from 'express-image-save'; imageSave();",
    'trace.cjs': `
      const { nodeFileTrace } = require(${JSON.stringify(installed('@vercel/nft'))});
      const base = require('node:path').parse(__dirname).root;
      nodeFileTrace([__dirname + '/app.mjs'], { base }).then(({ fileList }) => {
        console.log(JSON.stringify([...fileList].map((file) => file.replaceAll('\\\\', '/'))));
      });`,
  });
  const traced = JSON.parse(runNode(folder, 'trace.cjs')) as string[];
  const parts = [/\/dist\/image\/decoder\/process\.js$/, /\/check-image\.js$/, /\/sharp-.*\.node$/];
  expect(parts.filter((part) => !traced.some((file) => part.test(file)))).toEqual([]);
});

test("a decoder process starts with the resolver of Yarn's Plug'n'Play", () => {
  const folder = consumer({
    'node_modules/pnpapi/index.js':
      "if (process.argv[1]?.endsWith('process.js')) require('fs').writeFileSync(__dirname + '/used', '');",
    'save.cjs': SAVE,
    'app.cjs': `
      Object.defineProperty(process.versions, 'pnp', { value: '3' });
      process.on('warning', ({ code }) => console.log(code));
      require('./save.cjs').save().then(({ reply }) => console.log(reply.status));`,
  });
  expect(runNode(folder, 'app.cjs')).toBe('done\n');
  expect(existsSync(join(folder, 'node_modules/pnpapi/used'))).toBe(true);
});

test('carries the licence of every package that is bundled', () => {
  const licences = readFileSync(join(unpacked, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8');
  const bundled = [
    ...readFileSync(join(unpacked, 'dist/cli.js'), 'utf8').matchAll(/^\/\/ node_modules\/([\w.-]+)\//gm),
  ];
  const names = [...new Set(bundled.map(([, name = '']) => name))];
  expect(names).toEqual(expect.arrayContaining(['commander', 'cli-progress']));
  expect(names.filter((name) => !new RegExp(`^${name} \\d`, 'm').test(licences))).toEqual([]);
});

test('a separate copy of the package finds the same saves', () => {
  const folder = consumer({
    'x.mjs': `
      import { createRequire } from 'node:module';
      import http from 'node:http';
      import { mkdtempSync } from 'node:fs';
      import * as imported from 'express-image-save';
      const require = createRequire(import.meta.url);
      const required = require('express-image-save');
      const apart = require('./apart/dist/index.js');
      console.log(imported.saveOf === apart.saveOf);
      const savePath = mkdtempSync('saved-');
      for (const [mounted, asked] of [[imported, apart], [apart, required]]) {
        const middleware = mounted.imageSave({ savePath });
        const server = http.createServer((req, res) => middleware(req, res, () => asked.saveOf(res).refuse('seen')));
        await new Promise((resolve) => server.listen(0, resolve));
        const answer = await fetch('http://127.0.0.1:' + server.address().port + '/?req=saveToFile&name=x.png');
        console.log(imported.parseReply(await answer.text()).error.message.includes('seen'));
        server.close();
        server.closeAllConnections();
      }`,
  });
  cpSync(unpacked, join(folder, 'apart'), { recursive: true });
  expect(runNode(folder, 'x.mjs')).toBe('false\ntrue\ntrue\n');
});

test.each([
  [
    'CommonJS',
    [],
    "const { save } = require('./save.cjs'); const { imageSave } = require('express-image-save');",
  ],
  [
    'module',
    ['--experimental-vm-modules'],
    "import { imageSave } from 'express-image-save'; import saves from './save.cjs'; const { save } = saves;",
  ],
])('a jest suite in %s mode saves and reads the reply', (mode, flags, imports) => {
  const folder = consumer({
    'package.json': JSON.stringify({ type: mode.toLowerCase() }),
    'save.cjs': SAVE,
    'save.test.js': `
      ${imports}
      test('saves', async () => {
        expect(typeof imageSave({})).toBe('function');
        const { reply, files } = await save();
        expect(reply).toMatchObject({ status: 'done', pixelsTotal: 20 });
        expect(files).toEqual(['x.png']);
      });`,
  });
  runNode(folder, ...flags, JEST, '--rootDir', folder);
});

const TYPED = `
import express, { type Request } from 'express';
import http from 'node:http';
import { storeTests } from 'express-image-save/store-tests';
import { imageSave as wrap, saveOf as saveOfRequest } from 'express-image-save/fetch';
import { createSigner, type Signer } from 'express-image-save/sign';
import { saveAll, type SaveAllOptions, type SaveJob, type SaveResult } from 'express-image-save/batch';
import imageSaveByDefault, { createImageSaver, imageSave, saveOf, type ImageSaver, type SavedImage, SaveError, parseReply, type ImageStore, type ImageSaveOptions, type SaveRecord, type SaveReply } from 'express-image-save';
const options: ImageSaveOptions = { savePath: 'x', timeout: undefined, onSave: (record: SaveRecord) => console.log(record.outcome, record.code) };
const app = express();
app.use(imageSave(options), imageSaveByDefault());
app.use('/x', imageSave<Request>({ savePath: (req) => req.hostname, authorize: async (req, { name }) => req.path === name }));
app.get('/', (_req, res) => { const signal: AbortSignal | undefined = saveOf(res)?.signal; saveOf(res)?.refuse('x'); res.json(signal?.aborted); });
const middleware = imageSave();
http.createServer((req, res) => middleware(req, res, () => res.end()));
const reply: SaveReply = parseReply('status=done');
const pixels: number | undefined = reply.pixelsTotal;
if (options instanceof SaveError) console.log(options.code satisfies string, pixels);
const store: ImageStore = { prepare: async (name, { overwrite }) => ({ publish: async ({ bytes }, { commit }) => (commit(), { lastUpdated: bytes.length + name.length + Number(overwrite) }) }) };
storeTests({ open: async () => ({ store, read: async () => undefined, list: async () => [], close: async () => undefined }) });
const batch: SaveAllOptions = { server: 'http://x', header: ['A: 1'], ledger: undefined };
const jobs: SaveJob[] = [{ url: '/x', name: 'x.jpg' }];
async function run(): Promise<void> { for await (const result of saveAll(jobs, batch)) { const each: SaveResult = result; console.log(each.status, each.code); } }
void run();
const signer: Signer = createSigner({ keys: [new Uint8Array(32), 'older'] });
app.use(imageSave({ store, authorize: signer.authorize }));
const handle = wrap((request: globalThis.Request, env: { a: string }) => new Response(saveOfRequest(request)?.name ?? env.a), { store, mount: '/x', authorize: signer.authorize, onSave: (_record, request) => console.log(request.headers.get('a')) });
const answer: Response | Promise<Response> = handle(new globalThis.Request(signer.sign('http://x/x', { name: 'x.jpg', expires: new Date() })), { a: 'b' });
const saver: ImageSaver = createImageSaver({ store, onSave: (record) => console.log(record.code) });
const saved: Promise<SavedImage> = saver(Buffer.from(''), { name: 'x.jpg', timeout: 1, signal: AbortSignal.timeout(1) });
console.log(answer, saved, handle.running + saver.waiting, handle.check(), saver.idle());
const perTenant: ImageStore<Request> = { prepare: async (name, { req, ...options }) => store.prepare(name + req.hostname, { req, ...options }) };
app.use(imageSave({ store: perTenant }));
// @ts-expect-error there is no such option
imageSave({ savepath: 'x' });
// @ts-expect-error there is no handler
wrap({ savePath: 'x' });
// @ts-expect-error there is no request
createImageSaver({ authorize: () => true });
// @ts-expect-error a signed URL expires
signer.sign('/x', { name: 'x.jpg' });
`;

const WITH_S3 = `${TYPED}
import { S3Client } from '@aws-sdk/client-s3';
import { s3Store, type S3StoreOptions } from 'express-image-save/s3';
const bucket: S3StoreOptions = { client: new S3Client({ region: 'x' }), bucket: 'x', prefix: undefined };
imageSave({ store: s3Store(bucket) });
s3Store({ ...bucket, object: { CacheControl: 'no-cache', Metadata: { a: 'b' } } });
s3Store({ ...bucket, object: ({ name, type, width, height }) => ({ CacheControl: name + type + width * height }) });
${['Bucket', 'Key', 'Body', 'ContentLength', 'ContentType', 'ChecksumCRC32', 'IfNoneMatch']
  .map(
    (field) =>
      `// @ts-expect-error the store sets it itself\ns3Store({ ...bucket, object: { ${field}: 'x' as never } });`,
  )
  .join('\n')}
// @ts-expect-error the store does not wait for it
s3Store({ ...bucket, object: async () => ({ CacheControl: 'no-cache' }) });
`;

const NODE_NEXT = { module: 'nodenext', moduleResolution: 'nodenext' };
const BUNDLER = { module: 'esnext', moduleResolution: 'bundler' };

test.each([
  ['nodenext, ESM', 'module', NODE_NEXT, TYPED],
  ['nodenext, CommonJS', 'commonjs', NODE_NEXT, TYPED],
  ['node16, CommonJS', 'commonjs', { module: 'node16', moduleResolution: 'node16' }, TYPED],
  ['bundler, ESM', 'module', BUNDLER, TYPED],
  ['bundler, CommonJS', 'commonjs', { module: 'commonjs', moduleResolution: 'bundler' }, TYPED],
  ['nodenext, ESM, with S3', 'module', NODE_NEXT, WITH_S3],
  ['nodenext, CommonJS, with S3', 'commonjs', NODE_NEXT, WITH_S3],
  ['bundler, ESM, with S3', 'module', BUNDLER, WITH_S3],
])('TypeScript finds the types for %s', (_name, type, options, source) => {
  const folder = consumer(
    {
      'package.json': JSON.stringify({ type }),
      'x.ts': source,
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          ...options,
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          esModuleInterop: true,
          target: 'es2022',
          types: ['node'],
          noEmit: true,
        },
        files: ['x.ts'],
      }),
    },
    source === WITH_S3 ? ['@aws-sdk'] : [],
  );
  runNode(folder, TSC, '-p', folder);
});

test('names exactly the dependencies that it uses', () => {
  const { dependencies, peerDependencies } = JSON.parse(
    readFileSync(join(unpacked, 'package.json'), 'utf8'),
  ) as Record<string, Record<string, string>>;
  const named = [...Object.keys(dependencies ?? {}), ...Object.keys(peerDependencies ?? {})].sort();
  const used = new Set<string>();
  for (const file of files.filter((name) => name.startsWith('dist') && name.endsWith('.js'))) {
    for (const [, from = ''] of readFileSync(join(unpacked, file), 'utf8').matchAll(
      /require\("([^."][^"]*)"\)/g,
    )) {
      // Packages that are bundled name Node's modules without `node:`.
      if (!isBuiltin(from)) used.add(/^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? '');
    }
  }
  expect([...used].sort()).toEqual(named);
  expect(existsSync(join(unpacked, 'dist/package.json'))).toBe(true);
});
