// "Try to break it": one-click attempts to damage a saved image, each with what the file's reader gets afterwards.

import { byId, createElement } from './dom.js';
import { exchange, readSaved, showHeld } from './exchange.js';

const NAME = 'precious.jpg';

/** The commands, and what a plain `fs.writeFile` of the rendered response would leave. */
const ATTEMPTS = [
  { label: 'Stop half-way', query: 'fault=half', plain: 'half a picture under this name' },
  { label: 'Error page', query: 'fault=page', plain: 'a page of HTML under this name' },
  { label: 'PNG named .jpg', query: 'fmt=png', plain: 'a PNG that claims to be a JPEG' },
  { label: 'Climb out', query: '', name: `../${NAME}`, plain: 'a file outside the folder' },
  { label: 'Kill the decoder', query: 'fault=kill', plain: '' },
  { label: '20 writers', query: '', plain: 'a mixture, for a reader at the wrong moment' },
  { label: 'Hang', query: 'fault=hang&timeout=2000', plain: '' },
  { label: '1 ms deadline', query: 'timeout=1', plain: '' },
];

/**
 * @param {() => string} getPicture
 * @param {(act: () => Promise<void>) => void} run Runs one save at a time.
 */
export function setUpAttempts(getPicture, run) {
  const buttons = ATTEMPTS.map((attempt) => {
    const button = createElement('button', { type: 'button' }, attempt.label);
    button.addEventListener('click', () => {
      run(() => makeAttempt(getPicture(), attempt));
    });
    return button;
  });
  byId('attempts', HTMLElement).append(...buttons);
}

/**
 * @param {string} picture
 * @param {typeof ATTEMPTS[number]} attempt
 */
async function makeAttempt(picture, { label, query, name = NAME, plain }) {
  const good = saveUrl(picture, 'wid=640', NAME);
  let before = await readSaved(NAME);
  if (before === undefined) {
    await exchange(good);
    before = await readSaved(NAME);
  }
  const isMany = label === '20 writers';
  const meanwhile = isMany ? await writeTwenty(picture) : '';
  const command = [`wid=${isMany ? 620 : 600}`, query].filter(Boolean).join('&');
  const { done } = await exchange(saveUrl(picture, command, name));
  const after = await readSaved(NAME);
  const isOld = before !== undefined && after !== undefined && (await areSame(before, after));
  const refused = isOld ? 'still holds the old image, byte for byte' : 'has changed';
  const verdict = `${meanwhile}${NAME} ${done ? 'holds the new image, whole' : refused}.`;
  await showHeld(NAME, after, verdict, plain && `fs.writeFile would leave ${plain}.`);
}

/** @type {(picture: string, query: string, name: string) => string} */
const saveUrl = (picture, query, name) =>
  `/is/image/${picture}?${query}&req=saveToFile&name=${encodeURIComponent(name)}`;

/**
 * Saves twenty sizes under one name at once, and reads the file between them.
 *
 * @param {string} picture
 */
async function writeTwenty(picture) {
  const [saved, read] = [[], []].map(() => /** @type {Promise<boolean>[]} */ ([]));
  for (let wid = 400; wid < 600; wid += 10) {
    saved?.push(fetch(saveUrl(picture, `wid=${wid}`, NAME), { cache: 'no-store' }).then(({ ok }) => ok));
    read?.push(readSaved(NAME).then(isWhole));
  }
  const [done, whole] = await Promise.all(
    [saved, read].map(async (all) => (await Promise.all(all ?? [])).filter(Boolean).length),
  );
  return `${done} of 20 saved; ${whole} of 20 readers meanwhile got a whole image. `;
}

/** @param {Blob | undefined} file */
async function isWhole(file) {
  if (file === undefined) return false;
  const end = new Uint8Array(await file.slice(-2).arrayBuffer());
  await createImageBitmap(file);
  return end[0] === 0xff && end[1] === 0xd9;
}

/**
 * @param {Blob} one
 * @param {Blob} other
 */
async function areSame(one, other) {
  const [a, b] = await Promise.all(
    [one, other].map(async (blob) => new Uint8Array(await blob.arrayBuffer())),
  );
  return a?.length === b?.length && a?.every((byte, at) => byte === b?.[at]) === true;
}
