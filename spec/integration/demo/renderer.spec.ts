// The commands of the demo's renderer, seen in the image that comes back.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import request from 'supertest';
import { createRenderer, findPictures } from '../../../demo/renderer.js';
import { makeTempDir, removeTempDirs } from '../../support/temp-dir.js';

const server = createServer();
afterAll(removeTempDirs);

beforeAll(async () => {
  const folder = makeTempDir();
  // Red to the left, blue to the right; above and below the middle, nothing.
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="400"><path d="M0 100H300V300H0Z" fill="#f00"/><path d="M300 100H600V300H300Z" fill="#00f"/></svg>';
  await sharp(Buffer.from(svg)).png().toFile(join(folder, 'halves.png'));
  await sharp({ create: { width: 4, height: 900, channels: 3, background: 'red' } }).toFile(
    join(folder, 'tall.jpg'),
  );
  writeFileSync(join(folder, 'broken.jpg'), 'not an image');
  writeFileSync(join(folder, 'notes.txt'), 'no picture');
  server.on('request', createRenderer(findPictures(folder)));
});

async function render(url: string) {
  const response = await request(server).get(`/${url}`).responseType('blob').expect(200);
  const bytes = response.body as Buffer;
  const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  /** `r`, `b` and `w` for red, blue and white, and `-` for transparent. */
  const at = (x: number, y: number): string => {
    const [r = 0, g = 0, b = 0, alpha = 0] = data.subarray((y * info.width + x) * 4);
    return alpha < 9 ? '-' : g > 200 ? 'w' : r > 200 ? 'r' : b > 200 ? 'b' : '?';
  };
  return {
    bytes,
    type: response.headers['content-type']!,
    width: info.width,
    height: info.height,
    at,
  };
}

test.each([
  // Within 400 x 400, and never enlarged
  ['halves', 400, 267],
  ['tall?', 2, 400],
  // One side alone keeps the proportions and is exact
  ['halves?wid=300', 300, 200],
  ['halves?HEI=600', 900, 600],
  ['halves?crop=0,0,100,100&wid=50', 50, 50],
  // Both sides
  ['halves?wid=300&hei=300', 300, 300],
  ['halves?wid=300&hei=300&fit=crop', 300, 300],
  ['halves?wid=300&hei=300&fit=stretch', 300, 300],
  ['halves?wid=300&hei=300&fit=constrain', 300, 200],
  // What is not known is ignored
  ['halves?$size=9&.wid=7&op_sharpen=1&layer&wid=60&req=img', 60, 40],
])('renders %s as %d x %d pixels', async (url, width, height) => {
  expect(await render(url)).toMatchObject({ width, height });
});

test.each([
  // Above, in the left half, in the right half, below
  ['fit', 100, '50,5 25,50 75,50 50,95', '-rb-'],
  // The corners
  ['crop', 50, '2,2 2,47 97,2 97,47', 'rrbb'],
  ['stretch', 50, '2,2 2,47 97,2 97,47', 'rrbb'],
])('fit=%s', async (fit, height, points, expected) => {
  const { at } = await render(`halves?crop=0,100,600,200&wid=100&hei=${height}&fit=${fit}&fmt=png-alpha`);
  const colours = points.split(' ').map((point) => at(...(point.split(',').map(Number) as [number, number])));
  expect(colours.join('')).toBe(expected);
});

test.each([
  ['', 'image/jpeg', 'w'],
  ['fmt=jpg', 'image/jpeg', 'w'],
  ['fmt=png', 'image/png', 'w'],
  ['fmt=PNG-alpha', 'image/png', '-'],
  ['fmt=gif-alpha', 'image/gif', '-'],
  ['fmt=webp', 'image/webp', 'w'],
  ['fmt=webp-alpha', 'image/webp', '-'],
  ['fmt=avif-alpha', 'image/avif', '-'],
  ['fmt=tif', 'image/tiff', 'w'],
])('sends %s as %s', async (query, type, outside) => {
  const image = await render(`halves?${query}`);
  expect(image.type).toBe(type);
  expect((await sharp(image.bytes).metadata()).format).toBe(type === 'image/avif' ? 'heif' : type.slice(6));
  expect([image.at(5, 5), image.at(100, 130), image.at(300, 130)]).toEqual([outside, 'r', 'b']);
});

test('qlt changes the quality', async () => {
  const sizes = await Promise.all(
    [5, 80, 100].map(async (qlt) => (await render(`halves?qlt=${qlt}`)).bytes.length),
  );
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  expect(new Set(sizes).size).toBe(3);
});

const PIXELS = 'a whole number of pixels from 1 to 5000';

test.each<[string, number, string | RegExp]>([
  ['halves?wid=0', 400, `wid=0 is invalid: wid takes ${PIXELS}`],
  ['halves?hei=1e3', 400, `hei=1e3 is invalid: hei takes ${PIXELS}`],
  ['tall?wid=100', 400, 'wid would make the image 22500 pixels high, and at most 5000 are allowed'],
  [
    'halves?crop=0,0,10',
    400,
    'crop=0,0,10 is invalid: crop takes x,y,width,height in whole pixels of the picture, such as 0,0,400,300',
  ],
  ['halves?crop=500,0,101,10', 400, 'crop extends beyond the picture, which is 600 x 400'],
  ['halves?fit=cover', 400, 'fit=cover is invalid: fit takes crop, fit, constrain, stretch'],
  ['halves?fmt=constructor', 400, /^fmt=constructor is invalid: fmt takes jpg, jpeg, png/],
  ['halves?qlt=101', 400, 'qlt=101 is invalid: qlt takes a whole number from 1 to 100'],
  ['broken', 500, 'The picture cannot be rendered'],
  ...['missing', 'halves.png', 'notes', '..%2fhalves', '%2fetc%2fpasswd', '__proto__'].map(
    (picture): [string, number, string] => [picture, 404, 'Unknown picture. Available: broken, halves, tall'],
  ),
])('refuses %s with %d', async (url, status, message) => {
  const { text } = await request(server)
    .get(`/${url}`)
    .expect(status)
    .expect('Content-Type', /^text\/plain/);
  expect(text.trim()).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
});

test('the pictures of the demo have at most 1200 pixels a side and 350 kB together', async () => {
  const files = [...findPictures(join(process.cwd(), 'demo/pictures')).values()];
  expect(files).toHaveLength(5);
  const sizes = await Promise.all(files.map(async (file) => (await sharp(file).metadata()).width));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1200);
  expect(files.reduce((sum, file) => sum + readFileSync(file).length, 0)).toBeLessThan(350_000);
});
