// Makes system calls of a server fail: compiles the library that is preloaded into it, plans faults, reads its log.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A call on a file of the save folder, as it was noted. */
export interface NotedCall {
  readonly operation: string;
  /** The fault that it was given, or `-`. */
  readonly fault: string;
  readonly path: string;
}

export class FailingCalls {
  /** What the server's environment must hold. */
  readonly env: Readonly<Record<string, string>>;
  readonly #plan: string;
  readonly #log: string;
  #id = 0;

  /** @param folder Where the library, the plan and the log are put. */
  constructor(folder: string, savePath: string) {
    const library = join(folder, 'failing-calls.so');
    const flags = ['-shared', '-fPIC', '-O1', '-o', library];
    execFileSync('cc', [...flags, 'spec/faults/support/failing-calls.c', '-ldl']);
    this.#plan = join(folder, 'plan');
    this.#log = join(folder, 'log');
    this.env = {
      LD_PRELOAD: library,
      FAULT_PLAN: this.#plan,
      FAULT_LOG: this.#log,
      FAULT_FOLDER: savePath,
      // Calls through io_uring cannot be intercepted.
      UV_USE_IO_URING: '0',
    };
  }

  /** From now on the `which`th call of an operation meets this fault: an error, `short` or `nothing`. */
  plan(operation: string, which: number, fault: string): void {
    this.#id += 1;
    // By a rename, so that no half of a plan is ever read.
    writeFileSync(`${this.#plan}.new`, `${this.#id} ${operation} ${which} ${fault}`);
    renameSync(`${this.#plan}.new`, this.#plan);
  }

  /** From now on nothing fails. */
  planNone(): void {
    this.plan('none', 0, '-');
  }

  /** The calls since the last plan. */
  calls(): NotedCall[] {
    if (!existsSync(this.#log)) return [];
    const lines = readFileSync(this.#log, 'utf8').split('\n');
    return lines.flatMap((line) => {
      const [id, operation = '', fault = '', ...path] = line.split(' ');
      return Number(id) === this.#id && line !== '' ? [{ operation, fault, path: path.join(' ') }] : [];
    });
  }
}
