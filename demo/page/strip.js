// The strip of saved images, newest first.

import { byId, createElement, formatBytes } from './dom.js';
import { savedUrl } from './exchange.js';

/** @typedef {{ name: string, bytes: number, time: number }} Saved */

const list = byId('saved', HTMLUListElement);

/** Reloads the list. Unchanged images keep their elements, so that the keyboard focus stays. */
export async function updateStrip() {
  const response = await fetch('/saved.json').catch(() => undefined);
  if (!response?.ok) return;
  /** @type {{ total: number, images: Saved[] }} */
  const { total, images } = await response.json();
  byId('count', HTMLElement).textContent = String(total);
  const old = new Map(
    [...list.children].map((item) => [/** @type {HTMLElement} */ (item).dataset['key'], item]),
  );
  list.replaceChildren(...images.map((image) => old.get(keyOf(image)) ?? createItem(image)));
}

/** @param {Saved} image */
const keyOf = ({ name, time }) => `${name}?${time}`;

/** @param {Saved} image */
function createItem(image) {
  const { name, bytes, time } = image;
  const url = savedUrl(name);
  const picture = createElement('img', { alt: '', src: `${url}?${time}` });
  const title = `${name}, ${formatBytes(bytes)}`;
  const link = createElement('a', { href: url, title }, picture, createElement('span', {}, name));
  const item = createElement('li', {}, link);
  item.dataset['key'] = keyOf(image);
  return item;
}
