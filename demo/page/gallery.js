// Lists the images that the server has saved.

import { byId, createElement, formatBytes, formatType, showError } from './dom.js';

/** @typedef {{ name: string, bytes: number, width: number, height: number, type: string, time: number }} Saved */

const list = byId('gallery', HTMLUListElement);
let lastReload = 0;

/** Reloads the list. Of several reloads at once, only the latest is shown. */
export async function updateGallery() {
  const reload = ++lastReload;
  const saved = await load();
  if (reload !== lastReload) return;
  showError(
    'gallery-error',
    saved === undefined ? 'The list could not be loaded. Is the server running?' : '',
  );
  if (saved === undefined) return;
  const { total, images } = saved;
  byId('gallery-count', HTMLElement).textContent =
    images.length < total ? `${images.length} of ${total}` : String(total);
  byId('gallery-empty', HTMLElement).hidden = images.length > 0;
  show(images);
}

/** @returns {Promise<{ total: number, images: Saved[] } | undefined>} */
async function load() {
  try {
    const response = await fetch('/saved.json');
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/** @param {Saved[]} images */
function show(images) {
  // Unchanged images keep their elements, so that the keyboard focus stays.
  const old = new Map(
    [...list.children].map((item) => [/** @type {HTMLElement} */ (item).dataset['key'], item]),
  );
  const items = images.map((image) => {
    const key = `${image.name}?${image.time}`;
    const item = old.get(key) ?? card(image);
    /** @type {HTMLElement} */ (item).dataset['key'] = key;
    return item;
  });
  for (const item of old.values()) if (!items.includes(item)) item.remove();
  items.forEach((item, at) => {
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  });
}

/** @param {Saved} image */
function card({ name, bytes, width, height, type, time }) {
  const url = `/saved/${name.split('/').map(encodeURIComponent).join('/')}`;
  const saved = new Date(time);
  return createElement(
    'li',
    {},
    thumbnail(`${url}?${time}`, type),
    createElement('a', { href: url }, name),
    createElement(
      'p',
      {},
      `${width} × ${height} · `,
      createElement('data', { value: String(bytes) }, formatBytes(bytes)),
      ` · ${formatType(type)}`,
    ),
    createElement(
      'time',
      { dateTime: saved.toISOString() },
      saved.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' }),
    ),
  );
}

/**
 * @param {string} src
 * @param {string} type
 */
function thumbnail(src, type) {
  const box = createElement('div', { className: 'thumbnail' });
  const image = createElement('img', { alt: '', loading: 'lazy', src });
  // Browsers do not show TIFF: its type takes the place of the thumbnail.
  image.addEventListener('error', () => {
    image.replaceWith(createElement('span', {}, formatType(type)));
  });
  box.append(image);
  return box;
}
