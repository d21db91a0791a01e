// The programs of docs/in-your-app.md: the TypeScript compiles and saves, the tests of the recipe pass.
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { get } from '../support/client.js';
import { useProject } from '../support/project.js';
import { blocks, read } from './markdown.js';

const TSC = join(process.cwd(), 'node_modules/typescript/bin/tsc');
const app = blocks(read('docs/in-your-app.md')).find(({ language }) => language === 'ts')?.text ?? '';

const { file, cwd, start } = useProject(['@types/express', 'supertest']);

/** The other way to give `req` a field, of which the text below the program speaks. */
const LOCAL_FIELD = `
interface WithTenant extends Request { tenant: string }
const local = imageSave<WithTenant>({ savePath: (req) => req.tenant });
// @ts-expect-error other requests lack the field
app.use(local);
`;

test('the TypeScript compiles', () => {
  writeFileSync(file('package.json'), '{ "type": "module" }');
  writeFileSync(file('app.ts'), app + LOCAL_FIELD);
  const options = { module: 'nodenext', target: 'es2022', types: ['node'], strict: true, skipLibCheck: true };
  const compilerOptions = { ...options, exactOptionalPropertyTypes: true, noEmit: true };
  writeFileSync(file('tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }));
  const compile = (): Buffer => execFileSync(process.execPath, [TSC, '-p', file()], { stdio: 'pipe' });
  expect(compile).not.toThrow();
});

test('app.ts saves for a tenant, and refuses other requests and private names', async () => {
  mkdirSync(cwd('saved/acme'));
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(app, { compilerOptions });
  writeFileSync(file('app.mjs'), `${outputText}\napp.listen(3000);\n`);
  const program = await start('app.mjs');
  const save = async (name: string, headers = {}): Promise<string | undefined> => {
    const url = `${program.url}/is/image/shoe?req=saveToFile&name=${name}`;
    const { reply } = await get(url, { headers });
    return reply.error?.code ?? reply.status;
  };
  expect(await save('shoe.png', { 'x-tenant': 'acme' })).toBe('done');
  expect(existsSync(cwd('saved/acme/shoe.png'))).toBe(true);
  expect(await save('shoe.png')).toBe('not-authorized');
  expect(await save('private/shoe.png', { 'x-tenant': 'acme' })).toBe('not-authorized');
  expect(await save('shoe.png', { 'x-tenant': 'globex' })).toBe('saving-disabled');
  await program.printed(/\/shoe shoe\.png saving-disabled/);
});

test('app-test.mjs passes', async () => {
  copyFileSync('docs/recipes/app-test.mjs', file('app-test.mjs'));
  const { stdout: output } = await promisify(execFile)(process.execPath, ['app-test.mjs'], { cwd: file() });
  expect(output).toMatch(/^(?:#|ℹ) pass 2$/m);
  expect(output).toMatch(/^(?:#|ℹ) fail 0$/m);
});
