// Turns the choices on the page into the URL that renders, the URL that saves, and the command of a set.

/**
 * The choices by the names of the form's fields. Numbers stay as typed: the server checks them.
 *
 * @typedef {Record<string, string>} Choices
 */

/** @param {string} fmt */
export const extensionOf = (fmt) => (fmt === 'jpeg' ? 'jpg' : fmt.replace('-alpha', ''));

/** @param {string} fmt */
export const hasQuality = (fmt) => !fmt.startsWith('png');

/** @param {Choices} choices */
export function renderUrl({ picture = '', crop = '', wid = '', hei = '', fit = '', fmt = '', qlt = '' }) {
  const commands = {
    crop,
    wid,
    hei,
    fit: wid !== '' && hei !== '' ? fit : '',
    fmt: fmt === 'jpeg' ? '' : fmt,
    qlt: hasQuality(fmt) && qlt !== '80' ? qlt : '',
  };
  const query = Object.entries(commands)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}=${encode(value)}`);
  return `/is/image/${encode(picture)}${query.length > 0 ? '?' : ''}${query.join('&')}`;
}

/**
 * @param {string} url A URL that renders.
 * @param {string} name
 */
export function saveUrl(url, name) {
  return `${url}${url.includes('?') ? '&' : '?'}req=saveToFile&name=${encode(name)}`;
}

/** @param {Choices} choices */
export function suggestName({ picture = '', wid = '', hei = '', fmt = '' }) {
  const size = wid !== '' && hei !== '' ? `${wid}x${hei}` : wid || (hei && `h${hei}`);
  return `${picture}${size && `-${size}`}.${extensionOf(fmt)}`;
}

/**
 * The command that saves the picture in every width and format.
 *
 * @param {Choices} choices
 * @param {string[]} widths
 * @param {string[]} formats
 */
export function batchCommand(choices, widths, formats) {
  const url = renderUrl({ ...choices, wid: '', hei: '', fmt: 'jpeg' });
  const places = `${url.includes('?') ? '&' : '?'}wid={wid}&fmt={fmt}`;
  return [
    `npx express-image-save batch --server ${location.origin}`,
    `--url "${url}${places}" --name "${choices['picture']}-{wid}.{fmt}"`,
    `--set wid=${widths.join(',')} --set fmt=${formats.join(',')}`,
  ].join(' ');
}

/**
 * Encodes a value for a query that may stand between a shell's quotes. Commas and slashes stay readable.
 *
 * @param {string} text
 */
function encode(text) {
  return encodeURIComponent(text)
    .replace(/['()!*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
    .replaceAll('%2C', ',')
    .replaceAll('%2F', '/');
}
