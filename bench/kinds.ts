// What the variants of the bench are made of.

/** What answers the requests. */
export type Kind =
  | 'bare'
  | 'no-op'
  | 'image-save'
  | 'by-hand'
  | 'all-promises'
  | 'write-file-atomic'
  /** These have no server: they save what they have, so many times. */
  | 'raw'
  | 'put'
  | 'store';

export function hasServer(kind: Kind): boolean {
  return kind !== 'raw' && kind !== 'put' && kind !== 'store';
}

/** Whether it obeys the command of a request. */
export function obeysCommand(kind: Kind): boolean {
  return hasServer(kind) && kind !== 'bare' && kind !== 'no-op';
}
