// The page itself: reads the choices, requests renderings, and saves them.

import {
  canBeTransparent,
  centredBox,
  curlLine,
  hasQuality,
  renderUrl,
  saveUrl,
  suggestedName,
  withFormat,
} from './command.js';
import { byId, createElement, formatBytes, inputById, showError } from './dom.js';
import { updateGallery } from './gallery.js';
import { requestRendering } from './preview.js';
import { getPlace, save } from './save.js';
import { setUpSet } from './set.js';

/** @typedef {{ id: string, width: number, height: number }} Picture */
/** @typedef {import('./command.js').Choices} Choices */
/** @typedef {import('./save.js').Reply} Reply */

const choicesForm = byId('choices', HTMLFormElement);
const nameField = inputById('name');
const setNameField = inputById('set-name');
const saveButton = byId('save-button', HTMLButtonElement);
const cropSelect = byId('crop', HTMLSelectElement);
const cropFields = [...byId('crop-box', HTMLElement).querySelectorAll('input')];
const fmtSelect = byId('fmt', HTMLSelectElement);
const fitSelect = byId('fit', HTMLSelectElement);

/** The elements that show what is wrong with a command, and the fields that set this command. */
const PLACES = {
  'size-error': { commands: ['wid', 'hei', 'scl', 'fit'], fields: [inputById('wid'), inputById('hei')] },
  'format-error': { commands: ['fmt', 'qlt', 'bgc'], fields: [inputById('qlt')] },
  'crop-error': { commands: ['crop'], fields: cropFields },
  'rotate-error': { commands: ['rotate'], fields: [inputById('rotate')] },
};

/** @type {Map<string, Picture>} */
const pictures = new Map();
let suggestion = '';
let setSuggestion = '';
let format = fmtSelect.value;
let saving = false;

await start();

async function start() {
  const response = await fetch('/pictures.json');
  for (const picture of /** @type {Picture[]} */ (await response.json())) pictures.set(picture.id, picture);
  byId('pictures', HTMLElement).append(...[...pictures.keys()].map(createPictureChoice));
  linkSlider('qlt');
  linkSlider('rotate');
  choicesForm.addEventListener('input', update);
  choicesForm.addEventListener('submit', (event) => {
    event.preventDefault();
  });
  byId('save', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    if (!saving) void saveNow();
  });
  byId('copy', HTMLButtonElement).addEventListener('click', () => void copy());
  update();
  setUpSet(readChoices, clearRefusals, (message) => {
    showError('render-error', message);
  });
  await updateGallery();
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
  const image = createElement('img', {
    src: `/is/image/${id}?wid=240&hei=160&fit=crop`,
    alt: '',
    width: 120,
    height: 80,
  });
  return createElement('label', {}, radio, image, createElement('span', {}, id));
}

/**
 * Keeps a field and its slider at the same value.
 *
 * @param {string} id
 */
function linkSlider(id) {
  const field = inputById(id);
  const range = inputById(`${id}-range`);
  range.addEventListener('input', () => (field.value = range.value));
  field.addEventListener('input', () => (range.value = field.value));
}

/** @returns {Picture} */
function readPicture() {
  const id = String(new FormData(choicesForm).get('picture'));
  return pictures.get(id) ?? { id, width: 1, height: 1 };
}

/** @returns {Choices} */
function readChoices() {
  return {
    picture: readPicture().id,
    crop: cropSelect.value === '' ? '' : cropFields.map((field) => field.value).join(','),
    rotate: inputById('rotate').value,
    wid: inputById('wid').value,
    hei: inputById('hei').value,
    fit: fitSelect.value,
    bgc: inputById('bgc').value.slice(1),
    transparent: inputById('transparent').checked,
    fmt: fmtSelect.value,
    qlt: inputById('qlt').value,
  };
}

/** Applies the current choices to the controls, the names and the rendering. */
function update() {
  updateCrop();
  const choices = readChoices();
  updateControls(choices);
  updateNames(choices);
  requestRendering(
    {
      url: renderUrl(choices),
      shownAs: renderUrl(choices.fmt === 'tif' ? { ...choices, fmt: 'png' } : choices),
      alt: `${choices.picture}, rendered with the current settings`,
    },
    showRenderingError,
  );
}

function updateCrop() {
  const own = cropSelect.value === 'own';
  const picture = readPicture();
  byId('crop-box', HTMLElement).hidden = !own;
  if (own) return;
  const box = centredBox(picture, Number(cropSelect.value) || picture.width / picture.height);
  cropFields.forEach((field, at) => (field.value = String(box[at])));
}

