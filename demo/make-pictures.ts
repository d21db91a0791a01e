// Makes the demo's pictures, always the same ones: npx tsx demo/make-pictures.ts

import { fileURLToPath } from 'node:url';
import type { Sharp } from 'sharp';
import { aurora } from './scenes/aurora.js';
import { dahlia } from './scenes/dahlia.js';
import { dunes } from './scenes/dunes.js';
import { harbour } from './scenes/harbour.js';
import { shoe } from './scenes/shoe.js';

function fileOf(name: string): string {
  return fileURLToPath(new URL(`pictures/${name}`, import.meta.url));
}

function writeJpeg(scene: Sharp, name: string) {
  return scene.jpeg({ quality: 74, mozjpeg: true }).toFile(fileOf(name));
}

await writeJpeg(await harbour(), 'harbour.jpg');
await writeJpeg(dunes(), 'dunes.jpg');
await writeJpeg(aurora(), 'aurora.jpg');
await writeJpeg(dahlia(), 'dahlia.jpg');
// The shoe is cut out, which a JPEG cannot be.
await shoe().png({ palette: true, effort: 10 }).toFile(fileOf('shoe.png'));
