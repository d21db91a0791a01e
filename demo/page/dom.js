// Finds and makes elements, and writes figures so that people can read them.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`The page has no ${type.name} with the id ${id}`);
  return element;
}

/** @param {string} id */
export const inputOf = (id) => byId(id, HTMLInputElement);

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} properties
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * Shows a message at a place of the page, and marks the fields that it is about.
 *
 * @param {string} id The place.
 * @param {string} message Empty to take it away.
 * @param {readonly HTMLElement[]} [fields]
 */
export function showError(id, message, fields = []) {
  const place = byId(id, HTMLElement);
  if (place.textContent !== message) place.textContent = message;
  for (const field of fields) {
    if (message === '') field.removeAttribute('aria-invalid');
    else field.setAttribute('aria-invalid', 'true');
    field.setAttribute('aria-describedby', id);
  }
  if (message !== '') place.scrollIntoView({ block: 'nearest' });
}

/** @param {number} bytes */
export function readableBytes(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(2)} MB`;
}

/** @param {string} type A media type. */
export function readableType(type) {
  return type === 'image/webp' ? 'WebP' : type.replace(/^image\//, '').toUpperCase();
}
