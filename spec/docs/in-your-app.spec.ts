// The programs of docs/in-your-app.md: the TypeScript compiles and saves, the tests pass.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { get } from '../support/client.js';
import { makeProject, startProgram, stopPrograms } from '../support/project.js';
import { makeTempDir, removeTempDirs } from '../support/temp-dir.js';
import { blocks, read } from './markdown.js';

const TSC = join(process.cwd(), 'node_modules/typescript/bin/tsc');
const page = blocks(read('docs/in-your-app.md'));
const textOf = (language: string): string => page.find((block) => block.language === language)?.text ?? '';
const app = textOf('ts');

let project: string;
beforeAll(() => {
  project = makeProject(['@types/express', 'supertest']);
});
afterEach(stopPrograms);
afterAll(removeTempDirs);

/** The other way to give `req` a field, of which the text below the program speaks. */
const LOCAL_FIELD = `
interface WithTenant extends Request { tenant: string }
const local = imageSave<WithTenant>({ savePath: (req) => req.tenant });
// @ts-expect-error other requests lack the field
app.use(local);
`;

test('the TypeScript compiles', () => {
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'app.ts'), app + LOCAL_FIELD);
  const options = { module: 'nodenext', target: 'es2022', types: ['node'], strict: true, skipLibCheck: true };
  const compilerOptions = { ...options, exactOptionalPropertyTypes: true, noEmit: true };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }));
  const compile = (): Buffer => execFileSync(process.execPath, [TSC, '-p', project], { stdio: 'pipe' });
  expect(compile).not.toThrow();
});

describe('app.ts', () => {
  test('saves for a tenant, and refuses other requests and private names', async () => {
    const cwd = makeTempDir();
    mkdirSync(join(cwd, 'saved/acme'), { recursive: true });
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const { outputText } = ts.transpileModule(app, { compilerOptions });
    const file = join(project, 'app.mjs');
    writeFileSync(file, `${outputText}\napp.listen(3000);\n`);
    const program = await startProgram(file, { cwd });
    const save = async (name: string, headers = {}): Promise<string | undefined> => {
      const url = `${program.url}/is/image/shoe?req=saveToFile&name=${name}`;
      const { reply } = await get(url, { headers });
      return reply.error?.code ?? reply.status;
    };
    expect(await save('shoe.png', { 'x-tenant': 'acme' })).toBe('done');
    expect(existsSync(join(cwd, 'saved/acme/shoe.png'))).toBe(true);
    expect(await save('shoe.png')).toBe('not-authorized');
    expect(await save('private/shoe.png', { 'x-tenant': 'acme' })).toBe('not-authorized');
    expect(await save('shoe.png', { 'x-tenant': 'globex' })).toBe('saving-disabled');
    await program.printed(/\/shoe shoe\.png saving-disabled/);
  });
});

describe('app.test.mjs', () => {
  test('passes', async () => {
    const file = join(project, 'app.test.mjs');
    writeFileSync(file, textOf('js'));
    const { stdout: output } = await promisify(execFile)(process.execPath, [file], { cwd: project });
    expect(output).toMatch(/^(?:#|ℹ) pass 2$/m);
    expect(output).toMatch(/^(?:#|ℹ) fail 0$/m);
  });
});
