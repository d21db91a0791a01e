// Turns the choices on the page into URLs that render or save the image, and into a curl command.

/**
 * The choices on the page. Numbers stay as typed: the server checks them.
 *
 * @typedef {object} Choices
 * @property {string} picture
 * @property {string} crop `x,y,width,height`, or empty for the whole picture.
 * @property {string} rotate
 * @property {string} wid
 * @property {string} hei
 * @property {string} fit
 * @property {string} bgc
 * @property {boolean} transparent
 * @property {string} fmt
 * @property {string} qlt
 */

/** The file extension of each format. */
export const EXTENSIONS = { jpeg: 'jpg', webp: 'webp', avif: 'avif', png: 'png', gif: 'gif', tif: 'tif' };

/** @param {string} fmt */
export const hasQuality = (fmt) => ['jpeg', 'webp', 'avif'].includes(fmt);

/** @param {string} fmt */
export const canBeTransparent = (fmt) => fmt !== 'jpeg';

/** @param {Choices} choices */
export function renderUrl(choices) {
  const alpha = choices.transparent && canBeTransparent(choices.fmt);
  const commands = {
    crop: choices.crop,
    rotate: choices.rotate === '0' ? '' : choices.rotate,
    wid: choices.wid,
    hei: choices.hei,
    fit: choices.wid !== '' && choices.hei !== '' ? choices.fit : '',
    bgc: alpha || choices.bgc === 'ffffff' ? '' : choices.bgc,
    fmt: choices.fmt + (alpha ? '-alpha' : ''),
    qlt: hasQuality(choices.fmt) ? choices.qlt : '',
  };
  const query = Object.entries(commands)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}=${encode(value)}`);
  return `/is/image/${encode(choices.picture)}?${query.join('&')}`;
}

/**
 * @param {Choices} choices
 * @param {string} name
 */
export function saveUrl(choices, name) {
  return `${renderUrl(choices)}&req=saveToFile&name=${encode(name)}`;
}

/**
 * Returns the curl command that sends the same request.
 *
 * @param {string} url An absolute URL without quotes, which {@link encode} has removed.
 */
export function curlLine(url) {
  return `curl '${url}'`;
}

/** @param {Choices} choices */
export function suggestedName({ picture, wid, hei, fmt }) {
  const size = wid !== '' && hei !== '' ? `${wid}x${hei}` : wid || (hei && `h${hei}`);
  return `${picture}${size && `-${size}`}.${extensionOf(fmt)}`;
}

/**
 * Adapts a typed name to another format. A name keeps an extension that did not fit the old format.
 *
 * @param {string} name
 * @param {string} before
 * @param {string} fmt
 */
export function withFormat(name, before, fmt) {
  const extension = `.${extensionOf(before)}`;
  return name.endsWith(extension) ? `${name.slice(0, -extension.length)}.${extensionOf(fmt)}` : name;
}

/** @param {string} fmt */
export function extensionOf(fmt) {
  return EXTENSIONS[/** @type {keyof typeof EXTENSIONS} */ (fmt)];
}

/**
 * Returns the largest centred box of the given proportions: left, top, width and height, as for `crop=`.
 *
 * @param {{ width: number, height: number }} picture
 * @param {number} ratio Width divided by height.
 */
export function centredBox({ width, height }, ratio) {
  const w = Math.min(width, Math.round(height * ratio));
  const h = Math.min(height, Math.round(width / ratio));
  return [Math.floor((width - w) / 2), Math.floor((height - h) / 2), w, h];
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
