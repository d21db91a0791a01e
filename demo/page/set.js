// Saves one picture in several widths and formats, one after the other, until all are saved or it is stopped.

import { extensionOf, saveUrl } from './command.js';
import { byId, inputOf, showError } from './dom.js';
import { updateGallery } from './gallery.js';
import { placeOf, save } from './save.js';

/** @typedef {import('./command.js').Choices} Choices */

const form = byId('set', HTMLFormElement);
const nameField = inputOf('set-name');
const button = byId('set-button', HTMLButtonElement);
const stopButton = byId('stop', HTMLButtonElement);
const progress = byId('set-progress', HTMLElement);
const status = byId('set-status', HTMLElement);

let running = false;
let stopped = false;

/**
 * @param {() => Choices} chosen
 * @param {(message: string) => void} showRenderingError
 */
export function setUpSet(chosen, showRenderingError) {
  const describe = () => {
    const count = plannedSaves(chosen()).length;
    button.textContent = `Save ${count} ${count === 1 ? 'image' : 'images'}`;
  };
  form.addEventListener('change', describe);
  describe();
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!running) void run(plannedSaves(chosen()), showRenderingError);
  });
  stopButton.addEventListener('click', () => {
    stopped = true;
    status.textContent = 'Stopping after the image that is being saved…';
  });
}

/** @param {Choices} choices */
function plannedSaves(choices) {
  return ticked('set-widths').flatMap((wid) =>
    ticked('set-formats').map((fmt) => {
      const name = `${nameField.value}-${wid}.${extensionOf(fmt)}`;
      return { name, url: saveUrl({ ...choices, wid, hei: '', fmt }, name) };
    }),
  );
}

/** @param {string} id */
function ticked(id) {
  return [...byId(id, HTMLElement).querySelectorAll('input')]
    .filter((box) => box.checked)
    .map((box) => box.value);
}

/**
 * @param {{ name: string, url: string }[]} saves
 * @param {(message: string) => void} showRenderingError
 */
async function run(saves, showRenderingError) {
  showError('set-error', '', [nameField]);
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
    const answer = await save(url);
    if (!answer.done) {
      // What is wrong with one is most likely wrong with all.
      refused = `${name}: ${answer.message}`;
      const place = placeOf(answer.code);
      if (place === 'rendering') showRenderingError(refused);
      else showError('set-error', refused, place === 'name' ? [nameField] : []);
      break;
    }
    showCount(++done, saves.length);
    void updateGallery();
  }
  setRunning(false);
  status.textContent = ending(done, saves.length, refused !== '');
  await updateGallery();
}

/**
 * @param {number} done
 * @param {number} total
 * @param {boolean} refused
 */
function ending(done, total, refused) {
  if (done === total) return `All ${total} saved.`;
  return `${refused ? 'Refused' : 'Stopped'}: ${done} of ${total} saved.`;
}

/** @param {boolean} now */
function setRunning(now) {
  running = now;
  stopped = false;
  // Whoever works by keyboard stays where the next step is.
  const focused = document.activeElement === (now ? button : stopButton);
  button.hidden = now;
  stopButton.hidden = !now;
  if (focused) (now ? stopButton : button).focus();
  progress.hidden = !now;
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
