// Shows the rendering of the current choices: requests it when changes pause, and ignores all responses but the latest.

import { byId, createElement, formatBytes } from './dom.js';

/** How long changes must pause before a request. */
const PAUSE_MS = 150;

const figure = byId('preview', HTMLElement);
const facts = byId('facts', HTMLElement);

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let current = new AbortController();

/**
 * @param {string} url
 * @param {string} alt
 * @param {(message: string) => void} onDone Called with the renderer's reason for a failure, or with `''`.
 */
export function requestRendering(url, alt, onDone) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  figure.setAttribute('aria-busy', 'true');
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const message = await show(url, alt, signal).catch(
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
 * @param {string} url
 * @param {string} alt
 * @param {AbortSignal} signal
 * @returns {Promise<string>} Why there is no rendering, or `''`.
 */
async function show(url, alt, signal) {
  const response = await fetch(url, { signal });
  if (!response.ok) return (await response.text()).trim();
  const blob = await response.blob();
  // The new element is decoded before it replaces the old one, so that the page never shows half an image.
  const image = createElement('img', {
    id: 'rendering',
    alt,
    draggable: false,
    src: URL.createObjectURL(blob),
  });
  await image.decode();
  if (signal.aborted) return '';
  const old = byId('rendering', HTMLImageElement);
  old.replaceWith(image);
  if (old.src.startsWith('blob:')) URL.revokeObjectURL(old.src);
  const type = blob.type.replace('image/', '').toUpperCase();
  facts.textContent = `${image.naturalWidth} × ${image.naturalHeight} · ${formatBytes(blob.size)} · ${type}`;
  return '';
}
