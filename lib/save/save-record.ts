// The result of a save → the record for the operator.
import type { SaveRecord } from '../options.js';
import type { SaveResult } from '../protocol/reply.js';

/** The record of a save, as far as it is known now. */
export function createRecord(
  result: SaveResult,
  details: Pick<SaveRecord, 'name' | 'stages' | 'rendererStatus' | 'warning'> & { readonly arrival: number },
): SaveRecord {
  const done = result.status === 'done' ? result : undefined;
  const error = result.status === 'done' ? undefined : result.error;
  return {
    outcome: result.status,
    code: error?.code,
    name: details.name,
    bytes: done?.length,
    pixels: done?.info.pixels,
    width: done?.info.width,
    height: done?.info.height,
    type: done?.info.type,
    url: done?.url,
    rendererStatus: details.rendererStatus,
    milliseconds: performance.now() - details.arrival,
    stages: details.stages,
    cause: error?.cause,
    warning: done && details.warning,
  };
}
