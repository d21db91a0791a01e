// Northern lights over a mountain lake: everything computed pixel by pixel.

import type { Sharp } from 'sharp';
import {
  blend,
  clamp,
  glow,
  gradient,
  layeredNoise,
  mix,
  noise,
  paint,
  random,
  rise,
  type Colour,
} from './paint.js';

const WIDTH = 1067;
const HEIGHT = 1600;
const SHORE = 1230;

const NIGHT: [number, Colour][] = [
  [0, [6, 9, 28]],
  [0.55, [10, 26, 54]],
  [1, [34, 66, 88]],
];
const GREEN: Colour = [70, 255, 150];
const VIOLET: Colour = [150, 70, 235];

export function aurora(): Sharp {
  return paint(WIDTH, HEIGHT, (x, y) => (y < SHORE ? land(x, y) : water(x, y)));
}

function land(x: number, y: number): Colour {
  const far = SHORE - 90 - 210 * layeredNoise(x / 260, 3, 6) - 120 * rise(700, 1060, x);
  const near = SHORE - 4 - 150 * layeredNoise(x / 330 + 9, 8, 3) * rise(700, 60, x);
  if (y > near - spruce(x)) return [4, 8, 15];
  if (y > far) return mountain(x, y, far);
  return sky(x, y);
}

// How far the tree at x stands out: a row of pointed ones, and a second row between them.
function spruce(x: number): number {
  const tip = (at: number, width: number) => {
    const tree = Math.floor(at / width);
    const fromTrunk = Math.abs(at / width - tree - 0.5) * 2;
    return mix(14, 46, random(tree, width)) * (1 - fromTrunk) + 2 * Math.abs(Math.sin(fromTrunk * 14));
  };
  return Math.max(tip(x, 17), tip(x + 7, 23));
}

function mountain(x: number, y: number, ridge: number): Colour {
  const slope = layeredNoise(x / 46, y / 60 - x / 90, 5);
  const snow = rise(0.44, 0.6, slope) * rise(240, 20, y - ridge);
  const rock = blend([13, 24, 40], [24, 46, 60], (y - ridge) / 300);
  return blend(rock, [86, 132, 140], snow * 0.75);
}

function sky(x: number, y: number): Colour {
  let colour = glow(gradient(NIGHT, y / SHORE), [190, 205, 255], star(x, y) * rise(SHORE, 500, y));
  for (const curtain of [0, 1, 2]) {
    const light = curtainLight(x, y, curtain);
    colour = glow(
      colour,
      blend(VIOLET, GREEN, clamp(light.low)),
      light.strength * [0.85, 0.7, 0.42][curtain]!,
    );
  }
  return colour;
}

// A curtain hangs from a winding line: bright at its lower edge, fading upwards, in vertical rays.
function curtainLight(x: number, y: number, which: number): { strength: number; low: number } {
  const wind = 150 * (noise(x / 210 + which * 31, which) - 0.5) + 46 * (noise(x / 60, which + 5) - 0.5);
  const edge = [760, 540, 960][which]! + wind + [-0.34, 0.3, 0.12][which]! * (x - WIDTH / 2);
  const above = (edge - y) / [560, 420, 300][which]!;
  const rays = mix(0.35, 1, noise(x / 13 + wind / 9, which)) * mix(0.3, 1, noise(x / 120, which + 40));
  const strength = above < 0 ? Math.exp(above * 26) : Math.exp(-above * 3.2) * rise(1.4, 0.2, above);
  return { strength: strength * rays, low: 1.12 - above * 2 };
}

function star(x: number, y: number): number {
  const cell = 13;
  const [column, row] = [Math.floor(x / cell), Math.floor(y / cell)];
  const size = random(column, row + 999);
  if (size < 0.72) return 0;
  const dx = x - (column + 0.2 + 0.6 * random(column, row)) * cell;
  const dy = y - (row + 0.2 + 0.6 * random(row, column + 5000)) * cell;
  return Math.exp(-(dx * dx + dy * dy) / mix(0.35, 1.5, size ** 12)) * mix(0.15, 1, size ** 8);
}

function water(x: number, y: number): Colour {
  const depth = (y - SHORE) / (HEIGHT - SHORE);
  const ripple = (noise(x / 40, y / (2 + 9 * depth)) - 0.5) * (6 + 40 * depth);
  const mirrored = SHORE - 1 - (y - SHORE) * 2.3 + ripple * 1.5;
  return blend(land(x + ripple * 0.5, mirrored), [5, 14, 26], 0.28 + 0.3 * depth);
}
