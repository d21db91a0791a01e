// The child processes of the bench: how they are started, asked and ended, also when the bench is interrupted.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const children = new Set<ChildProcess>();
const folders = new Set<string>();
const undos = new Set<() => Promise<void>>();
let cleaning: Promise<void> | undefined;

/** To be ended, and removed, whatever becomes of the bench. */
export function endAtExit(child: ChildProcess): void {
  children.add(child);
  child.once('exit', () => children.delete(child));
}

export function removeAtExit(folder: string): void {
  folders.add(folder);
}

/**
 * Notes what is to be done, whatever becomes of the bench, after the children are gone and before the folders are.
 * Returns how to do it earlier; it is done once.
 */
export function undoAtExit(undo: () => Promise<void>): () => Promise<void> {
  let undone: Promise<void> | undefined;
  const undoOnce = async (): Promise<void> => {
    undone ??= undo();
    await undone;
    undos.delete(undoOnce);
  };
  undos.add(undoOnce);
  return undoOnce;
}

/** Ends what is still there of a part of the bench, which has ended itself or has failed. */
export async function endPart(): Promise<void> {
  await Promise.all([...children].map(stop));
  await Promise.all([...undos].map((undo) => undo()));
}

/** Ends all and removes all folders, once. Removing comes last: it slows down whatever is written after it. */
export async function cleanUp(): Promise<void> {
  cleaning ??= endPart().then(removeFolders);
  await cleaning;
}

/** Whether the bench is at its end, or has been interrupted: what fails from then on has not failed by itself. */
export function isEnding(): boolean {
  return cleaning !== undefined;
}

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  removeFolders();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Each time: npm and tsx send on what has come from the keyboard already, and it must not end the cleaning.
  process.on(signal, () => {
    void cleanUp().finally(() => process.exit(1));
  });
}

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

/** Ends a child and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** A program of the bench in a process of its own, that answers one question at a time. */
export class Helper {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  /** @param file Its source file, in this folder; it calls {@link answer}. */
  constructor(file: string, settings: unknown = {}, flags: readonly string[] = []) {
    // tsx by its address: the working directory may be anywhere.
    const tsx = import.meta.resolve('tsx');
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(settings)], {
      // While others have their slices, it waits: it must not tidy up, and forget what it has compiled, as if nobody came.
      execArgv: ['--import', tsx, '--expose-gc', '--no-memory-reducer', ...flags],
      // Ctrl-C reaches the whole group; the bench itself ends its children.
      detached: true,
    });
    endAtExit(this.#child);
    this.#ended = once(this.#child, 'exit').then(() => {
      throw new Error(`${file} has ended early`);
    });
    this.#ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /**
   * Asks and waits for the answer.
   *
   * @throws Error What the helper threw, by its message, or that it has ended.
   */
  async ask<Answer>(what: string, question: unknown = {}): Promise<Answer> {
    const answered = once(this.#child, 'message');
    this.#child.send({ what, question });
    const [reply] = (await Promise.race([answered, this.#ended])) as [{ answer?: Answer; error?: string }];
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply.answer as Answer;
  }

  async stop(): Promise<void> {
    await stop(this.#child);
  }
}

/** Starts another program that lasts until it is stopped. */
export function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  endAtExit(child);
  return child;
}
