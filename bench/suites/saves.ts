// Saves, compared with plain delivery and with hand-written routes: ready-made images, then a real renderer.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { compare, type Sampler } from '../comparison.js';
import { createApp, MODES, type BenchContext, type Mode } from '../context.js';
import { checkAndEmpty, createFolder } from '../saved-files.js';
import { startServer, takeSample, type Server } from '../server-process.js';

const PLAIN = 'plain delivery';
const SAVERS = ['hand-written, same guarantees', 'write-file-atomic and sharp'];

/** Name, mode, image, requests of a sample, rounds (more for small saves, which vary more) and other contestants. */
const ROWS: readonly (readonly [string, Mode, string, number, number, readonly string[]])[] = [
  ['20 KB', 'header', '20kb.jpg', 320, 20, [PLAIN, ...SAVERS]],
  ['200 KB', 'header', '200kb.jpg', 160, 20, [PLAIN, ...SAVERS]],
  ['5 MB', 'header', '5mb.jpg', 32, 16, [PLAIN, ...SAVERS]],
  ['20 KB', 'header, durable', '20kb.jpg', 160, 12, SAVERS],
  ['200 KB', 'pixels', '200kb.jpg', 48, 12, SAVERS],
  ['20 KB', 'default options', '20kb.jpg', 160, 12, SAVERS],
  ['renderer', 'header', 'scaled.jpg', 8, 12, [PLAIN]],
  ['renderer', 'default options', 'scaled.jpg', 8, 12, [PLAIN]],
];

/** Two processes of the same code can differ by a tenth, by what the compiler saw first. */
const PROCESSES = 2;

export async function saves(context: BenchContext): Promise<void> {
  const servers = new Map<string, readonly Server[]>();
  for (const contestant of [...context.compared, ...[PLAIN, ...SAVERS].map((name) => ({ name }))]) {
    const apps = Object.keys(MODES).map((mode) => createApp(contestant, mode as Mode, context));
    const started = Array.from({ length: PROCESSES }, () => startServer(apps, context));
    servers.set(contestant.name, await Promise.all(started));
  }
  const sample = async (server: Server, mode: Mode, image: string, requests: number): ReturnType<Sampler> => {
    const app = Object.keys(MODES).indexOf(mode);
    const { name, savePath } = server.apps[app]!;
    const { dir, path } = createFolder(savePath, image);
    const count = context.quick ? 8 : requests;
    // Flushes the disk, so that this sample does not pay for the writes of the one before.
    spawnSync('sync', ['-f', savePath]);
    const result = await takeSample(server.pools[app]!, path, count);
    // Plain delivery ignores the command.
    if (name !== PLAIN) checkAndEmpty(dir, count, join(context.memoryDir, image));
    return result;
  };
  const all = [...servers.values()].flat();
  // V8 compiles code after some thousand runs.
  for (const server of all) await sample(server, 'header', '20kb.jpg', 3000);
  for (const [title, mode, image, requests, rounds, others] of ROWS) {
    const createSampler = (contestant: string, index: number): Sampler => {
      // The subject's processes alternate, and those of the others change after all of them: each meets each.
      const turns = index === 0 ? 1 : PROCESSES;
      return (round) => {
        const turn = Math.floor(Math.abs(round) / turns) % PROCESSES;
        return sample(servers.get(contestant)![turn]!, mode, image, requests);
      };
    };
    const names = [...context.compared.map(({ name }) => name), ...others];
    const contestants = new Map(names.map((name, index) => [name, createSampler(name, index)]));
    await compare(`${title}, ${mode}`, contestants, rounds, context);
  }
  await Promise.all(all.map(({ stop }) => stop()));
}
