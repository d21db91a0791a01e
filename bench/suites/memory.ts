// The memory of a server while it saves a streamed image: it must not grow with the image.
import { createApp, type BenchContext } from '../context.js';
import { digits, table } from '../format.js';
import { ServerProcess, takeSample } from '../server-process.js';
import { median } from '../statistics.js';

const SIZES = ['12mb.tif', '120mb.tif'];

export async function memory(context: BenchContext): Promise<void> {
  if (process.platform !== 'linux') return;
  const { images, libraries, print } = context;
  const contestants = [
    ['plain delivery', 'plain delivery', 'header'] as const,
    ...libraries.flatMap(({ name, path }) =>
      (['header', 'pixels'] as const).map((mode) => [`${name}, ${mode}`, { library: path }, mode] as const),
    ),
  ];
  const rows: string[][] = [];
  for (const [name, saves, mode] of contestants) {
    const peaks: number[][] = SIZES.map(() => []);
    // New processes: an allocator keeps memory that a process has used once.
    for (let run = 0; run < (context.quick ? 1 : 3); run++) {
      const server = await ServerProcess.start({ apps: [createApp(saves, mode, context)], images });
      await takeSample(server, 0, { image: '20kb.jpg', requests: 100, connections: 1 });
      for (const [index, image] of SIZES.entries()) {
        const once = { image, requests: 1, connections: 1 };
        // The renderer reads the file before its first reply.
        await takeSample(server, 0, { ...once, save: false });
        await server.call('resetPeak');
        const { current } = await server.call('memory');
        await takeSample(server, 0, once);
        peaks[index]!.push((await server.call('memory')).peak - current);
      }
      await server.stop();
    }
    rows.push([name, ...peaks.map((bytes) => `${digits(median(bytes) / 1e6)} MB`)]);
  }
  print('### memory for a streamed image: peak beyond idle');
  print(table(['', ...SIZES], rows));
}
