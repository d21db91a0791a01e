// Sends a save command, reads the reply, and decides which part of the page shows a refusal.

import { parseProperties } from './reply.js';

/**
 * @typedef {object} Reply
 * @property {boolean} done
 * @property {string} status The HTTP status code and its text.
 * @property {Map<string, string>} properties
 * @property {string} code The `error.code`, or `''`.
 * @property {string} message
 */

const NAME_CODES = new Set([
  'name-missing',
  'name-invalid',
  'unknown-extension',
  'wrong-extension',
  'folder-missing',
  'outside-save-path',
  'not-writable',
  'not-a-file',
  'file-exists',
]);

const RENDERING_CODES = new Set([
  'renderer-failed',
  'renderer-status',
  'renderer-aborted',
  'renderer-refused',
  'length-mismatch',
  'unknown-encoding',
  'broken-encoding',
  'not-an-image',
  'broken-image',
  'incomplete-image',
  'unsupported-compression',
  'too-many-pixels',
  'too-many-bytes',
]);

/**
 * Returns the part of the page that a refusal concerns.
 *
 * @param {string} code An `error.code`.
 * @returns {'name' | 'rendering' | 'general'}
 */
export function getPlace(code) {
  if (NAME_CODES.has(code)) return 'name';
  return RENDERING_CODES.has(code) ? 'rendering' : 'general';
}

/**
 * @param {string} url
 * @returns {Promise<Reply>}
 */
export async function save(url) {
  let response, text;
  try {
    response = await fetch(url, { cache: 'no-store' });
    text = await response.text();
  } catch {
    return createFailure('No response', 'The server did not respond. Is it still running?');
  }
  const status = `${response.status} ${response.statusText}`.trim();
  const properties = parseProperties(text);
  if (!properties.has('status')) return createFailure(status, 'This is not a reply to a save command.');
  return {
    done: properties.get('status') === 'done',
    status,
    properties,
    code: properties.get('error.code') ?? '',
    message: properties.get('error.message') ?? '',
  };
}

/**
 * @param {string} status
 * @param {string} message
 * @returns {Reply}
 */
function createFailure(status, message) {
  return { done: false, status, properties: new Map(), code: '', message };
}
