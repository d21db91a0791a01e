// Saves one picture in several widths and formats, one after another, until all are saved, one is refused, or the
// visitor stops it.

import { extensionOf, saveUrl } from './command.js';
import { byId, inputById, showError } from './dom.js';
import { updateGallery } from './gallery.js';
import { getPlace, save } from './save.js';

/** @typedef {import('./command.js').Choices} Choices */

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
  let refused = '';
  showCount(0, saves.length);
  for (const { name, url } of saves) {
    if (stopped) break;
    const reply = await save(url);
    if (!reply.done) {
      // Most errors concern every image of the set.
      refused = `${name}: ${reply.message}`;
      const place = getPlace(reply.code);
      if (place === 'rendering') showRenderingError(refused);
      else showError('set-error', refused, place === 'name' ? [nameField] : []);
      break;
    }
    showCount(++done, saves.length);
    void updateGallery();
  }
  setRunning(false);
  status.textContent = describeEnd(done, saves.length, refused !== '');
  await updateGallery();
}

/**
 * @param {number} done
 * @param {number} total
 * @param {boolean} refused
 */
function describeEnd(done, total, refused) {
  if (done === total) return `All ${total} saved.`;
  return `${refused ? 'Refused' : 'Stopped'}: ${done} of ${total} saved.`;
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
 * @param {number} total
 */
function showCount(done, total) {
  const bar = /** @type {HTMLProgressElement} */ (progress.firstElementChild);
  bar.max = total;
  bar.value = done;
  if (!stopped) status.textContent = `${done} of ${total} saved…`;
}
