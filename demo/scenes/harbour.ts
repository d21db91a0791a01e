// A small harbour at dusk. What stands above the water is drawn, and then mirrored in it with its ripples.

import sharp, { type Sharp } from 'sharp';
import { blend, layeredNoise, mix, noise, paint, random, rise, type Colour } from './paint.js';

const WIDTH = 1600;
const HEIGHT = 1067;
const WATERLINE = 640;

export async function harbour(): Promise<Sharp> {
  const above = await sharp(Buffer.from(shore())).removeAlpha().raw().toBuffer();
  const colourAt = (x: number, y: number): Colour => {
    const column = Math.min(WIDTH - 1, Math.max(0, Math.round(x)));
    const row = Math.min(WATERLINE - 1, Math.max(0, Math.round(y)));
    const at = (row * WIDTH + column) * 3;
    return [above[at]!, above[at + 1]!, above[at + 2]!];
  };
  return paint(WIDTH, HEIGHT, (x, y) =>
    y < WATERLINE ? cloudy(colourAt(x, y), x, y) : water(x, y, colourAt),
  );
}

function cloudy(colour: Colour, x: number, y: number): Colour {
  const cloud = rise(0.48, 0.78, layeredNoise(x / 520 + 3, y / 60, 5)) * rise(420, 250, y);
  // Only the sky is light enough to be clouded over.
  return blend(colour, [255, 168, 128], cloud * 0.55 * rise(90, 190, colour[0] + colour[2]));
}

function water(x: number, y: number, colourAt: (x: number, y: number) => Colour): Colour {
  const depth = (y - WATERLINE) / (HEIGHT - WATERLINE);
  const swell = noise(x / mix(40, 170, depth), y / mix(2.2, 11, depth)) - 0.5;
  const chop = noise(x / mix(9, 40, depth) + 90, y / mix(1.6, 5, depth)) - 0.5;
  const push = (swell * 1.5 + chop) * mix(4, 74, depth);
  const mirrored = WATERLINE - 1 - (y - WATERLINE) * 1.42 + push;
  const colour = cloudy(colourAt(x + push * 0.16, mirrored), x, mirrored);
  const glint = rise(0.2, 0.5, swell + chop * 0.6) * 0.16;
  return blend(blend(colour, [18, 26, 58], 0.2 + 0.34 * depth), [255, 190, 150], glint);
}

