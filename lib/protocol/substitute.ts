// `$var$` in a value → the value of the variable. (Image Serving, "Substitution variables".)

/** No file system takes a longer path, in characters. */
const MAX_LENGTH = 4096;

/**
 * Replaces each `$var$` in one pass: values are not searched for variables. An undefined variable stays as it is.
 *
 * @param text The decoded value of a parameter.
 * @param find The value of a variable, by its name in lower case with the first `$`; undefined if it has none.
 * @returns The text, or undefined where it becomes too long for any use: one long value that is named over and over
 *   must not become a text of megabytes.
 */
export function substitute(text: string, find: (variable: string) => string | undefined): string | undefined {
  let result = '';
  let at = 0;
  for (;;) {
    const start = text.indexOf('$', at);
    const end = start < 0 ? -1 : text.indexOf('$', start + 1);
    if (end < 0) return result + text.slice(at);
    const name = text.slice(start, end).toLowerCase();
    const value = name === '$' ? undefined : find(name);
    // The closing $ of an undefined variable may be the opening $ of the next one.
    result += value === undefined ? text.slice(at, end) : text.slice(at, start) + value;
    at = value === undefined ? end : end + 1;
    if (result.length > MAX_LENGTH) return undefined;
  }
}
