// For specs of refusals: the codes, and the SaveError of a call.
import { ERRORS } from '../../lib/error-table.js';
import { SaveError, type SaveErrorCode } from '../../lib/errors.js';

export const ERROR_CODES = Object.keys(ERRORS) as readonly SaveErrorCode[];

/** The SaveError that a call throws, or that its promise rejects with; anything else fails the spec. */
export async function refusalOf(call: () => unknown): Promise<SaveError> {
  let thrown: unknown;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) throw new Error('It was not refused');
  if (!(thrown instanceof SaveError)) {
    throw new Error('It was refused by something else than a SaveError', { cause: thrown });
  }
  return thrown;
}

/** The code of the SaveError that a call throws, or that its promise rejects with. */
export async function codeOf(call: () => unknown): Promise<string> {
  return (await refusalOf(call)).code;
}
