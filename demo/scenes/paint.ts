// What the scenes share: repeatable noise, colours, and a way to compute a picture pixel by pixel.

import sharp, { type Sharp } from 'sharp';

export type Colour = readonly [red: number, green: number, blue: number];

export function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t;
}

export function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** 0 up to `from`, 1 beyond `to`, and a soft rise between them. */
export function rise(from: number, to: number, value: number): number {
  const t = clamp((value - from) / (to - from));
  return t * t * (3 - 2 * t);
}

export function blend(a: Colour, b: Colour, t: number): Colour {
  return [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)];
}

export function glow(base: Colour, light: Colour, strength: number): Colour {
  return [base[0] + light[0] * strength, base[1] + light[1] * strength, base[2] + light[2] * strength];
}

/** The colour at `t` of a gradient whose stops lie between 0 and 1. */
export function gradient(stops: readonly (readonly [at: number, colour: Colour])[], t: number): Colour {
  const next = stops.findIndex(([at]) => at >= t);
  if (next <= 0) return stops.at(next)![1];
  const [from, a] = stops[next - 1]!;
  const [to, b] = stops[next]!;
  return blend(a, b, (t - from) / (to - from));
}

/** A number from 0 to 1 that looks random and is always the same for the same place. */
export function random(x: number, y = 0): number {
  let hash = Math.imul(x | 0, 0x27d4eb2d) ^ Math.imul(y | 0, 0x165667b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0xffffffff;
}

/** Random numbers at whole places and soft passages between them. */
export function noise(x: number, y = 0): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, down] = [rise(0, 1, x - left), rise(0, 1, y - top)];
  return mix(
    mix(random(left, top), random(left + 1, top), right),
    mix(random(left, top + 1), random(left + 1, top + 1), right),
    down,
  );
}

/** Noise with ever finer and fainter noise on top, about 0.5 on average. */
export function layeredNoise(x: number, y: number, layers: number): number {
  let sum = 0;
  for (let layer = 0; layer < layers; layer++) {
    sum += noise(x * 2 ** layer + layer * 37, y * 2 ** layer + layer * 17) / 2 ** (layer + 1);
  }
  return sum / (1 - 0.5 ** layers);
}

/** A picture from the colour of each of its pixels. A little noise keeps soft gradients from showing steps. */
export function paint(width: number, height: number, colourAt: (x: number, y: number) => Colour): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const dither = random(x, y) - 0.5;
      for (const value of colourAt(x, y))
        pixels[i++] = Math.min(255, Math.max(0, Math.round(value + dither)));
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}
