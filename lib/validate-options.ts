// Checks the options of a factory. A wrong option fails at once, with a message that names the fix.

/** The rule of one option. */
export interface Rule {
  /** Follows "must be". */
  readonly expected: string;
  readonly isValid: (value: unknown) => boolean;
  readonly required?: true;
}

/** A rule for each option. The type keeps the list complete. */
export type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule };

/** The longest delay of a timer of Node, in milliseconds. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const BOOLEAN: Rule = { expected: 'true or false', isValid: (value) => typeof value === 'boolean' };
export const FUNCTION: Rule = { expected: 'a function', isValid: (value) => typeof value === 'function' };
export const MILLISECONDS: Rule = {
  expected: `whole milliseconds from 1 to ${MAX_TIMEOUT_MS}`,
  isValid: (value) => isIntegerBetween(value, 1, MAX_TIMEOUT_MS),
};

export function integerFrom(min: number, unit: string): Rule {
  return {
    expected: `a whole number of ${unit}, ${min} or more`,
    isValid: (value) => isIntegerBetween(value, min),
  };
}

export function isIntegerBetween(value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

/**
 * Checks that every option has a rule and keeps it.
 *
 * @param factory The function that takes the options, and a typical call of it.
 * @throws TypeError An option is unknown, wrong or missing.
 */
export function validateOptions<Options extends object>(
  factory: string,
  example: string,
  rules: Rules<Options>,
  options: unknown,
): asserts options is Options {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${factory} takes an object of options, as in ${example}`);
  }
  const known = Object.keys(rules);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const suggestion = known.find((option) => option.toLowerCase() === name.toLowerCase());
    throw new TypeError(
      `${factory} has no option "${name}"; ` +
        (suggestion === undefined ? `its options are ${known.join(', ')}` : `did you mean "${suggestion}"?`),
    );
  }
  for (const [name, rule] of Object.entries<Rule>(rules)) {
    // Own properties only: the defaults are filled in by a spread, which takes no others.
    const value = Object.hasOwn(options, name) ? (options as Record<string, unknown>)[name] : undefined;
    if (value === undefined ? rule.required !== true : rule.isValid(value)) continue;
    throw new TypeError(
      `The option "${name}" of ${factory} must be ${rule.expected}; it is ${describeValue(value)}`,
    );
  }
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
