// A dahlia from above: each petal stands at the golden angle to the one before it, as in the real flower.

import sharp, { type Sharp } from 'sharp';
import { blend, gradient, mix, random, type Colour } from './paint.js';

const SIZE = 1400;
const PETALS = 340;
const RINGS = 24;
const GOLDEN_ANGLE = 180 * (3 - Math.sqrt(5));

const COLOURS: [number, Colour][] = [
  [0, [120, 14, 60]],
  [0.2, [196, 26, 84]],
  [0.5, [236, 70, 112]],
  [0.8, [250, 138, 140]],
  [1, [255, 190, 168]],
];

export function dahlia(): Sharp {
  const petals = Array.from({ length: PETALS }, (_, i) => petal(PETALS - i)).join('');
  return sharp(
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}">
      <defs>
        ${Array.from({ length: RINGS }, (_, ring) => ringColours(ring)).join('')}
        <path id="petal" d="M0 0C-22 -14 -31 -62 -17 -84C-11 -93 -4 -96 0 -101C4 -96 11 -93 17 -84C31 -62 22 -14 0 0Z"/>
        <path id="crease" d="M0 -16Q-3 -60 0 -94M-7 -22Q-15 -58 -10 -84M7 -22Q15 -58 10 -84" fill="none"/>
        <radialGradient id="ground"><stop stop-color="#2f5a3c"/><stop offset="1" stop-color="#0b1d18"/></radialGradient>
        <radialGradient id="hollow">
          <stop stop-color="#3d0420" stop-opacity=".6"/><stop offset="1" stop-color="#3d0420" stop-opacity="0"/>
        </radialGradient>
        <filter id="far" x="-50%" y="-50%" width="200%" height="200%"><feGaussianBlur stdDeviation="38"/></filter>
        <filter id="soft" x="-50%" y="-50%" width="200%" height="200%"><feGaussianBlur stdDeviation="55"/></filter>
      </defs>
      <rect width="100%" height="100%" fill="url(#ground)"/>
      <g filter="url(#far)">${Array.from({ length: 46 }, (_, i) => leaf(i)).join('')}</g>
      <circle cx="725" cy="745" r="540" fill="#03100c" opacity=".65" filter="url(#soft)"/>
      <g transform="translate(700 700)"><circle r="90" fill="#4d0a2e"/>${petals}<circle r="130" fill="url(#hollow)"/></g>
    </svg>`),
  );
}

// From the dark foot of a petal to its light tip; the outer rings are lighter.
function ringColours(ring: number): string {
  const t = ring / (RINGS - 1);
  const stop = (offset: number, at: number) =>
    `<stop offset="${offset}" stop-color="rgb(${gradient(COLOURS, at).map(Math.round).join()})"/>`;
  return `<linearGradient id="ring${ring}" x1="0" y1="1" x2="0" y2="0">
    ${stop(0, 0)}${stop(0.45, mix(0.1, 0.45, t))}${stop(0.85, mix(0.3, 0.85, t))}${stop(1, mix(0.5, 1, t))}
  </linearGradient>`;
}

// Number 1 is the youngest, in the middle. The petals are drawn from the outside inwards, each with a shadow.
function petal(number: number): string {
  const t = Math.sqrt(number / PETALS);
  const length = mix(0.32, 3.05, t ** 0.9) * mix(0.96, 1.04, random(number));
  const width = length * mix(0.72, 0.92, t);
  const angle = number * GOLDEN_ANGLE + 5 * (random(number, 7) - 0.5);
  const place = `rotate(${angle.toFixed(2)}) translate(0 ${(-290 * t ** 1.25).toFixed(1)})`;
  const scaled = (by: number) => `transform="scale(${(width * by).toFixed(3)} ${(length * by).toFixed(3)})"`;
  const ring = Math.min(RINGS - 1, Math.floor(t * RINGS));
  return `<g transform="${place}">
    <use href="#petal" ${scaled(1.1)} fill="#2a0118" opacity=".13"/>
    <use href="#petal" ${scaled(1.045)} fill="#2a0118" opacity=".22"/>
    <use href="#petal" ${scaled(1)} fill="url(#ring${ring})"/>
    <use href="#crease" ${scaled(1)} stroke="#7c0d3f" stroke-width=".9" opacity=".3"/>
  </g>`;
}

function leaf(i: number): string {
  const [x, y, radius] = [SIZE * random(i, 1), SIZE * random(i, 2), mix(30, 150, random(i, 3))];
  const colour = blend([16, 60, 44], [150, 190, 96], random(i, 4) ** 2);
  return `<circle cx="${x}" cy="${y}" r="${radius}" fill="rgb(${colour.map(Math.round).join()})" opacity=".5"/>`;
}
