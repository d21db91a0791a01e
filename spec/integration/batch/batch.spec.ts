// The built command with real servers, signals, shells, pipes and terminals.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { packageBuild } from '../../support/package-build.js';
import { sendDone, sendError, startReplyServer } from '../../support/reply-server.js';
import { stopAll } from '../../support/host.js';
import { useTempDir } from '../../support/temp-dir.js';
import { readLedger, spawnCommand, stopCommands, watch, type Command } from './cli-process.js';
import { eventually } from '../../support/deferred.js';

const program = join(packageBuild(), 'dist/cli.js');

const dir = useTempDir();
afterEach(async () => {
  await stopCommands();
  await stopAll();
});

function writeJobs(count: number): void {
  const names = Array.from({ length: count }, (_, index) => `${String(index).padStart(4, '0')}.png`);
  writeFileSync(dir('jobs.txt'), names.map((name) => `/image?of=${name} ${name}\n`).join(''));
}

it('goes on to its end when the reader of its messages leaves', async () => {
  const server = await startReplyServer();
  const args = ['-', '--server', server.origin, '--ledger', dir('ledger')];
  const { child, ended } = spawnCommand(program, args);
  child.stderr?.destroy();
  await once(child.stderr!, 'close');
  child.stdin?.end('this-is-no-job\n/a a.png\nnor-is-this\n/b b.png\n');
  expect(await ended).toBe(1);
  const saved = readLedger(dir('ledger')).map(({ name }) => name);
  expect(saved.sort()).toEqual(['a.png', 'b.png']);
});

it.each([
  ['--help', 'stdout', 0],
  ['none.txt', 'stderr', 2],
] as const)('ends as usual after %s when its %s has no reader', async (argument, name, status) => {
  const command = spawnCommand(program, [argument]);
  command.child[name]?.destroy();
  expect([await command.ended, command.stdout(), command.stderr()]).toEqual([status, '', '']);
});

it('reads a million lines from standard input without keeping them', async () => {
  const server = await startReplyServer();
  writeFileSync(dir('jobs.txt'), '/image image.png\n');
  const args = ['--server', server.origin, '--ledger', dir('ledger')];
  expect(await spawnCommand(program, [dir('jobs.txt'), ...args]).ended).toBe(0);

  // A million results take several hundred megabytes. Node ends with an error where its heap does not suffice.
  const env = { ...process.env, NODE_OPTIONS: '--max-old-space-size=40' };
  const command = spawnCommand(program, ['-', ...args], { env });
  const block = '/image image.png\n'.repeat(1000);
  for (let i = 0; i < 1000; i++) {
    if (command.child.stdin?.write(block) === false) await once(command.child.stdin, 'drain');
  }
  command.child.stdin?.end();
  expect([await command.ended, command.stderr()]).toEqual([0, expect.stringMatching(/skipped {2}1,000,000/)]);
});

it('is done with 100,000 jobs in the memory that 1,000 take', async () => {
  const server = await startReplyServer();
  const peak = async (count: number): Promise<number> => {
    writeJobs(count);
    // The keys of so many jobs take 6 MB, and the heap grows by 20; their names and URLs would take 30 more.
    const hook = dir('peak.cjs');
    writeFileSync(hook, "process.on('exit', () => console.error('rss', process.resourceUsage().maxRSS))");
    const env = { ...process.env, NODE_OPTIONS: `--require ${hook} --max-semi-space-size=2` };
    const args = [dir('jobs.txt'), '--server', server.origin, '--concurrency', '32'];
    const command = spawnCommand(program, args, { env });
    expect(await command.ended).toBe(0);
    return Number(/rss (\d+)/.exec(command.stderr())?.[1]) / 1024;
  };
  const [few, many] = [await peak(1000), await peak(100_000)];
  console.log(`peak memory: ${few.toFixed(0)} MB for 1,000 jobs, ${many.toFixed(0)} MB for 100,000`);
  expect(many - few).toBeLessThan(45);
});

/** The files that a process has open. (proc(5).) */
const filesOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return [];
    }
  });

