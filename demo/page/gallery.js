// Shows what the server has saved.

import { byId, make, readableBytes, readableType, showError } from './dom.js';

/** @typedef {{ name: string, bytes: number, width: number, height: number, type: string, time: number }} Saved */

const list = byId('gallery', HTMLUListElement);
let latest = 0;

/** Loads the list anew; of several that are under way, the one asked for last is shown. */
export async function updateGallery() {
  const turn = ++latest;
  const answer = await load();
  if (turn !== latest) return;
  showError(
    'gallery-error',
    answer === undefined ? 'The list could not be loaded. Is the server running?' : '',
  );
  if (answer === undefined) return;
  const { total, images } = answer;
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
  // What has not changed keeps its element, and with it the keyboard's focus.
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
  return make(
    'li',
    {},
    thumbnail(`${url}?${time}`, type),
    make('a', { href: url }, name),
    make(
      'p',
      {},
      `${width} × ${height} · `,
      make('data', { value: String(bytes) }, readableBytes(bytes)),
      ` · ${readableType(type)}`,
    ),
    make(
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
  const box = make('div', { className: 'thumbnail' });
  const image = make('img', { alt: '', loading: 'lazy', src });
  // Browsers show no TIFF.
  image.addEventListener('error', () => {
    image.replaceWith(make('span', {}, readableType(type)));
  });
  box.append(image);
  return box;
}
