// In place of lib/image/decoder/program.ts: the built program of a decoder process, which starts three times as fast.
import { join } from 'node:path';
import { packageBuild } from './package-build.js';

export function getDecoderProgram(): string[] {
  return [join(packageBuild(), 'dist/image/decoder/process.js')];
}