it('ends at once where its list is a pipe that goes on, and one that is never written', async () => {
  const server = await startReplyServer((_request, res) => {
    sendError(res, 'not-authorized');
  });
  for (const text of [Array.from({ length: 20 }, (_, n) => `/x ${n}.png\n`).join(''), '']) {
    const fifo = dir(text === '' ? 'silent' : 'pipe');
    spawnSync('mkfifo', [fifo]);
    const writer = text === '' ? undefined : openSync(fifo, 'r+');
    if (writer !== undefined) writeSync(writer, text);
    const command = spawnCommand(program, [fifo, '--server', server.origin]);
    if (text === '') {
      // It reads when it has prepared everything else.
      await eventually(() => filesOf(command.child.pid!).includes(fifo));
      command.child.kill('SIGINT');
    }
    const timer = setTimeout(() => command.child.kill('SIGKILL'), 15_000);
    expect(await command.ended).toBe(text === '' ? 130 : 1);
    clearTimeout(timer);
    if (writer !== undefined) closeSync(writer);
  }
});

it('names a full disk where it prints its results to a file', async () => {
  writeJobs(10);
  const server = await startReplyServer();
  const full = openSync('/dev/full', 'w');
  const command = spawnCommand(program, [dir('jobs.txt'), '--server', server.origin, '--json'], {
    stdio: ['ignore', full, 'pipe'],
  });
  expect([await command.ended, command.stderr()]).toEqual([2, expect.stringContaining('ENOSPC')]);
  closeSync(full);
});

const describeShells = process.platform === 'win32' ? describe.skip : describe;

describeShells('in a shell', () => {
  /** Starts a line of shell, with the command as `batch` and the server as `$server`, in a process group of its own. */
  function startShell(line: string, origin: string): Command {
    const script = `batch() { "$node" "$program" batch "$@"; }; ${line}`;
    const env = { ...process.env, node: process.execPath, program, server: origin };
    return watch(
      spawn('sh', ['-c', script], { cwd: dir(), env, stdio: ['ignore', 'pipe', 'pipe'], detached: true }),
    );
  }

  async function shell(line: string, origin: string): Promise<{ status: number | string; output: string }> {
    const command = startShell(line, origin);
    return { status: await command.ended, output: command.stdout() + command.stderr() };
  }

  it('stops without an error when the reader of its output has enough, and says how to go on', async () => {
    writeJobs(2000);
    const { origin } = await startReplyServer();
    const line = 'batch jobs.txt --server "$server" --ledger ledger --json';
    const { output } = await shell(`{ ${line}; echo "status $?" >&2; } | head -n 1`, origin);
    expect(output).not.toMatch(/EPIPE|at .*\.js/);
    expect(output).toMatch(/\nStopped after [^]* left {5}[\d,]+\n[^]*To go on:\n {2}npx .*\nstatus 1\n$/);
    const dry = await shell('batch jobs.txt --server "$server" --dry-run | head -n 1', origin);
    expect(dry.output.trim()).toBe(`${origin}/image?of=0000.png&req=saveToFile&name=0000.png`);
  });
});

/** `script` of util-linux runs a command on a terminal of its own. */
const hasTerminal = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0;

(hasTerminal ? describe : describe.skip)('on a terminal', () => {
  function startOnTerminal(origin: string, columns: number): Command {
    const line = `stty cols ${columns}; exec "${process.execPath}" "${program}" batch jobs.txt --server ${origin}`;
    const env = { ...process.env, TERM: 'xterm' };
    return watch(spawn('script', ['-qefc', line, '/dev/null'], { env, cwd: dir() }));
  }

  it.each([80, 120])('draws a bar that fits into %i columns, and removes it at the end', async (columns) => {
    writeJobs(100);
    const { origin } = await startReplyServer((_request, res) => setTimeout(sendDone, 50, res));
    const command = startOnTerminal(origin, columns);
    expect(await command.ended).toBe(0);
    const lines = command.stdout().split(/[\r\n]|\u001b\[\d*[A-Z]/);
    const bars = lines.filter((line) => line.startsWith('['));
    expect(bars.length).toBeGreaterThan(1);
    expect(bars.filter((line) => line.length >= columns)).toEqual([]);
    expect(command.stdout()).toMatch(/\u001b\[\?25h[^]*\u001b\[0?J[^]*Finished after/);
  });

  it('stops at Ctrl-C, and at once at the second one, half a second later', async () => {
    writeJobs(100);
    const { origin, requests } = await startReplyServer(() => undefined);
    const command = startOnTerminal(origin, 80);
    await eventually(() => requests.length === 8);
    command.child.stdin?.write('\u0003');
    await eventually(() => command.stdout().includes('Stopping: waiting for 8 running saves. Ctrl-C again'));
    await new Promise((resolve) => setTimeout(resolve, 600));
    command.child.stdin?.write('\u0003');
    expect(await command.ended).toBe(130);
    expect(command.stdout()).toMatch(/Stopped at once\./);
  });
});
