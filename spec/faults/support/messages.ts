// What the server under test and the check that started it say to each other.

export interface State {
  readonly kind: 'state';
  /** Saves in progress. */
  readonly running: number;
  /** What keeps the process alive (timers, connections, requests), and how many of each. */
  readonly resources: Readonly<Record<string, number>>;
  /** Listeners of the process itself. */
  readonly listeners: number;
  readonly memory: NodeJS.MemoryUsage;
  /** The most that its JavaScript held since the last time, if that is watched. */
  readonly peak: number;
}

export interface Saved {
  readonly kind: 'saved';
  readonly outcome: string;
  readonly code: string | undefined;
  readonly name: string | undefined;
  readonly milliseconds: number;
  readonly cause: string;
}

export type FromServer =
  | { readonly kind: 'listening'; readonly pid: number; readonly port: number }
  | { readonly kind: 'asked'; readonly key: string }
  | { readonly kind: 'fault'; readonly text: string }
  | Saved
  | State;

export type ToServer = { readonly kind: 'go'; readonly key: string } | { readonly kind: 'state' };