function shore(): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${WATERLINE}">
    <defs>
      <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
        <stop stop-color="#1c2559"/><stop offset=".38" stop-color="#5b4585"/><stop offset=".62" stop-color="#c2648a"/>
        <stop offset=".82" stop-color="#f79a6e"/><stop offset="1" stop-color="#ffd08a"/>
      </linearGradient>
      <radialGradient id="sun"><stop stop-color="#fff3c8"/><stop offset=".16" stop-color="#ffdf9c" stop-opacity=".75"/>
        <stop offset="1" stop-color="#ff9a5a" stop-opacity="0"/></radialGradient>
      <linearGradient id="beam"><stop stop-color="#ffe9b0" stop-opacity="0"/>
        <stop offset="1" stop-color="#ffe9b0" stop-opacity=".3"/></linearGradient>
      <radialGradient id="lamp"><stop stop-color="#fff2c4"/><stop offset=".25" stop-color="#ffd27a" stop-opacity=".6"/>
        <stop offset="1" stop-color="#ffb14a" stop-opacity="0"/></radialGradient>
    </defs>
    <rect width="100%" height="100%" fill="url(#sky)"/>
    <circle cx="640" cy="590" r="330" fill="url(#sun)"/>
    ${hills(470, 120, 400, 1, '#8d5a86')}
    ${hills(530, 100, 300, 2, '#5d4273')}
    ${hills(585, 70, 210, 3, '#3b2f5c')}
    ${houses()}
    ${lighthouse()}
    <path d="M0 622H760V640H0ZM1180 628H1600V640H1180Z" fill="#15142f"/>
    ${[60, 190, 330, 470, 610, 735].map((x) => streetLamp(x)).join('')}
    ${boat(880, 1.25, '#7c2438')}
    ${boat(1085, 0.9, '#20406b')}
    ${boat(1330, 1.6, '#233a4e')}
  </svg>`;
}

function hills(base: number, height: number, width: number, seed: number, colour: string): string {
  const ridge = Array.from({ length: 201 }, (_, i) => {
    const y = base + height * (1 - 2 * layeredNoise((i * 8) / width + seed * 7, seed, 5));
    return `L${i * 8} ${y.toFixed(1)}`;
  }).join('');
  return `<path d="M0 ${WATERLINE}${ridge}V${WATERLINE}Z" fill="${colour}"/>`;
}

function houses(): string {
  let drawn = '';
  for (let i = 0, x = -20; x < 740; i++) {
    const width = Math.round(mix(46, 82, random(i, 1)));
    const height = Math.round(mix(70, 168, random(i, 2)) * rise(860, 420, x) + 34);
    drawn += house(x, 624 - height, width, height, i);
    x += width - 1;
  }
  return drawn;
}

function house(x: number, y: number, width: number, height: number, seed: number): string {
  const wall = ['#2a2349', '#33274f', '#251f43', '#3a2a4d'][seed % 4]!;
  const windows: string[] = [];
  for (let row = y + 15; row < y + height - 22; row += 27) {
    for (let column = x + 10; column < x + width - 14; column += 19) {
      const lit = random(column, row) > 0.52;
      const colour = lit
        ? ['#ffd98c', '#ffc46b', '#ffe7b0'][Math.floor(random(row, column) * 3)]!
        : '#191734';
      windows.push(`<rect x="${column}" y="${row}" width="8" height="13" fill="${colour}"/>`);
    }
  }
  const gable = Math.round(width * mix(0.3, 0.6, random(seed, 5)));
  return `<path d="M${x} ${y + height}V${y}L${x + width / 2} ${y - gable}L${x + width} ${y}V${y + height}Z" fill="${wall}"/>
    <path d="M${x - 3} ${y + 3}L${x + width / 2} ${y - gable}L${x + width + 3} ${y + 3}" fill="none" stroke="#17142f"
      stroke-width="5"/>${windows.join('')}`;
}

function lighthouse(): string {
  return `<path d="M1420 640L1452 600H1600V640Z" fill="#15142f"/>
    <path d="M1490 604L1500 380H1536L1546 604Z" fill="#e8d3cf"/>
    <path d="M1520 604V380H1536L1546 604Z" fill="#3a2f58" opacity=".5"/>
    <path d="M1494 520L1497 462H1539L1542 520ZM1498 424L1500 380H1536L1538 424ZM1490 604L1492 566H1544L1546 604Z" fill="#a83246"/>
    <path d="M1492 380H1544V370H1492ZM1504 344H1532L1518 326Z" fill="#1a1836"/>
    <rect x="1506" y="344" width="24" height="26" fill="#fff2c4"/>
    <path d="M1518 357L900 250V330Z" fill="url(#beam)"/>
    <circle cx="1518" cy="357" r="120" fill="url(#lamp)"/>`;
}

function streetLamp(x: number): string {
  return `<path d="M${x} 624V572" stroke="#100f26" stroke-width="4"/><circle cx="${x}" cy="570" r="34" fill="url(#lamp)"/>`;
}

// A sailing boat at its berth, the sails taken down.
function boat(x: number, size: number, hull: string): string {
  return `<g transform="translate(${x} ${WATERLINE}) scale(${size})">
    <path d="M0 -26V-232M0 -60L78 -54" stroke="#17142f" stroke-width="4"/>
    <path d="M0 -228L-74 -26M0 -228L84 -30" stroke="#17142f" stroke-width="1.2"/>
    <path d="M4 -70Q40 -74 78 -62L76 -54L4 -58Z" fill="#d8b7a4"/>
    <path d="M-26 -24L-16 -46H34L44 -24Z" fill="#e6cfc0"/>
    <rect x="-6" y="-40" width="12" height="9" fill="#ffd98c"/><rect x="14" y="-40" width="12" height="9" fill="#ffd98c"/>
    <path d="M-84 -28C-30 -22 40 -22 90 -30L76 2H-62Z" fill="${hull}"/>
    <path d="M-84 -28C-30 -22 40 -22 90 -30L88 -24C40 -16 -30 -16 -81 -22Z" fill="#f0dcc8"/>
  </g>`;
}
