// nginx on a socket of its own; not on Windows, which has no sockets with a path.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const places = process.platform === 'win32' ? [] : ['nginx', '/usr/sbin/nginx'];

/** The program, or undefined where it is not installed. */
const nginx = places.find((path) => spawnSync(path, ['-v']).status === 0);

/** `describe`, for what needs nginx, with a module if one is named. */
export function describeNginx(module?: string): jest.Describe {
  const file = module === undefined ? '' : findNginxModule(module);
  return nginx === undefined || file === undefined ? describe.skip : describe;
}

/** The file of a module; undefined where it is not installed. */
export function findNginxModule(name: string): string | undefined {
  return ['/usr/lib', '/usr/lib64', '/usr/local/lib']
    .map((folder) => join(folder, 'nginx/modules', name))
    .find((file) => existsSync(file));
}

let server: ChildProcess | undefined;

/**
 * Starts nginx in a folder and waits for its socket, or for its end.
 *
 * @param main Directives of the main context, such as `load_module`.
 * @param http Those of the http context. `SOCKET` stands for what a server listens to.
 * @returns The path of the socket.
 */
export async function startNginx(folder: string, http: string, main = ''): Promise<string> {
  const socket = join(folder, 'nginx.sock');
  const file = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  writeFileSync(
    file,
    `${main}
    daemon off; master_process off; pid ${join(folder, 'nginx.pid')}; error_log stderr;
    events {}
    http { access_log off; ${temporary.join(' ')}
      ${http.replace('SOCKET', `unix:${socket}`)}
    }`,
  );
  const watcher = watch(folder);
  const child = (server = spawn(nginx!, ['-p', folder, '-c', file, '-e', 'stderr'], { stdio: 'pipe' }));
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close').then(() => {
    throw new Error(`nginx ended:\n${output}`);
  });
  ended.catch(() => undefined);
  // The last thing that it makes before it serves.
  while (!existsSync(join(folder, 'nginx.pid'))) await Promise.race([once(watcher, 'change'), ended]);
  watcher.close();
  return socket;
}

export async function stopNginx(): Promise<void> {
  if (server?.exitCode === null && server.kill('SIGKILL')) await once(server, 'exit');
  server = undefined;
}
