// Saves one picture in several widths and formats, one after another, until the visitor stops it. What is refused is
// reported at the end.

import { extensionOf, saveUrl } from './command.js';
import { byId, inputById, showError } from './dom.js';
import { updateGallery } from './gallery.js';
import { getPlace, save } from './save.js';

/** @typedef {import('./command.js').Choices} Choices */
/** @typedef {import('./save.js').Reply} Reply */

const form = byId('set', HTMLFormElement);
const nameField = inputById('set-name');
const button = byId('set-button', HTMLButtonElement);
const stopButton = byId('stop', HTMLButtonElement);
const progress = byId('set-progress', HTMLElement);
const status = byId('set-status', HTMLElement);

let running = false;
let stopped = false;

/**
 * Connects the form.
 *
 * @param {() => Choices} readChoices
 * @param {() => void} clearRefusals
 * @param {(message: string) => void} showRenderingError
 */
export function setUpSet(readChoices, clearRefusals, showRenderingError) {
  const updateButton = () => {
    const count = planSaves(readChoices()).length;
    button.textContent = `Save ${count} ${count === 1 ? 'image' : 'images'}`;
  };
  form.addEventListener('change', (event) => {
    updateButton();
    // A typed name keeps its error until the next save, because text that disappears would move what the visitor
    // clicks to leave the field.
    if (event.target !== nameField) showError('set-error', '', [nameField]);
  });
  updateButton();
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) return;
    clearRefusals();
    void run(planSaves(readChoices()), showRenderingError);
  });
  stopButton.addEventListener('click', () => {
    stopped = true;
    status.textContent = 'Stopping after this image…';
  });
}

/** @param {Choices} choices */
function planSaves(choices) {
  return checkedValues('set-widths').flatMap((wid) =>
    checkedValues('set-formats').map((fmt) => {
      const name = `${nameField.value}-${wid}.${extensionOf(fmt)}`;
      return { name, url: saveUrl({ ...choices, wid, hei: '', fmt }, name) };
    }),
  );
}

/** @param {string} id */
function checkedValues(id) {
  return [...byId(id, HTMLElement).querySelectorAll('input')]
    .filter((box) => box.checked)
    .map((box) => box.value);
}

/**
 * @param {{ name: string, url: string }[]} saves
 * @param {(message: string) => void} showRenderingError
 */
async function run(saves, showRenderingError) {
  if (saves.length === 0) {
    status.textContent = '';
    showError('set-error', 'Choose at least one width and one format.');
    return;
  }
  setRunning(true);
  let done = 0;
  /** @type {(Reply & { name: string })[]} */
  const refusals = [];
  showCount(0, 0, saves.length);
  for (const { name, url } of saves) {
    if (stopped) break;
    const reply = await save(url);
    if (reply.done) done++;
    else refusals.push({ ...reply, name });
    showCount(done, refusals.length, saves.length);
    if (reply.done) void updateGallery();
  }
  setRunning(false);
  status.textContent = describeEnd(done, refusals.length, saves.length);
  showRefusals(refusals, showRenderingError);
  await updateGallery();
}

/**
 * Shows what was refused where the mistake is: in the name, or in how the picture is rendered.
 *
 * @param {(Reply & { name: string })[]} refusals
 * @param {(message: string) => void} showRenderingError
 */
function showRefusals(refusals, showRenderingError) {
  const isRendering = (/** @type {Reply} */ { code }) => getPlace(code) === 'rendering';
  const rendering = refusals.filter(isRendering);
  const others = refusals.filter((refusal) => !isRendering(refusal));
  if (rendering.length > 0) showRenderingError(describeRefusals(rendering));
  const isNameWrong = others.some(({ code }) => getPlace(code) === 'name');
  if (others.length > 0) showError('set-error', describeRefusals(others), isNameWrong ? [nameField] : []);
}

/**
 * Each message once, with the names that it is about.
 *
 * @param {(Reply & { name: string })[]} refusals
 */
function describeRefusals(refusals) {
  /** @type {Map<string, string[]>} */
  const names = new Map();
  for (const { name, message } of refusals) names.set(message, [...(names.get(message) ?? []), name]);
  return [...names].map(([message, refused]) => `${refused.join(', ')}: ${message}`).join(' ');
}

/**
 * @param {number} done
 * @param {number} refused
 * @param {number} total
 */
function describeEnd(done, refused, total) {
  if (done === total) return `All ${total} saved.`;
  const counts = `${done} of ${total} saved${refused > 0 ? `, ${refused} refused` : ''}.`;
  return done + refused < total ? `Stopped: ${counts}` : counts;
}

/** @param {boolean} isRunning */
function setRunning(isRunning) {
  running = isRunning;
  stopped = false;
  // The keyboard focus moves from the button that disappears to the one that takes its place.
  const focused = document.activeElement === (isRunning ? button : stopButton);
  button.hidden = isRunning;
  stopButton.hidden = !isRunning;
  if (focused) (isRunning ? stopButton : button).focus();
  progress.hidden = !isRunning;
}

/**
 * @param {number} done
 * @param {number} refused
 * @param {number} total
 */
function showCount(done, refused, total) {
  const bar = /** @type {HTMLProgressElement} */ (progress.firstElementChild);
  bar.max = total;
  bar.value = done + refused;
  if (!stopped) status.textContent = `${done} of ${total} saved${refused > 0 ? `, ${refused} refused` : ''}…`;
}
