// Saves, compared with plain delivery and with hand-written routes: ready-made images, then a real renderer.
import { compare, type Sampler } from '../comparison.js';
import { createApp, MODES, nameLibraries, scale, type BenchContext, type Mode } from '../context.js';
import { ServerProcess, takeSample, type Work } from '../server-process.js';

const SAVERS = ['hand-written, same guarantees', 'write-file-atomic and sharp'] as const;
const ALL = ['plain delivery', ...SAVERS] as const;

const work = (image: string, requests: number, connections = 16): Work => ({ image, requests, connections });

/** Image, mode, the work of a sample, rounds (more for small saves, which vary more) and other contestants. */
const ROWS: readonly (readonly [string, Mode, Work, number, readonly (typeof ALL)[number][]])[] = [
  ['20 KB', 'header', work('20kb.jpg', 320), 20, ALL],
  ['200 KB', 'header', work('200kb.jpg', 160), 20, ALL],
  ['5 MB', 'header', work('5mb.jpg', 32), 16, ALL],
  ['20 KB', 'header, durable', work('20kb.jpg', 160), 12, SAVERS],
  ['200 KB', 'pixels', work('200kb.jpg', 48), 12, SAVERS],
  ['20 KB', 'default options', work('20kb.jpg', 160), 12, SAVERS],
  ['renderer', 'header', work('scaled.jpg', 8, 4), 12, ['plain delivery']],
  ['renderer', 'default options', work('scaled.jpg', 8, 4), 12, ['plain delivery']],
];

/** Two processes of the same code can differ by a tenth, by what the compiler saw first. */
const PROCESSES = 2;

export async function saves(context: BenchContext): Promise<void> {
  const libraries = nameLibraries(context);
  const processes = new Map<string, readonly ServerProcess[]>();
  for (const [name, each] of [...libraries, ...ALL.map((other) => [other, other] as const)]) {
    const settings = { apps: MODES.map((mode) => createApp(each, mode, context)), images: context.images };
    const started = Array.from({ length: PROCESSES }, () => ServerProcess.start(settings));
    processes.set(name, await Promise.all(started));
  }
  // V8 compiles code after some thousand runs.
  const warmUp = work('20kb.jpg', scale(context, 3000, 16));
  for (const server of [...processes.values()].flat()) await takeSample(server, 0, warmUp);
  for (const [name, mode, { image, requests, connections }, rounds, others] of ROWS) {
    const scaled = work(image, scale(context, requests, connections), connections);
    const createSampler = (contestant: string, index: number): Sampler => {
      // The subject's processes alternate, and those of the others change after all of them: each meets each.
      const turns = index === 0 ? 1 : PROCESSES;
      return (round) => {
        const turn = Math.floor(Math.abs(round) / turns) % PROCESSES;
        return takeSample(processes.get(contestant)![turn]!, MODES.indexOf(mode), scaled);
      };
    };
    const names = [...libraries.map(([library]) => library), ...others];
    const contestants = new Map(names.map((each, index) => [each, createSampler(each, index)]));
    await compare({ title: `${name}, ${mode}`, contestants, rounds: scale(context, rounds, 2) }, context);
  }
  await Promise.all([...processes.values()].flat().map((server) => server.stop()));
}
