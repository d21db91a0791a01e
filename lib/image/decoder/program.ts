// Where the program of a decoder process is, and how Node runs it.
import { existsSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The arguments with which Node runs the program. It is next to this file, and in the same language.
 *
 * @throws Error There is no such file.
 */
export function getDecoderProgram(): string[] {
  const here = ownPath();
  const program = join(dirname(here), `process${extname(here)}`);
  // A bundler may have omitted the file. Node's own message about that would go to an ignored stream.
  if (!existsSync(program)) throw new Error(`There is no ${program}`);
  // The sources are TypeScript, which the demo runs as they are.
  return program.endsWith('.ts') ? ['--import', 'tsx', program] : [program];
}

/**
 * The path of this file. As published it is CommonJS; the sources are modules under some loaders, where only a stack
 * says it.
 */
function ownPath(): string {
  if (typeof __filename === 'string') return __filename;
  const frame = (new Error().stack ?? '').split('\n')[1] ?? '';
  const [, place = ''] = /((?:file:|\/|[A-Za-z]:\\).*?):\d+:\d+\)?$/.exec(frame) ?? [];
  return place.startsWith('file:') ? fileURLToPath(place) : place;
}
