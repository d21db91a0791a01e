// A small file system in memory that only one server sees, and the way for a check to look into it.
import { Server, type Start } from './server.js';

/** Gives a command mounts that end with it and that no other process sees. */
const WITH_OWN_MOUNTS = ['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];

/** Starts a server with a new tmpfs at its save path. Returns where that is for everybody else. */
export async function startMounted(
  how: Start,
  options: string,
): Promise<{ readonly server: Server; readonly folder: string }> {
  const mount = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"';
  const { savePath } = how.options;
  const server = await Server.start({
    ...how,
    under: [...WITH_OWN_MOUNTS, 'sh', '-c', mount, 'sh', options, savePath],
  });
  return { server, folder: `/proc/${server.pid}/root${savePath}` };
}
