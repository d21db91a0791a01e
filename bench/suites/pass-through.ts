// Requests that are no saves: with and without the middleware.
import { compare, type Sampler } from '../comparison.js';
import { createApp, nameLibraries, scale, type BenchContext } from '../context.js';
import { ServerProcess, takeSample } from '../server-process.js';

export async function passThrough(context: BenchContext): Promise<void> {
  const all = [...nameLibraries(context), ['without the middleware', 'plain delivery'] as const];
  // All in one process: two processes of the same code differ by more than the middleware costs.
  const apps = all.map(([, saves]) => createApp(saves, 'header', context));
  const server = await ServerProcess.start({ apps, images: context.images });
  const sample = (app: number, requests: number): ReturnType<Sampler> =>
    takeSample(server, app, {
      ...{ image: 'short', connections: 16, save: false },
      requests: scale(context, requests, 16),
    });
  for (const app of apps.keys()) await sample(app, 4000);
  const contestants = new Map(all.map(([name], app) => [name, () => sample(app, 1000)]));
  await compare({ title: 'ordinary request', contestants, rounds: scale(context, 24, 2) }, context);
  await server.stop();
}
