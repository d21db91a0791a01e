// Shows the rendering of the current choices: requests it when changes pause, and ignores all responses but the latest.

import { byId, createElement, formatBytes, formatType } from './dom.js';

/** How long changes must pause before a request. */
const PAUSE_MS = 150;

/** @typedef {{ url: string, shownAs: string, alt: string }} Wanted */

const figure = byId('preview', HTMLElement);
const facts = byId('facts', HTMLElement);
const link = byId('rendering-link', HTMLAnchorElement);

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let current = new AbortController();

/**
 * @param {Wanted} wanted The URL of the rendering, and the URL of an image that browsers can show instead.
 * @param {(message: string) => void} onDone Called with the reason for a failure, or with `''`.
 */
export function requestRendering(wanted, onDone) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  figure.setAttribute('aria-busy', 'true');
  link.href = wanted.url;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const message = await show(wanted, signal).catch(
      () => 'The server did not respond. Is it still running?',
    );
    if (signal.aborted) return;
    figure.setAttribute('aria-busy', 'false');
    figure.classList.toggle('refused', message !== '');
    if (message !== '') facts.textContent = 'Not rendered';
    onDone(message);
  }, PAUSE_MS);
}

/**
 * @param {Wanted} wanted
 * @param {AbortSignal} signal
 * @returns {Promise<string>} Why there is no rendering, or `''`.
 */
async function show({ url, shownAs, alt }, signal) {
  const blob = await fetchImage(url, signal);
  if (typeof blob === 'string') return blob;
  const shown = shownAs === url ? blob : await fetchImage(shownAs, signal);
  if (typeof shown === 'string') return shown;
  // The new element is decoded before it replaces the old one, so that the page never shows half an image.
  const image = createElement('img', { id: 'rendering', alt, src: URL.createObjectURL(shown) });
  try {
    await image.decode();
    if (signal.aborted) return '';
    const old = byId('rendering', HTMLImageElement);
    old.replaceWith(image);
    if (old.src.startsWith('blob:')) URL.revokeObjectURL(old.src);
  } catch {
    URL.revokeObjectURL(image.src);
    return 'The browser cannot show this image.';
  }
  const note = shownAs === url ? '' : ' (shown as PNG)';
  facts.textContent =
    `${image.naturalWidth} × ${image.naturalHeight} pixels · ${formatBytes(blob.size)} · ` +
    `${formatType(blob.type)}${note}`;
  return '';
}

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<Blob | string>} The image, or the server's message.
 */
async function fetchImage(url, signal) {
  const response = await fetch(url, { signal });
  const text = response.headers.get('content-type')?.startsWith('text/plain');
  if (response.ok) return response.blob();
  return text ? (await response.text()).trim() : `The server responded with ${response.status}.`;
}
