// The page itself: reads the choices, keeps them in the address, shows the rendering, and saves it.

import { setUpAttempts } from './attempts.js';
import { batchCommand, hasQuality, renderUrl, saveUrl, suggestName } from './command.js';
import { setUpCrop, toCrop } from './crop.js';
import { byId, createElement, showError } from './dom.js';
import { exchange, readSaved, showHeld, showRequest } from './exchange.js';
import { requestRendering } from './preview.js';
import { updateStrip } from './strip.js';

const form = byId('form', HTMLFormElement);
const nameField = byId('name', HTMLInputElement);
const saveButton = byId('save-button', HTMLButtonElement);
/** @type {Record<string, string>} */
const INITIAL = { wid: '800', fmt: 'jpeg', fit: 'crop', qlt: '80' };

/** @type {Map<string, { width: number, height: number }>} */
const pictures = new Map();
let suggestion = '';
let isBusy = false;

await start();

async function start() {
  const response = await fetch('/pictures.json');
  for (const { id, width, height } of await response.json()) pictures.set(id, { width, height });
  byId('pictures', HTMLElement).append(...[...pictures.keys()].map(createPictureChoice));
  readAddress();
  form.addEventListener('input', update);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    run(save);
  });
  setUpAttempts(() => readChoices()['picture'] ?? '', run);
  setUpCrop((drawn) => {
    const { naturalWidth: width, naturalHeight: height } = byId('rendering', HTMLImageElement);
    const { wid, hei, fit = '' } = readChoices();
    field('crop').value = toCrop(drawn, shownPart(), { width, height }, wid && hei ? fit : '');
    update();
  });
  for (const button of document.querySelectorAll('[data-copies]')) {
    button.addEventListener('click', () => void copy(/** @type {HTMLElement} */ (button)));
  }
  update();
  await updateStrip();
}

/**
 * @param {string} id
 * @param {number} at
 */
function createPictureChoice(id, at) {
  const radio = createElement('input', {
    type: 'radio',
    name: 'picture',
    value: id,
    defaultChecked: at === 0,
  });
  // Twice the displayed size, for dense screens.
  const image = createElement('img', { src: `/is/image/${id}?wid=168&hei=112&fit=crop`, alt: '' });
  return createElement('label', {}, radio, image, createElement('span', {}, id));
}

/** @param {string} name */
function field(name) {
  return /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name));
}

/** @returns {import('./command.js').Choices} */
function readChoices() {
  const entries = [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]);
  return { ...Object.fromEntries(entries.filter(([name]) => !name?.startsWith('set-'))) };
}

/** The part of the picture that is rendered, in its pixels. */
function shownPart() {
  const { picture = '', crop = '' } = readChoices();
  const [left = 0, top = 0, width, height] = crop.split(',').map(Number);
  const { width: w, height: h } = pictures.get(picture) ?? { width: 1, height: 1 };
  return crop === ''
    ? { left: 0, top: 0, width: w, height: h }
    : { left, top, width: width ?? w, height: height ?? h };
}

/** Applies the choices in the address to the form. */
function readAddress() {
  const given = new URLSearchParams(location.search);
  if (given.size === 0) return;
  for (const [name, value] of Object.entries({ ...INITIAL, wid: '', ...Object.fromEntries(given) })) {
    if (name === 'picture' && !pictures.has(value)) continue;
    const control = form.elements.namedItem(name);
    if (control !== null && 'value' in control && !name.startsWith('set-')) control.value = value;
  }
  suggestion = given.has('name') ? '' : nameField.value;
}

/** Applies the choices to the name, the request, the address, the set and the rendering. */
function update() {
  field('fit').disabled = field('wid').value === '' || field('hei').value === '';
  field('qlt').disabled = !hasQuality(field('fmt').value);
  updateName();
  const choices = readChoices();
  const url = renderUrl(choices);
  showRequest(saveUrl(url, nameField.value));
  if (byId('reply-status', HTMLElement).textContent !== '') {
    byId('reply-note', HTMLElement).textContent = 'to the request before';
  }
  showError('save-error', '');
  const kept = Object.entries(choices).filter(([name, value]) => value !== (INITIAL[name] ?? ''));
  history.replaceState(
    null,
    '',
    `?${new URLSearchParams(kept.filter(([name]) => name !== 'name' || nameField.value !== suggestion))}`,
  );
  updateSet(choices);
  requestRendering(url, `${choices['picture']}, as the server renders it`, (message) => {
    // The renderer's message begins with the command that is wrong.
    const control = form.elements.namedItem(/^\w+/.exec(message)?.[0] ?? '');
    showError('render-error', message, control instanceof Element ? control : null);
  });
}

/** A name follows the choices until it is typed; then only its extension does. */
function updateName() {
  const old = nameField.value;
  const next = suggestName(readChoices());
  if (old === '' || old === suggestion) nameField.value = document.activeElement === nameField ? old : next;
  else if (suggestion !== '' && old.endsWith(extensionIn(suggestion))) {
    nameField.value = old.slice(0, -extensionIn(suggestion).length) + extensionIn(next);
  }
  suggestion = next;
}

/** @param {string} name */
const extensionIn = (name) => name.slice(name.lastIndexOf('.'));

/** @param {import('./command.js').Choices} choices */
function updateSet(choices) {
  const [widths, formats] = ['set-wid', 'set-fmt'].map((name) => new FormData(form).getAll(name).map(String));
  const isEmpty = !widths?.length || !formats?.length;
  byId('batch', HTMLElement).textContent = isEmpty
    ? 'Choose at least one width and one format.'
    : batchCommand(choices, widths, formats);
}

/** @param {() => Promise<void>} act */
function run(act) {
  if (isBusy) return;
  setBusy(true);
  void act().finally(() => {
    setBusy(false);
    return updateStrip();
  });
}

/** @param {boolean} busy */
function setBusy(busy) {
  isBusy = busy;
  // The attribute `disabled` would take the keyboard focus away from the button.
  saveButton.setAttribute('aria-disabled', String(busy));
  byId('reply', HTMLElement).setAttribute('aria-busy', String(busy));
  if (busy) showError('save-error', '');
}

async function save() {
  const name = nameField.value;
  const url = renderUrl(readChoices());
  const { done, code, message } = await exchange(saveUrl(url, name));
  if (done) {
    await showHeld(name, await readSaved(name));
    return;
  }
  await showHeld(name, undefined);
  const isName = /^(name|folder|outside|not-(writable|a-file)|file-exists|(unknown|wrong)-extension)/.test(
    code,
  );
  // The reply names the renderer's status alone. What the renderer says is in its response to the same URL.
  const reason =
    code === 'renderer-status' ? `${message} The renderer says: ${await (await fetch(url)).text()}` : message;
  showError('save-error', reason.trim(), isName ? nameField : null);
  if (isName) nameField.focus();
}

/** @param {HTMLElement} button */
async function copy(button) {
  const source = byId(button.dataset['copies'] ?? '', HTMLElement);
  const text = source.textContent ?? '';
  const status = byId('copied', HTMLElement);
  const label = button.textContent ?? '';
  try {
    await navigator.clipboard.writeText(source.id === 'url' ? `curl '${text}'` : text);
    status.textContent = button.textContent = 'Copied';
    setTimeout(() => (button.textContent = label), 1500);
  } catch {
    // Browsers give only secure pages access to the clipboard.
    getSelection()?.selectAllChildren(source);
    status.textContent = 'Selected. Copy it with the keyboard.';
  }
}
