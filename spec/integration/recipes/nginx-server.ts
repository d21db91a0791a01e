// Runs nginx with a recipe of the documents; none where nginx is not installed, or has no sockets with a path, as on
// Windows.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const places = process.platform === 'win32' ? [] : ['nginx', '/usr/sbin/nginx'];

/** The program; undefined where it is not installed. */
export const nginx = places.find((path) => spawnSync(path, ['-v']).status === 0);

let server: ChildProcess | undefined;

/**
 * Starts nginx with the smallest configuration around a recipe, and waits until it serves.
 *
 * @param folder Holds all its files.
 * @param recipe Goes into the `http` block.
 */
export async function startNginx(folder: string, recipe: string): Promise<void> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${join(folder, 'nginx.pid')}; error_log stderr;
    events {}
    http { access_log off; ${temporary.join(' ')}
      ${recipe}
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
}

export async function stopNginx(): Promise<void> {
  if (server?.exitCode === null && server.signalCode === null && server.kill('SIGKILL'))
    await once(server, 'exit');
}
