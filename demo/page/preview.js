// Shows the rendering of what is chosen now: asks when changes pause, and drops every answer but the last.

import { byId, make, readableBytes, readableType } from './dom.js';

/** How long changes must pause, in milliseconds. */
const PAUSE = 150;

/** @typedef {{ url: string, shownAs: string, alt: string }} Wanted */

const figure = byId('preview', HTMLElement);
const facts = byId('facts', HTMLElement);
const link = byId('rendering-link', HTMLAnchorElement);

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let asking = new AbortController();

/**
 * @param {Wanted} wanted The rendering, and the URL of an image that a browser can show in its place.
 * @param {(message: string) => void} onAnswer Told why there is no rendering, or nothing (`''`).
 */
export function askForRendering(wanted, onAnswer) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  figure.setAttribute('aria-busy', 'true');
  link.href = wanted.url;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const message = await show(wanted, signal).catch(() => 'The server did not answer. Is it still running?');
    if (signal.aborted) return;
    figure.setAttribute('aria-busy', 'false');
    figure.classList.toggle('refused', message !== '');
    if (message !== '') facts.textContent = 'Not rendered';
    onAnswer(message);
  }, PAUSE);
}

/**
 * @param {Wanted} wanted
 * @param {AbortSignal} signal
 * @returns {Promise<string>} Why the server has not rendered it, or an empty string.
 */
async function show({ url, shownAs, alt }, signal) {
  const blob = await fetchImage(url, signal);
  if (typeof blob === 'string') return blob;
  const shown = shownAs === url ? blob : await fetchImage(shownAs, signal);
  if (typeof shown === 'string') return shown;
  // A new element is shown once it is decoded, so that there is always a whole picture to look at.
  const image = make('img', { id: 'rendering', alt, src: URL.createObjectURL(shown) });
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
    `${image.naturalWidth} × ${image.naturalHeight} pixels · ${readableBytes(blob.size)} · ` +
    `${readableType(blob.type)}${note}`;
  return '';
}

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<Blob | string>} The image, or what the server says instead.
 */
async function fetchImage(url, signal) {
  const response = await fetch(url, { signal });
  const text = response.headers.get('content-type')?.startsWith('text/plain');
  if (response.ok) return response.blob();
  return text ? (await response.text()).trim() : `The server answered ${response.status}.`;
}
