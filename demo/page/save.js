// Sends a save command and says what became of it, and to which part of the page a refusal belongs.

import { readProperties } from './reply.js';

/**
 * @typedef {object} Answer
 * @property {boolean} done
 * @property {string} status The HTTP status, in words.
 * @property {Map<string, string>} properties
 * @property {string} code Empty where there is no refusal.
 * @property {string} message
 */

const ABOUT_THE_NAME = new Set([
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

const ABOUT_THE_RENDERING = new Set([
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
  'too-many-pixels',
  'too-many-bytes',
]);

/**
 * @param {string} code An `error.code`.
 * @returns {'name' | 'rendering' | 'general'}
 */
export function placeOf(code) {
  if (ABOUT_THE_NAME.has(code)) return 'name';
  return ABOUT_THE_RENDERING.has(code) ? 'rendering' : 'general';
}

/**
 * @param {string} url
 * @returns {Promise<Answer>}
 */
export async function save(url) {
  let response, text;
  try {
    response = await fetch(url, { cache: 'no-store' });
    text = await response.text();
  } catch {
    return refusal('No answer', 'The server did not answer. Is it still running?');
  }
  const status = `${response.status} ${response.statusText}`.trim();
  const properties = readProperties(text);
  if (!properties.has('status')) return refusal(status, 'This is not the answer to a save command.');
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
 * @returns {Answer}
 */
function refusal(status, message) {
  return { done: false, status, properties: new Map(), code: '', message };
}
