// docs/recipes/stop-gracefully.mjs, stopped by a real SIGTERM. Windows has none that a process could handle.
import { cpSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { AutoLimit } from '../../../lib/save/auto-limit.js';
import { get, type Answer } from '../../support/client.js';
import { useProject, type Program } from '../../support/project.js';
import { list } from '../../support/temp-dir.js';

/** Renders when the spec lets it. */
const RENDERER = `
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { renderer as square } from './square.mjs';

let renders = 0;

export async function renderer(req, res, next) {
  console.log('render', (renders += 1));
  while (!existsSync('go')) await setTimeout(10);
  return square(req, res, next);
}
`;
/** Prints what the spec waits for: commands that have arrived, and the signal. */
const REPORT = `
import { Server } from 'node:http';

const { emit } = Server.prototype;
let arrived = 0;
Server.prototype.emit = function (name, ...rest) {
  if (name === 'request') console.log('arrived', (arrived += 1));
  return emit.call(this, name, ...rest);
};
process.prependListener('SIGTERM', () => console.log('stopping'));
`;

const describeWithSignals = process.platform === 'win32' ? describe.skip : describe;

/** How many saves the server has in progress before it has measured any. */
const RUNNING = new AutoLimit().limit;

const { file, cwd, start } = useProject(['on-headers']);
let program: Program;

beforeAll(() => {
  cpSync('docs/recipes/renderer.mjs', file('square.mjs'));
  writeFileSync(file('renderer.mjs'), RENDERER);
  writeFileSync(file('report.mjs'), REPORT);
});

async function startRecipe(env: Record<string, string> = {}): Promise<void> {
  program = await start('stop-gracefully.mjs', { env, preload: [file('report.mjs')] });
}

async function save(name: string, agent = new Agent()): Promise<Answer> {
  return get(`${program.url}/is/image/shoe?wid=20&req=saveToFile&name=${name}`, { agent });
}

/** What the client of a command got, as the server's log says it. */
const outcome = ({ reply }: Answer): string => `${reply.status} ${reply.error?.code ?? ''}`;

/** The outcome of each command that the server began, by name. */
const records = (): Map<string, string> =>
  new Map(
    [...program.output().matchAll(/^(done|failed|timeout) (\S+) (\S*)$/gm)].map(([, status, name, code]) => [
      name!,
      `${status} ${code}`,
    ]),
  );

function go(): void {
  writeFileSync(cwd('go'), '');
}

async function stop(): Promise<void> {
  program.kill('SIGTERM');
  await program.printed(/^stopping$/m);
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

describeWithSignals('stop-gracefully.mjs', () => {
  test('finishes the saves that run, refuses those that wait, and ends with status 0', async () => {
    await startRecipe();
    const agent = new Agent({ keepAlive: true });
    const first = save('0.png', agent);
    // So many that some still wait, although renders that hang make room for others.
    const others = times(100, async (index) => save(`${index + 1}.png`));
    await program.printed(/^arrived 101$/m);
    await program.printed(new RegExp(`^render ${RUNNING}$`, 'm'));
    await stop();
    go();
    const answers = await Promise.all([first, ...others]);
    expect(await program.ended).toBe(0);
    const done = answers.filter(({ status }) => status === 200);
    expect(done).toHaveLength(program.output().match(/^render /gm)!.length);
    expect(list(cwd('saved'))).toEqual(done.map(({ reply }) => reply.name).sort());
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused).not.toEqual([]);
    for (const answer of refused) {
      expect(outcome(answer)).toBe('failed too-busy');
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    }
    // A client that keeps its connection is told that this was the last reply.
    expect((await first).headers.connection).toBe('close');
    expect(records().size).toBe(answers.length);
    agent.destroy();
  });

  test('loses no save of 8 clients that are saving one image after another', async () => {
    await startRecipe();
    go();
    const answers = new Map<string, string>();
    /** Saves until the server no longer accepts connections. */
    const saveOn = async (client: number): Promise<void> => {
      for (let index = 0; ; index += 1) {
        const name = `${client}-${index}.png`;
        const answer = await save(name).catch(() => undefined);
        if (answer === undefined) return;
        answers.set(name, outcome(answer));
      }
    };
    const clients = times(8, saveOn);
    await program.printed(/^done 3-4\.png/m);
    await stop();
    await Promise.all(clients);
    expect(await program.ended).toBe(0);
    // The server began no command that its client did not see end in the same way.
    expect([...records()].sort()).toEqual([...answers].sort());
    const done = [...answers].filter(([, how]) => how === 'done ');
    expect(list(cwd('saved'))).toEqual(done.map(([name]) => name).sort());
    expect(new Set(answers.values())).toContain('done ');
    expect([...answers.values()].filter((how) => how !== 'done ' && how !== 'failed too-busy')).toEqual([]);
  });

  test('ends with status 1 where a save does not end in time', async () => {
    await startRecipe({ STOP_SECONDS: '0.2' });
    const answer = save('0.png').catch(() => undefined);
    await program.printed(/^render 1$/m);
    await stop();
    expect(await program.ended).toBe(1);
    expect(await answer).toBeUndefined();
  });
});
