// Saves before a simulated renderer, admitted by the real `Admission`: a virtual clock of 1 ms, and chance from a seed.
import { SaveError } from '../../lib/errors.js';
import { Admission, type AdmissionOptions, type Slot } from '../../lib/save/admission.js';

/** Saves of one kind, and how they come: at random times, in bursts, or from clients that each send one after another. */
export interface Stream {
  readonly perSecond?: number;
  readonly burst?: { readonly saves: number; readonly everySeconds: number };
  readonly clients?: number;
  /** Milliseconds of one processor, on average. Each save needs half as much to one and a half times as much. */
  readonly work?: number;
  /** Milliseconds that the render waits for something else before it needs a processor. `Infinity` hangs for ever. */
  readonly wait?: number;
  /** Milliseconds until the deadline. */
  readonly timeout: number;
  /** Seconds in which saves come; all by default. */
  readonly from?: number;
  readonly to?: number;
}

export interface Scenario {
  readonly streams: Readonly<Record<string, Stream>>;
  readonly seconds: number;
  /** Processors that the renders share equally. */
  readonly processors?: number;
  /** How many renders another server handles at once; the others queue there. */
  readonly upstream?: number;
  /** How fast all renders proceed at a second: 0 hangs. */
  readonly speed?: (second: number) => number;
  /** Renders go on after their deadline. */
  readonly ignoresSignal?: boolean;
  readonly options?: Partial<AdmissionOptions>;
}

export interface SimulatedSave {
  readonly stream: string;
  /** Second of the command, and of the reply. */
  readonly at: number;
  readonly end: number;
  readonly outcome: 'done' | 'timeout' | 'refused';
}

export interface Simulated {
  readonly saves: SimulatedSave[];
  /** Saves in progress, and renders that wait in the queue of the other server, at each millisecond. */
  readonly running: number[];
  readonly queued: number[];
}

interface Render {
  readonly stream: string;
  readonly at: number;
  readonly deadline: number;
  readonly controller: AbortController;
  work: number;
  wait: number;
  slot?: Slot;
  ended: boolean;
  atUpstream: boolean;
  readonly next: (() => void) | undefined;
}

/** Numbers from 0 to 1, the same for the same seed. (Park and Miller's generator.) */
export function random(seed: number): () => number {
  let state = seed * 7919 + 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Runs a scenario. `performance.now()` is the virtual clock meanwhile. */
export async function simulate(scenario: Scenario, seed: number): Promise<Simulated> {
  const { streams, seconds, processors = 2, upstream = Infinity, speed = () => 1, options } = scenario;
  const actualNow = performance.now.bind(performance);
  let now = 0;
  performance.now = () => now;
  // Thousands of refusals need no stack.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    const chance = random(seed);
    const admission = new Admission({ concurrency: 'auto', maxQueue: 1000, ...options });
    const rendering = new Set<Render>();
    const waiting = new Set<Render>();
    const result: Simulated = { saves: [], running: [], queued: [] };
    /** Commands to come, by their millisecond. */
    const due = new Map<number, (() => void)[]>();
    const plan = (time: number, send: () => void): void => {
      const at = Math.max(now, Math.ceil(time));
      const others = due.get(at);
      if (others === undefined) due.set(at, [send]);
      else others.push(send);
    };

    const end = (render: Render, outcome: SimulatedSave['outcome']): void => {
      if (render.ended) return;
      render.ended = true;
      waiting.delete(render);
      result.saves.push({ stream: render.stream, at: render.at / 1000, end: now / 1000, outcome });
      render.slot?.release(outcome === 'refused' ? 'failed' : outcome);
      if (outcome === 'timeout') render.controller.abort(new Error('timeout'));
      if (render.next !== undefined) plan(now + (outcome === 'refused' ? 50 : 1), render.next);
    };

    const send = (name: string, { work = 0, wait = 0, timeout }: Stream, next?: () => void): void => {
      const render: Render = {
        stream: name,
        at: now,
        deadline: now + timeout,
        controller: new AbortController(),
        next,
        work: work * (0.5 + chance()),
        wait: wait * (0.9 + chance() / 5),
        ended: false,
        atUpstream: upstream === Infinity,
      };
      plan(render.deadline, () => {
        end(render, 'timeout');
        if (scenario.ignoresSignal !== true) rendering.delete(render);
      });
      const begin = (slot: Slot): void => {
        waiting.delete(render);
        render.slot = slot;
        if (render.ended) slot.release('failed');
        else rendering.add(render);
      };
      const refuse = (error: unknown): void => {
        if (!render.ended && (!(error instanceof SaveError) || error.code !== 'too-busy')) throw error;
        end(render, 'refused');
      };
      try {
        const slot = admission.admit(render.deadline, render.controller.signal);
        if (slot instanceof Promise) {
          waiting.add(render);
          slot.then(begin, refuse);
        } else begin(slot);
      } catch (error) {
        refuse(error);
      }
    };

    for (const [name, stream] of Object.entries(streams)) {
      const { perSecond, burst, clients = 0, from = 0, to = seconds } = stream;
      const once = (): void => {
        send(name, stream);
      };
      if (perSecond !== undefined) {
        const step = (): number => (-Math.log(1 - chance()) * 1000) / perSecond;
        for (let at = 1000 * from + step(); at < 1000 * to; at += step()) plan(at, once);
      }
      if (burst !== undefined)
        for (let at = from; at < to; at += burst.everySeconds)
          for (let save = 0; save < burst.saves; save += 1) plan(1000 * at, once);
      for (let client = 0; client < clients; client += 1) {
        const again = (): void => {
          if (now < 1000 * to) send(name, stream, again);
        };
        plan(1000 * from, again);
      }
    }

    for (; now < 1000 * seconds; now += 1) {
      for (const start of due.get(now) ?? []) start();
      due.delete(now);
      const pace = speed(now / 1000);
      let handled = 0;
      let working = 0;
      let queued = 0;
      for (const render of rendering) {
        if (render.wait > 0 && !render.atUpstream) {
          if (handled < upstream) render.atUpstream = true;
          else queued += 1;
        }
        if (render.wait > 0 && render.atUpstream) {
          handled += 1;
          render.wait -= pace;
        } else if (render.wait <= 0) working += 1;
      }
      const step = pace * Math.min(1, processors / working);
      for (const render of rendering) {
        if (render.wait > 0) continue;
        render.work -= step;
        if (render.work > 0) continue;
        rendering.delete(render);
        end(render, 'done');
      }
      admission.poll();
      // A save that gets its slot or its refusal hears of it in a later microtask.
      if (waiting.size > 0) for (let turn = 0; turn < 3; turn += 1) await Promise.resolve();
      result.running.push(admission.running);
      result.queued.push(queued);
    }
    return result;
  } finally {
    performance.now = actualNow;
    Error.stackTraceLimit = stackTraceLimit;
  }
}