/** @param {Choices} choices */
function updateControls({ fmt, wid, hei, transparent }) {
  const alpha = canBeTransparent(fmt);
  byId('fit-label', HTMLElement).hidden = wid === '' || hei === '';
  inputById('transparent').disabled = !alpha;
  byId('transparent-hint', HTMLElement).textContent = alpha ? '' : '(not in a JPEG)';
  inputById('bgc').disabled = alpha && transparent;
  for (const id of ['qlt', 'qlt-range']) inputById(id).disabled = !hasQuality(fmt);
}

/** @param {Choices} choices */
function updateNames(choices) {
  const isSuggested = nameField.value === suggestion || nameField.value === '';
  suggestion = suggestedName(choices);
  const name = isSuggested ? suggestion : withFormat(nameField.value, format, choices.fmt);
  // A refusal concerns a name together with the format.
  if (name !== nameField.value || format !== choices.fmt) showError('name-error', '', [nameField]);
  nameField.value = name;
  format = choices.fmt;

  const isSetSuggested = setNameField.value === setSuggestion || setNameField.value === '';
  if (isSetSuggested && setNameField.value !== choices.picture) {
    showError('set-error', '', [setNameField]);
    setNameField.value = choices.picture;
  }
  setSuggestion = choices.picture;
}

/** @param {string} message The renderer's error, which starts with the name of the command, or `''`. */
function showRenderingError(message) {
  const command = /^\w+/.exec(message)?.[0] ?? '';
  let isShown = false;
  for (const [id, { commands, fields }] of Object.entries(PLACES)) {
    const isHere = commands.includes(command);
    showError(id, isHere ? message : '', fields);
    isShown ||= isHere;
  }
  showError('render-error', isShown ? '' : message);
}

async function saveNow() {
  const url = saveUrl(readChoices(), nameField.value);
  setSaving(true);
  const reply = await save(url);
  setSaving(false);
  showReply(url, reply);
  await updateGallery();
}

/** @param {boolean} isSaving */
function setSaving(isSaving) {
  saving = isSaving;
  // The attribute `disabled` would take the keyboard focus away from the button.
  saveButton.setAttribute('aria-disabled', String(isSaving));
  byId('save-progress', HTMLElement).hidden = !isSaving;
  if (!isSaving) return;
  byId('save-status', HTMLElement).textContent = `Saving ${nameField.value}…`;
  clearRefusals();
}

/** Removes the errors of earlier saves: the page shows only those of the latest save or set. */
function clearRefusals() {
  showError('name-error', '', [nameField]);
  showError('set-error', '', [setNameField]);
  showError('general-error', '');
  showError('render-error', '');
}

/**
 * @param {string} url
 * @param {Reply} reply
 */
function showReply(url, reply) {
  const { properties } = reply;
  byId('result', HTMLElement).hidden = false;
  byId('curl', HTMLElement).textContent = curlLine(location.origin + url);
  byId('copy-status', HTMLElement).textContent = '';
  byId('reply-status', HTMLElement).textContent = reply.status;
  byId('properties', HTMLElement).replaceChildren(...[...properties].map(createRow));
  byId('save-status', HTMLElement).textContent = reply.done
    ? `Saved ${properties.get('name')}: ${properties.get('image.width')} × ${properties.get('image.height')} ` +
      `pixels, ${formatBytes(Number(properties.get('image.length')))}.`
    : '';
  if (!reply.done) showRefusal(reply);
}

/** @param {[key: string, value: string]} property */
function createRow([key, value]) {
  return createElement('tr', {}, createElement('th', { scope: 'row' }, key), createElement('td', {}, value));
}

/** @param {Reply} reply */
function showRefusal({ code, message }) {
  const place = getPlace(code);
  if (place === 'rendering') {
    showError('render-error', `Not saved. ${message}`);
  } else if (place === 'name') {
    showError('name-error', message, [nameField]);
    nameField.focus();
  } else {
    showError('general-error', `Not saved. ${message}`);
  }
}

async function copy() {
  const line = byId('curl', HTMLElement);
  const status = byId('copy-status', HTMLElement);
  try {
    await navigator.clipboard.writeText(line.textContent ?? '');
    status.textContent = 'Copied';
  } catch {
    // Browsers give only secure pages access to the clipboard.
    getSelection()?.selectAllChildren(line);
    status.textContent = 'Selected. Copy it with the keyboard.';
  }
}
