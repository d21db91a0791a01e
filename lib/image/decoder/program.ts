// Where the program of a decoder process is, and how Node runs it.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * The arguments with which `process.execPath` runs the program.
 *
 * @throws Error There is no such file, or `process.execPath` is an application, which would start a second time.
 */
export function getDecoderProgram(): string[] {
  if (isApplication()) throw new Error('process.execPath is an application, not Node');
  // File tracers (of Next, Vercel, Nitro) follow a literal name.
  const program = join(__dirname, 'process.js');
  if (existsSync(program)) {
    // Under Yarn's Plug'n'Play, packages are in zip files, which a process reads only with Yarn's own resolver.
    const resolver = process.versions['pnp'] === undefined ? [] : ['--require', resolvePackage('pnpapi')];
    return [...resolver, program];
  }
  // The sources, which some specs run as they are. The process has another working directory.
  const source = join(__dirname, 'process.ts');
  if (existsSync(source)) return ['--import', pathToFileURL(resolvePackage('tsx')).href, source];
  // A bundler has omitted the file.
  throw new Error(`There is no ${program}`);
}

/** The file of a package. Asked for when needed: in a bundle of ES modules there is no `__filename`. */
function resolvePackage(name: string): string {
  return createRequire(__filename).resolve(name);
}

/**
 * Whether this process is a single executable application (of Node, pkg, nexe and the like), or Bun, whose child could
 * not open the socket to its host.
 */
function isApplication(): boolean {
  const sea = process.getBuiltinModule('node:sea') as { isSea(): boolean } | undefined;
  if (sea?.isSea() === true || 'pkg' in process || '__nexe' in process) return true;
  // Electron's program is named as the application, and runs as Node with a variable.
  return process.versions['electron'] === undefined && !/^\W*(node|deno)/i.test(basename(process.execPath));
}
