// What each helper process does beside its own work: it answers the bench, and tells of its time and its memory.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

type Answers = Record<string, (question: never) => unknown>;

/** Memory of this process in bytes. */
export interface Memory {
  readonly now: number;
  /** The most since it was last forgotten. */
  readonly peak: number;
}

const COMMON: Answers = {
  /** Processor time since the start, in microseconds, once what the last requests left to do is done. */
  cpu: async () => {
    await sleep(5);
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  /** So that no variant pays for the garbage of what ran before. */
  collectGarbage: () => {
    globalThis.gc?.();
  },
  /** Makes now the peak. (Linux, proc(5), clear_refs.) */
  forgetPeak: () => {
    writeFileSync('/proc/self/clear_refs', '5');
  },
  memory: (): Memory => {
    const status = readFileSync('/proc/self/status', 'utf8');
    const kibibytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1]);
    return { now: kibibytes('VmRSS') * 1024, peak: kibibytes('VmHWM') * 1024 };
  },
};

/** What the process was started with. */
export function settings(): unknown {
  return JSON.parse(process.argv[2] ?? '{}');
}

/** Answers the bench until it lets go. */
export function answer(own: Answers): void {
  const answers: Answers = { ...COMMON, ...own };
  const reply = async ({ what, question }: { what: string; question: unknown }): Promise<unknown> => {
    try {
      return { answer: await answers[what]?.(question as never) };
    } catch (error) {
      return { error: (error as Error).stack };
    }
  };
  process.on('message', (message: { what: string; question: unknown }) => {
    void reply(message).then((result) => process.send?.(result));
  });
  process.once('disconnect', () => process.exit());
}
