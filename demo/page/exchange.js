// Sends a save command and shows everything about it: request, reply, where the time went, and what the name holds.

import { byId, createElement, formatBytes } from './dom.js';

/**
 * @typedef {object} Reply
 * @property {boolean} done
 * @property {string} code The `error.code`, or `''`.
 * @property {string} message
 */

const held = byId('held', HTMLElement);
let sent = 0;

/**
 * Shows the URL with the command in it marked.
 *
 * @param {string} url
 */
export function showRequest(url) {
  const [, before = '', command = '', after = ''] =
    /^(.*?[?&])(req=saveToFile&name=[^&]*)(.*)$/.exec(url) ?? [];
  byId('url', HTMLElement).replaceChildren(
    location.origin + before,
    createElement('mark', {}, command),
    after,
  );
}

/**
 * @param {string} url
 * @returns {Promise<Reply>}
 */
export async function exchange(url) {
  showRequest(url);
  byId('verdict', HTMLElement).textContent = '';
  byId('reply-note', HTMLElement).textContent = '';
  const id = `${performance.timeOrigin}-${++sent}`;
  let text, status;
  try {
    const response = await fetch(url, { cache: 'no-store', headers: { 'demo-save': id } });
    [text, status] = [await response.text(), `${response.status} ${response.statusText}`.trim()];
  } catch {
    [text, status] = ['', 'none'];
  }
  const properties = parseProperties(text);
  const done = properties.get('status') === 'done';
  byId('reply', HTMLElement).textContent = text.trim();
  byId('reply-status', HTMLElement).textContent = status;
  byId('reply-status', HTMLElement).className = done ? 'good' : 'bad';
  await showStages(id);
  const message =
    status === 'none' ? 'The server did not respond. Is it still running?' : properties.get('error.message');
  return { done, code: properties.get('error.code') ?? '', message: message ?? '' };
}

/** @param {string} id */
async function showStages(id) {
  const box = byId('stages', HTMLElement);
  const response = await fetch(`/record.json?id=${id}`).catch(() => undefined);
  box.hidden = !response?.ok;
  if (!response?.ok) return;
  /** @type {{ milliseconds: number, stages: Record<string, number> }} */
  const { milliseconds, stages } = await response.json();
  const bar = createElement('div', { className: 'bar' });
  const legend = createElement('dl', {});
  for (const [stage, ms] of Object.entries(stages)) {
    const part = createElement('i', { className: stage });
    part.style.flexGrow = String(ms);
    bar.append(part);
    const label = createElement('dt', {}, createElement('i', { className: stage }), stage);
    legend.append(createElement('div', {}, label, createElement('dd', {}, `${Math.round(ms)} ms`)));
  }
  byId('reply-note', HTMLElement).textContent = `${Math.round(milliseconds)} ms`;
  box.replaceChildren(bar, legend);
}

/**
 * Reads the file of a name, as any reader would.
 *
 * @param {string} name
 * @returns {Promise<Blob | undefined>} Undefined if there is no file.
 */
export async function readSaved(name) {
  const response = await fetch(savedUrl(name), { cache: 'no-store' });
  return response.ok ? response.blob() : undefined;
}

/** @param {string} name */
export const savedUrl = (name) => `/saved/${name.split('/').map(encodeURIComponent).join('/')}`;

/**
 * Shows what the name holds, and says so.
 *
 * @param {string} name
 * @param {Blob | undefined} file
 * @param {string} [verdict]
 * @param {string} [contrast] What another program would leave.
 */
export async function showHeld(name, file, verdict = '', contrast = '') {
  const element = byId('verdict', HTMLElement);
  element.replaceChildren(...(verdict ? [createElement('strong', {}, verdict), ` ${contrast}`] : []));
  held.hidden = file === undefined;
  if (file !== undefined) await showImage(name, file, element);
  // Last, since all of this changes the height.
  byId('reply', HTMLElement).closest('section')?.scrollIntoView({ block: 'nearest' });
}

/** @type {(name: string, file: Blob, verdict: HTMLElement) => Promise<void>} */
async function showImage(name, file, verdict) {
  const image = createElement('img', { alt: `The image that ${name} holds`, src: URL.createObjectURL(file) });
  await image.decode().catch(() => (verdict.textContent = `${name} is damaged.`));
  const old = held.querySelector('img');
  old?.replaceWith(image);
  if (old?.src.startsWith('blob:')) URL.revokeObjectURL(old.src);
  const size = `${image.naturalWidth} × ${image.naturalHeight} · ${formatBytes(file.size)}`;
  held.querySelector('figcaption')?.replaceChildren(createElement('b', {}, name), ` ${size}`);
}

const ESCAPED = { t: '\t', n: '\n', r: '\r', f: '\f' };

/**
 * Reads lines of `key=value`, as java.util.Properties writes them.
 *
 * @param {string} text The body of the reply.
 * @returns {Map<string, string>}
 */
export function parseProperties(text) {
  const lines = text.split(/\r\n|\r|\n/).filter((line) => /^[^#!]+=/.test(line));
  return new Map(
    lines.map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), decodeEscapes(line.slice(at + 1))];
    }),
  );
}

/** @param {string} text */
function decodeEscapes(text) {
  return text.replace(/\\(?:u([0-9a-f]{4})|(.))/gi, (_all, code, character) =>
    code === undefined
      ? (ESCAPED[/** @type {keyof typeof ESCAPED} */ (character)] ?? character)
      : String.fromCharCode(parseInt(code, 16)),
  );
}
