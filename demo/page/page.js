// The page itself: what is chosen, the rendering of it, and saving it.

import {
  canBeTransparent,
  curlLine,
  hasQuality,
  middleBox,
  renamed,
  renderUrl,
  saveUrl,
  suggestedName,
} from './command.js';
import { byId, inputOf, make, readableBytes, showError } from './dom.js';
import { updateGallery } from './gallery.js';
import { askForRendering } from './preview.js';
import { placeOf, save } from './save.js';
import { setUpSet } from './set.js';

/** @typedef {{ id: string, width: number, height: number }} Picture */
/** @typedef {import('./command.js').Choices} Choices */
/** @typedef {import('./save.js').Answer} Answer */

const choicesForm = byId('choices', HTMLFormElement);
const nameField = inputOf('name');
const saveButton = byId('save-button', HTMLButtonElement);
const cropSelect = byId('crop', HTMLSelectElement);
const cropFields = [...byId('crop-box', HTMLElement).querySelectorAll('input')];
const fmtSelect = byId('fmt', HTMLSelectElement);
const fitSelect = byId('fit', HTMLSelectElement);

/** Where the page says what is wrong with a command, and the fields that it is about. */
const PLACES = {
  'size-error': { commands: ['wid', 'hei', 'scl', 'fit'], fields: [inputOf('wid'), inputOf('hei')] },
  'format-error': { commands: ['fmt', 'qlt', 'bgc'], fields: [inputOf('qlt')] },
  'crop-error': { commands: ['crop'], fields: cropFields },
  'rotate-error': { commands: ['rotate'], fields: [inputOf('rotate')] },
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
  byId('pictures', HTMLElement).append(...[...pictures.keys()].map(pictureChoice));
  pairUp('qlt');
  pairUp('rotate');
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
  setUpSet(chosen, (message) => {
    showError('render-error', message);
  });
  await updateGallery();
}

/**
 * @param {string} id
 * @param {number} at
 */
function pictureChoice(id, at) {
  const radio = make('input', { type: 'radio', name: 'picture', value: id, defaultChecked: at === 0 });
  // Larger than it is shown, for dense screens.
  const image = make('img', {
    src: `/is/image/${id}?wid=240&hei=160&fit=crop`,
    alt: '',
    width: 120,
    height: 80,
  });
  return make('label', {}, radio, image, make('span', {}, id));
}

/**
 * Keeps a slider and its field at the same value.
 *
 * @param {string} id
 */
function pairUp(id) {
  const field = inputOf(id);
  const range = inputOf(`${id}-range`);
  range.addEventListener('input', () => (field.value = range.value));
  field.addEventListener('input', () => (range.value = field.value));
}

/** @returns {Picture} */
function chosenPicture() {
  const id = String(new FormData(choicesForm).get('picture'));
  return pictures.get(id) ?? { id, width: 1, height: 1 };
}

/** @returns {Choices} */
function chosen() {
  return {
    picture: chosenPicture().id,
    crop: cropSelect.value === '' ? '' : cropFields.map((field) => field.value).join(','),
    rotate: inputOf('rotate').value,
    wid: inputOf('wid').value,
    hei: inputOf('hei').value,
    fit: fitSelect.value,
    bgc: inputOf('bgc').value.slice(1),
    transparent: inputOf('transparent').checked,
    fmt: fmtSelect.value,
    qlt: inputOf('qlt').value,
  };
}

/** Brings everything in line with what is chosen now. */
function update() {
  updateCrop();
  const choices = chosen();
  updateControls(choices);
  updateNames(choices);
  askForRendering(
    {
      url: renderUrl(choices),
      shownAs: renderUrl(choices.fmt === 'tif' ? { ...choices, fmt: 'png' } : choices),
      alt: `${choices.picture}, as it is chosen`,
    },
    showRenderingError,
  );
}

function updateCrop() {
  const own = cropSelect.value === 'own';
  const picture = chosenPicture();
  byId('crop-box', HTMLElement).hidden = !own;
  if (own) return;
  const box = middleBox(picture, Number(cropSelect.value) || picture.width / picture.height);
  cropFields.forEach((field, at) => (field.value = String(box[at])));
}

/** @param {Choices} choices */
function updateControls({ fmt, wid, hei, transparent }) {
  const alpha = canBeTransparent(fmt);
  byId('fit-label', HTMLElement).hidden = wid === '' || hei === '';
  inputOf('transparent').disabled = !alpha;
  byId('transparent-hint', HTMLElement).textContent = alpha ? '' : '(a JPEG cannot be)';
  inputOf('bgc').disabled = alpha && transparent;
  for (const id of ['qlt', 'qlt-range']) inputOf(id).disabled = !hasQuality(fmt);
}

/** @param {Choices} choices */
function updateNames(choices) {
  const untouched = nameField.value === suggestion || nameField.value === '';
  suggestion = suggestedName(choices);
  nameField.value = untouched ? suggestion : renamed(nameField.value, format, choices.fmt);
  format = choices.fmt;
  const setName = inputOf('set-name');
  if (setName.value === setSuggestion || setName.value === '') setName.value = choices.picture;
  setSuggestion = choices.picture;
}

/** @param {string} message What the renderer has against it, which starts with the command, or nothing. */
function showRenderingError(message) {
  const command = /^\w+/.exec(message)?.[0] ?? '';
  let placed = false;
  for (const [id, { commands, fields }] of Object.entries(PLACES)) {
    const here = commands.includes(command);
    showError(id, here ? message : '', fields);
    placed ||= here;
  }
  showError('render-error', placed ? '' : message);
}

async function saveNow() {
  const url = saveUrl(chosen(), nameField.value);
  setSaving(true);
  const answer = await save(url);
  setSaving(false);
  showAnswer(url, answer);
  await updateGallery();
}

/** @param {boolean} now */
function setSaving(now) {
  saving = now;
  // Not disabled: that would take the focus away from whoever has just pressed it.
  saveButton.setAttribute('aria-disabled', String(now));
  byId('save-progress', HTMLElement).hidden = !now;
  if (!now) return;
  byId('save-status', HTMLElement).textContent = `Saving ${nameField.value}…`;
  showError('name-error', '', [nameField]);
  showError('general-error', '');
  showError('render-error', '');
}

/**
 * @param {string} url
 * @param {Answer} answer
 */
function showAnswer(url, answer) {
  const { properties } = answer;
  byId('result', HTMLElement).hidden = false;
  byId('curl', HTMLElement).textContent = curlLine(location.origin + url);
  byId('copy-status', HTMLElement).textContent = '';
  byId('answer-status', HTMLElement).textContent = answer.status;
  byId('properties', HTMLElement).replaceChildren(...[...properties].map(propertyRow));
  byId('save-status', HTMLElement).textContent = answer.done
    ? `Saved ${properties.get('name')}: ${properties.get('image.width')} × ${properties.get('image.height')} ` +
      `pixels, ${readableBytes(Number(properties.get('image.length')))}.`
    : '';
  if (!answer.done) showRefusal(answer);
}

/** @param {[key: string, value: string]} property */
function propertyRow([key, value]) {
  return make('tr', {}, make('th', { scope: 'row' }, key), make('td', {}, value));
}

/** @param {Answer} answer */
function showRefusal({ code, message }) {
  const place = placeOf(code);
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
    // Browsers lend the clipboard to secure pages only.
    getSelection()?.selectAllChildren(line);
    status.textContent = 'Selected: copy it by keyboard';
  }
}
