// Finds and creates elements, shows error messages, and formats sizes and types for people.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`The page has no ${type.name} with id ${id}`);
  return element;
}

/** @param {string} id */
export const inputById = (id) => byId(id, HTMLInputElement);

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} properties
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function createElement(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * Shows an error message and marks the fields that it concerns. An empty message removes both.
 *
 * @param {string} id The id of the element that shows the message.
 * @param {string} message
 * @param {readonly HTMLElement[]} [fields]
 */
export function showError(id, message, fields = []) {
  const element = byId(id, HTMLElement);
  if (element.textContent !== message) element.textContent = message;
  for (const field of fields) {
    if (message === '') field.removeAttribute('aria-invalid');
    else field.setAttribute('aria-invalid', 'true');
    field.setAttribute('aria-describedby', id);
  }
  if (message !== '') element.scrollIntoView({ block: 'nearest' });
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(2)} MB`;
}

/** @param {string} type A media type. */
export function formatType(type) {
  return type === 'image/webp' ? 'WebP' : type.replace(/^image\//, '').toUpperCase();
}
