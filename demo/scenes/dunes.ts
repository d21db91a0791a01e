// Sand dunes in the first light of the day: a landscape of heights, looked at across.

import type { Sharp } from 'sharp';
import { blend, clamp, glow, gradient, layeredNoise, mix, noise, paint, rise, type Colour } from './paint.js';

const WIDTH = 1600;
const HEIGHT = 1067;
const HORIZON = 330;

const SKY: [number, Colour][] = [
  [0, [58, 92, 150]],
  [0.5, [152, 160, 186]],
  [0.8, [244, 200, 166]],
  [1, [255, 184, 124]],
];
const LIT: Colour = [250, 170, 92];
const SHADE: Colour = [84, 44, 66];
const HAZE: Colour = [250, 190, 146];

// How much further away each look at the sand is than the one before it.
const STEP = 1.0016;

/** Where the sun stands in the picture. */
const SUN = { x: 390, y: 262 };

export function dunes(): Sharp {
  // Twice as large, and scaled down, so that the crests become smooth.
  const sand = renderSand();
  return paint(WIDTH * 2, HEIGHT * 2, (x, y) => sand[x]![y] ?? sky(x / 2, y / 2)).resize(WIDTH);
}

function sky(x: number, y: number): Colour {
  const distance = Math.hypot(x - SUN.x, y - SUN.y);
  const cloud = rise(0.45, 0.8, layeredNoise(x / 420, y / 38, 5)) * rise(10, 90, y) * rise(330, 200, y);
  const colour = blend(gradient(SKY, clamp(y / HORIZON)), [255, 210, 176], cloud * 0.6);
  const halo = blend(colour, [255, 216, 150], 0.85 * Math.exp(-distance / 170));
  return blend(halo, [255, 249, 228], rise(40, 36, distance));
}

// Each column of pixels is filled from the bottom upwards, by walking away from the eye: where the sand is
// higher than all that is nearer, it is seen.
function renderSand(): Colour[][] {
  return Array.from({ length: WIDTH * 2 }, (_, column) => {
    const pixels: Colour[] = [];
    let top = HEIGHT * 2;
    for (let z = 5; z < 260; z *= STEP) {
      const x = (column / WIDTH - 1) * 0.62 * z;
      const y = Math.max(0, Math.round(2 * (HORIZON + ((8.2 - height(x, z)) / z) * 640)));
      if (y >= top) continue;
      // From a step before, or the far side of a crest would flash up along it.
      const colour = sandColour(x / STEP, z / STEP);
      for (let row = y; row < top; row++) pixels[row] = colour;
      top = y;
    }
    return pixels;
  });
}

// A dune rises slowly on the side of the wind, up to a sharp crest, and falls steeply behind it.
function height(x: number, z: number): number {
  const bend = 3.2 * noise(x / 13 + 4, z / 15 + 8) + 0.5 * noise(x / 4, z / 5);
  const phase = x / 15 - z / 21 + bend * 0.55;
  const along = phase - Math.floor(phase);
  const dune = along < 0.68 ? (along / 0.68) ** 1.5 : ((1 - along) / 0.32) ** 1.15;
  return dune * mix(1.2, 4.6, noise(x / 25 + 7, z / 28 + 3)) + 1.2 * noise(x / 30, z / 30 + 2);
}

function sandColour(x: number, z: number): Colour {
  const step = 0.003;
  const dx = (height(x + step, z) - height(x - step, z)) / (2 * step);
  const dz = (height(x, z + step) - height(x, z - step)) / (2 * step);
  // The wind draws fine ripples, which are lost in the distance.
  const wave = Math.sin(x * 9 - z * 15 + 10 * layeredNoise(x * 0.5, z * 0.5, 2));
  const ripples = wave * rise(30, 5, z) * 0.09;
  const grain = (noise(x * 70, z * 70) - 0.5) * rise(20, 4, z) * 0.08;
  const light = (0.42 + dx * 1.1 - dz * 0.5 + ripples) / Math.hypot(1, dx, dz) + grain;
  const colour = blend(SHADE, LIT, rise(-0.15, 0.75, light));
  const shining = glow(colour, [70, 60, 44], rise(0.6, 1.1, light));
  return blend(shining, HAZE, 1 - Math.exp(-Math.max(0, z - 14) / 90));
}
