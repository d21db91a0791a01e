// Parses the reply to a save command: lines of `key=value`, as java.util.Properties writes them.

const ESCAPED = { t: '\t', n: '\n', r: '\r', f: '\f' };

/**
 * @param {string} text The body of the reply.
 * @returns {Map<string, string>} The properties, in order.
 */
export function parseProperties(text) {
  const properties = new Map();
  for (const line of text.split(/\r\n|\r|\n/)) {
    const trimmed = line.trimStart();
    if (trimmed === '' || /^[#!]/.test(trimmed)) continue;
    // The key ends at the first unescaped =, : or blank.
    const [, key = '', value = ''] = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/.exec(trimmed) ?? [];
    properties.set(decodeEscapes(key), decodeEscapes(value));
  }
  return properties;
}

/** @param {string} text */
function decodeEscapes(text) {
  return text.replace(/\\(?:u([0-9a-f]{4})|(.))/gi, (_all, code, character) =>
    code === undefined
      ? (ESCAPED[/** @type {keyof typeof ESCAPED} */ (character)] ?? character)
      : String.fromCharCode(parseInt(code, 16)),
  );
}
