// Requests that are no saves: with and without the middleware.
import { compare } from '../comparison.js';
import { createApp, type BenchContext } from '../context.js';
import { startServer, takeSample } from '../server-process.js';

export async function passThrough(context: BenchContext): Promise<void> {
  const all = [...context.compared, { name: 'without the middleware' }];
  // All in one process: two processes of the same code differ by more than the middleware costs.
  const apps = all.map((contestant) => createApp(contestant, 'header', context));
  const { pools, stop } = await startServer(apps, context);
  const sample = (app: number, requests: number): ReturnType<typeof takeSample> =>
    takeSample(pools[app]!, () => '/short', context.quick ? 50 : requests);
  for (const app of all.keys()) await sample(app, 4000);
  const contestants = new Map(all.map(({ name }, app) => [name, () => sample(app, 1000)]));
  await compare('ordinary request', contestants, 24, context);
  await stop();
}
