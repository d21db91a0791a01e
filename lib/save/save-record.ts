// The result of a save → the record for the operator.
import { SaveError } from '../errors.js';
import type { SaveRecord } from '../options.js';
import type { SaveCommand } from '../protocol/parse-command.js';
import type { SaveResult } from '../protocol/reply.js';

/** The record of a save, as far as it is known now. */
export function createRecord(
  { command, arrival }: { readonly command: SaveCommand | SaveError; readonly arrival: number },
  result: SaveResult,
  details: Pick<SaveRecord, 'stages' | 'rendererStatus' | 'warning'>,
): SaveRecord {
  const done = result.status === 'done' ? result : undefined;
  const error = result.status === 'done' ? undefined : result.error;
  return {
    outcome: result.status,
    code: error?.code,
    name: command instanceof SaveError ? undefined : command.name,
    bytes: done?.length,
    pixels: done?.info.pixels,
    width: done?.info.width,
    height: done?.info.height,
    type: done?.info.type,
    url: done?.url,
    rendererStatus: details.rendererStatus,
    milliseconds: performance.now() - arrival,
    stages: details.stages,
    cause: error?.cause,
    warning: done && details.warning,
  };
}
