// The rules for `name=` that need no file system.
import { SaveError } from '../errors.js';
import { getFormatByName } from '../image/formats.js';

/** The longest path segment that common file systems accept, in bytes of UTF-8. */
const MAX_SEGMENT_BYTES = 255;

/** C0, DEL and C1. */
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/** Half of a surrogate pair without the other: UTF-8 has no bytes for it, so no file and no URL can have it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The names of Windows devices, with or without an extension. (Microsoft, "Naming Files, Paths, and Namespaces".) */
const DEVICE_NAME = /^(?:con|prn|aux|nul|(?:com|lpt)[0-9⁰¹²³⁴-⁹])$/i;

/**
 * @returns The segments of a name, one at least.
 * @throws SaveError `name-invalid`, or `unknown-extension` if no image format has the extension.
 */
export function checkName(name: string): string[] {
  const segments = name.split('/');
  for (const segment of segments) {
    const rule = findBrokenRule(segment);
    if (rule !== undefined) throw new SaveError('name-invalid', { rule });
  }
  if (getFormatByName(name) === 'unknown') {
    throw new SaveError('unknown-extension', { extension: name.slice(name.lastIndexOf('.')) });
  }
  return segments;
}

function findBrokenRule(segment: string): string | undefined {
  if (segment === '')
    return 'it must be relative to the save folder, with one / between its parts and none at its ends';
  if (segment.startsWith('.')) return 'no part of it may start with a dot';
  if (/[. ]$/.test(segment)) return 'no part of it may end with a dot or a space';
  if (segment.includes('\\')) return 'write / between its parts, not a backslash';
  if (segment.includes(':')) return 'it may not contain a colon';
  if (/[<>"|?*]/.test(segment)) return 'it may not contain any of < > " | ? *, which Windows cannot store';
  if (CONTROL_CHARACTER.test(segment)) return 'it may not contain control characters';
  if (LONE_SURROGATE.test(segment)) return 'it may not contain half a character (a lone surrogate)';
  // Windows drops the spaces before the extension: "con .jpg" is the console.
  if (DEVICE_NAME.test((segment.split('.', 1)[0] ?? '').trimEnd()))
    return 'a part of it is the name of a Windows device';
  if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
    return `no part of it may be longer than ${MAX_SEGMENT_BYTES} bytes`;
  return undefined;
}
