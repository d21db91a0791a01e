// Crops by dragging on the rendering: turns the rectangle into pixels of the picture.

import { byId } from './dom.js';

/** @typedef {{ left: number, top: number, width: number, height: number }} Box */

/** A shorter drag, in pixels of the screen, is a click. */
const MIN_DRAG = 8;

const canvas = byId('canvas', HTMLElement);
const selection = byId('selection', HTMLElement);

/** @param {(drawn: Box) => void} onCrop Gets the rectangle in shares of the rendering, each from 0 to 1. */
export function setUpCrop(onCrop) {
  canvas.addEventListener('pointerdown', (down) => {
    const image = byId('rendering', HTMLImageElement);
    if (down.button !== 0 || down.target !== image) return;
    const [frame, outer] = [image.getBoundingClientRect(), canvas.getBoundingClientRect()];
    canvas.setPointerCapture(down.pointerId);
    const stop = new AbortController();
    const { signal } = stop;
    let box = new DOMRect();
    canvas.addEventListener(
      'pointermove',
      (move) => {
        const x = Math.min(Math.max(move.clientX, frame.left), frame.right);
        const y = Math.min(Math.max(move.clientY, frame.top), frame.bottom);
        box = new DOMRect(
          Math.min(x, down.clientX),
          Math.min(y, down.clientY),
          Math.abs(x - down.clientX),
          Math.abs(y - down.clientY),
        );
        selection.hidden = false;
        selection.style.inset = `${box.top - outer.top - canvas.clientTop}px auto auto ${box.left - outer.left - canvas.clientLeft}px`;
        selection.style.width = `${box.width}px`;
        selection.style.height = `${box.height}px`;
      },
      { signal },
    );
    const end = () => {
      stop.abort();
      selection.hidden = true;
    };
    canvas.addEventListener('pointercancel', end, { signal });
    document.addEventListener('keydown', ({ key }) => key === 'Escape' && end(), { signal });
    canvas.addEventListener(
      'pointerup',
      () => {
        end();
        if (Math.min(box.width, box.height) < MIN_DRAG) return;
        onCrop({
          left: (box.left - frame.left) / frame.width,
          top: (box.top - frame.top) / frame.height,
          width: box.width / frame.width,
          height: box.height / frame.height,
        });
      },
      { signal },
    );
  });
}

/**
 * Turns a rectangle on the rendering into the value of `crop=`.
 *
 * @param {Box} drawn In shares of the rendering.
 * @param {Box} shown The part of the picture that is rendered, in its pixels.
 * @param {{ width: number, height: number }} rendering Its size.
 * @param {string} fit How the part was fitted into the rendering.
 */
export function toCrop(drawn, shown, rendering, fit) {
  const [x, y] = [rendering.width / shown.width, rendering.height / shown.height];
  const uniform = fit === 'crop' ? Math.max(x, y) : fit === 'fit' ? Math.min(x, y) : undefined;
  const width = rendering.width / (uniform ?? x);
  const height = rendering.height / (uniform ?? y);
  /** @type {(start: number, size: number, from: number, share: number) => number} */
  const clamp = (start, size, from, share) =>
    Math.round(Math.min(Math.max(from + share, start), start + size));
  const fromLeft = shown.left + (shown.width - width) / 2;
  const fromTop = shown.top + (shown.height - height) / 2;
  const left = clamp(shown.left, shown.width - 1, fromLeft, drawn.left * width);
  const top = clamp(shown.top, shown.height - 1, fromTop, drawn.top * height);
  const right = clamp(
    left + 1,
    shown.left + shown.width - left - 1,
    fromLeft,
    (drawn.left + drawn.width) * width,
  );
  const bottom = clamp(
    top + 1,
    shown.top + shown.height - top - 1,
    fromTop,
    (drawn.top + drawn.height) * height,
  );
  return [left, top, right - left, bottom - top].join(',');
}
