// The program of a decoder process, as the sources run it: elsewhere the specs use the built one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type * as DecoderProgram from '../../../../lib/image/decoder/program.js';

// Without `.js`, the preset does not put the specs' own in its place.
const { getDecoderProgram } = jest.requireActual<typeof DecoderProgram>(
  '../../../../lib/image/decoder/program',
);

it('starts from the sources and says that it is ready', async () => {
  const program = getDecoderProgram();
  expect(program.at(-1)).toMatch(/lib[/\\]image[/\\]decoder[/\\]process\.ts$/);
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  const [message] = (await once(child.stdio[3]!, 'data')) as [Buffer];
  expect(JSON.parse(message.toString())).toEqual({ ready: true, memory: expect.any(Number) as number });
  child.kill('SIGKILL');
  await once(child, 'exit');
});
