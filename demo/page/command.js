// What was chosen → the URL that renders it, the URL that saves it, and the same as a line for a shell.

/**
 * What a person can choose. Numbers are as they were typed: the server says what is wrong with them.
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

/** The formats, each with the extension of its files. */
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
    .map(([name, value]) => `${name}=${encoded(value)}`);
  return `/is/image/${encoded(choices.picture)}?${query.join('&')}`;
}

/**
 * @param {Choices} choices
 * @param {string} name
 */
export function saveUrl(choices, name) {
  return `${renderUrl(choices)}&req=saveToFile&name=${encoded(name)}`;
}

/**
 * The line that does in a shell what the page has done.
 *
 * @param {string} url An absolute URL, in which {@link encoded} has left no quote.
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
 * A name that someone has typed, once another format was chosen: only an extension that was right changes.
 *
 * @param {string} name
 * @param {string} before
 * @param {string} fmt
 */
export function renamed(name, before, fmt) {
  const extension = `.${extensionOf(before)}`;
  return name.endsWith(extension) ? `${name.slice(0, -extension.length)}.${extensionOf(fmt)}` : name;
}

/** @param {string} fmt */
export function extensionOf(fmt) {
  return EXTENSIONS[/** @type {keyof typeof EXTENSIONS} */ (fmt)];
}

/**
 * The largest box of some proportions in the middle of a picture, as crop= takes it.
 *
 * @param {{ width: number, height: number }} picture
 * @param {number} ratio Width by height.
 */
export function middleBox({ width, height }, ratio) {
  const w = Math.min(width, Math.round(height * ratio));
  const h = Math.min(height, Math.round(width / ratio));
  return [Math.floor((width - w) / 2), Math.floor((height - h) / 2), w, h];
}

/**
 * Encodes a value so that it is safe in a query and between a shell's quotes; commas and slashes stay readable.
 *
 * @param {string} text
 */
function encoded(text) {
  return encodeURIComponent(text)
    .replace(/['()!*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
    .replaceAll('%2C', ',')
    .replaceAll('%2F', '/');
}
