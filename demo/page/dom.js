// Finds and creates elements, shows errors at their fields, and formats sizes.

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
 * Shows a message and marks the one field that it is about. An empty message removes both.
 *
 * @param {string} id The id of the element that shows the message.
 * @param {string} message
 * @param {Element | null} [field]
 */
export function showError(id, message, field = null) {
  byId(id, HTMLElement).textContent = message;
  for (const old of document.querySelectorAll(`[aria-errormessage="${id}"]`)) {
    old.removeAttribute('aria-invalid');
    old.removeAttribute('aria-errormessage');
  }
  if (message === '' || field === null) return;
  field.setAttribute('aria-invalid', 'true');
  field.setAttribute('aria-errormessage', id);
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(2)} MB`;
}
