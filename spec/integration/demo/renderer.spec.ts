// Each command of the demo's renderer, seen in the pixels of the image that comes back.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import sharp from 'sharp';
import request from 'supertest';
import { createRenderer } from '../../../demo/renderer.js';

type Rgb = [red: number, green: number, blue: number];

const RED: Rgb = [255, 0, 0];
const GREEN: Rgb = [0, 255, 0];
const BLUE: Rgb = [0, 0, 255];
const YELLOW: Rgb = [255, 255, 0];
const WHITE: Rgb = [255, 255, 255];

// Four quarters; a red square in the middle of a transparent one; a small picture to be enlarged.
const SAMPLES = {
  quarters: [
    600,
    400,
    `<path d="M0 0H300V200H0Z" fill="#f00"/><path d="M300 0H600V200H300Z" fill="#0f0"/>
     <path d="M0 200H300V400H0Z" fill="#00f"/><path d="M300 200H600V400H300Z" fill="#ff0"/>`,
  ],
  cutout: [200, 200, '<path d="M50 50H150V150H50Z" fill="#f00"/>'],
  tiny: [30, 20, '<path d="M0 0H30V20H0Z" fill="#00f"/>'],
} as const;

let folder: string;
let app: express.Express;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'renderer-'));
  for (const [name, [width, height, shapes]] of Object.entries(SAMPLES)) {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes}</svg>`;
    await sharp(Buffer.from(svg))
      .png()
      .toFile(path.join(folder, `${name}.png`));
  }
  await writeFile(path.join(folder, 'notes.txt'), 'not a picture');
  await writeFile(path.join(folder, 'broken.jpg'), 'not an image');
  app = express();
  app.use('/is/image', createRenderer(folder));
});

afterAll(() => rm(folder, { recursive: true }));

interface Rendered {
  bytes: Buffer;
  type: string | undefined;
  width: number;
  height: number;
  rgba: Buffer;
}

async function render(url: string): Promise<Rendered> {
  const response = await request(app).get(`/is/image/${url}`).responseType('blob').expect(200);
  const bytes = response.body as Buffer;
  const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const type = response.headers['content-type'];
  return { bytes, type, width: info.width, height: info.height, rgba: data };
}

function pixel({ rgba, width, height }: Rendered, x: number, y: number): number[] {
  // Counted from the right and from the bottom where negative.
  const at = ((y < 0 ? height + y : y) * width + (x < 0 ? width + x : x)) * 4;
  return [...rgba.subarray(at, at + 4)];
}

function isOpaque({ rgba }: Rendered): boolean {
  return rgba.every((value, i) => i % 4 < 3 || value === 255);
}

function colours({ rgba }: Rendered): number {
  return new Set(Array.from({ length: rgba.length / 4 }, (_, i) => rgba.readUInt32BE(i * 4))).size;
}

/** Expects a colour, which lossy compression may have changed a little. */
function expectColour(image: Rendered, [x, y]: [x: number, y: number], colour: Rgb, alpha = 255): void {
  const differences = [...colour, alpha].map((value, i) => Math.abs(value - pixel(image, x, y)[i]!));
  expect(Math.max(...differences)).toBeLessThan(10);
}

/** Expects the colours of the four corners, clockwise from the top left one. */
function expectCorners(image: Rendered, ...corners: [Rgb, Rgb, Rgb, Rgb]): void {
  expectColour(image, [5, 5], corners[0]);
  expectColour(image, [-6, 5], corners[1]);
  expectColour(image, [-6, -6], corners[2]);
  expectColour(image, [5, -6], corners[3]);
}

async function refusal(url: string, status = 400): Promise<string> {
  const { text } = await request(app)
    .get(url)
    .expect(status)
    .expect('Content-Type', /^text\/plain/);
  return text;
}

describe('size', () => {
  test.each([
    // The default view: within 400 x 400, and never enlarged
    ['quarters', 400, 267],
    ['tiny', 30, 20],
    // One side alone keeps the proportions and is exact
    ['quarters?wid=300', 300, 200],
    ['quarters?hei=100', 150, 100],
    ['tiny?wid=60', 60, 40],
    ['tiny?hei=60', 90, 60],
    ['tiny?wid=60&fit=fit,0', 60, 20],
    // The inverse scale factor
    ['quarters?scl=1', 600, 400],
    ['quarters?scl=4', 150, 100],
    ['tiny?scl=0.5', 60, 40],
    ['quarters?scl=1000', 1, 1],
    ['quarters?scl=2&wid=100&hei=50&fit=constrain', 100, 50],
    // Both sides
    ['quarters?wid=300&hei=300', 300, 300],
    ['quarters?wid=300&hei=300&fit=fit', 300, 300],
    ['quarters?wid=300&hei=300&fit=constrain', 300, 200],
    ['quarters?wid=300&hei=300&fit=crop', 300, 300],
    ['quarters?wid=300&hei=300&fit=wrap', 450, 300],
    ['quarters?wid=300&hei=300&fit=stretch', 300, 300],
    ['quarters?wid=300&hei=100&fit=hfit', 300, 100],
    ['quarters?wid=300&hei=100&fit=vfit', 300, 100],
    ['tiny?wid=60&hei=60&fit=constrain', 30, 20],
    ['tiny?wid=60&hei=60&fit=constrain,1', 60, 40],
    ['tiny?wid=60&hei=60&fit=wrap,1', 90, 60],
  ])('renders %s as %d x %d pixels', async (url, width, height) => {
    expect(await render(url)).toMatchObject({ width, height });
  });
});

describe('fit', () => {
  test('fit shows the whole picture, with the background above and below', async () => {
    const image = await render('quarters?wid=300&hei=300&bgc=8040c0&fmt=png');
    expectCorners(image, [128, 64, 192], [128, 64, 192], [128, 64, 192], [128, 64, 192]);
    expectColour(image, [150, 49], [128, 64, 192]);
    expectColour(image, [5, 51], RED);
    expectColour(image, [-6, -52], YELLOW);
  });

  test('crop fills the view and cuts off both sides evenly', async () => {
    const image = await render('quarters?wid=200&hei=300&fit=crop&fmt=png');
    expectCorners(image, RED, GREEN, YELLOW, BLUE);
    expectColour(image, [95, 5], RED);
    expectColour(image, [104, 5], GREEN);
  });

  test('stretch fills the view with all of the picture', async () => {
    const image = await render('quarters?wid=100&hei=400&fit=stretch&fmt=png');
    expectCorners(image, RED, GREEN, YELLOW, BLUE);
    expectColour(image, [25, 195], RED);
    expectColour(image, [25, 205], BLUE);
  });

  test('hfit fits the width and cuts off the rest', async () => {
    const image = await render('quarters?wid=300&hei=100&fit=hfit&fmt=png');
    expectCorners(image, RED, GREEN, YELLOW, BLUE);
  });

  test('vfit fits the height and leaves room at the sides', async () => {
    const image = await render('quarters?wid=300&hei=100&fit=vfit&fmt=png');
    expectCorners(image, WHITE, WHITE, WHITE, WHITE);
    expectColour(image, [80, 5], RED);
  });

  test('a picture is enlarged only if upscaling is allowed', async () => {
    const small = await render('tiny?wid=90&hei=90&fmt=png');
    expectColour(small, [28, 45], WHITE);
    expectColour(small, [31, 45], BLUE);
    const large = await render('tiny?wid=90&hei=90&fit=fit,1&fmt=png');
    expectColour(large, [2, 45], BLUE);
  });
});

describe('crop, flip and rotate', () => {
  test('crop takes a part of the picture, in its own pixels', async () => {
    const image = await render('quarters?crop=250,150,200,100&scl=1&fmt=png');
    expect(image).toMatchObject({ width: 200, height: 100 });
    expectCorners(image, RED, GREEN, YELLOW, BLUE);
    expectColour(image, [48, 48], RED);
    expectColour(image, [52, 52], YELLOW);
  });

  test.each([
    ['lr', [GREEN, RED, BLUE, YELLOW]],
    ['ud', [BLUE, YELLOW, GREEN, RED]],
    ['lrud', [YELLOW, BLUE, RED, GREEN]],
    ['LRUD', [YELLOW, BLUE, RED, GREEN]],
  ] satisfies [string, [Rgb, Rgb, Rgb, Rgb]][])('flip=%s', async (flip, corners) => {
    expectCorners(await render(`quarters?flip=${flip}`), ...corners);
  });

  test.each([
    ['90', [BLUE, RED, GREEN, YELLOW]],
    ['-90', [GREEN, YELLOW, BLUE, RED]],
    ['270', [GREEN, YELLOW, BLUE, RED]],
  ] satisfies [string, [Rgb, Rgb, Rgb, Rgb]][])('rotate=%s turns clockwise', async (rotate, corners) => {
    const image = await render(`quarters?rotate=${rotate}&scl=1`);
    expect(image).toMatchObject({ width: 400, height: 600 });
    expectCorners(image, ...corners);
  });

  test('rotate by any angle enlarges the picture and shows the background in the corners', async () => {
    const image = await render('quarters?rotate=45&scl=1&bgc=00ffff');
    expect(image.width).toBeGreaterThanOrEqual(707);
    expect(image.width).toBeLessThanOrEqual(709);
    expectCorners(image, [0, 255, 255], [0, 255, 255], [0, 255, 255], [0, 255, 255]);
    // A turn to the right brings the red quarter to the top left edge, and the yellow one opposite.
    expectColour(image, [290, 200], RED);
    expectColour(image, [-290, -200], YELLOW);
  });

  test('commands apply in the order crop, flip, rotate, resize', async () => {
    const image = await render('quarters?crop=300,0,300,400&flip=ud&rotate=90&wid=200&fmt=png');
    expect(image).toMatchObject({ width: 200, height: 150 });
    expectColour(image, [20, 75], GREEN);
    expectColour(image, [180, 75], YELLOW);
  });
});

describe('format', () => {
  test.each([
    ['', 'image/jpeg', 'ffd8ff'],
    ['fmt=jpg', 'image/jpeg', 'ffd8ff'],
    ['fmt=jpeg', 'image/jpeg', 'ffd8ff'],
    ['fmt=png', 'image/png', '89504e47'],
    ['fmt=gif', 'image/gif', '474946383961'],
    ['fmt=webp', 'image/webp', '52494646'],
    ['fmt=avif', 'image/avif', '.{8}6674797061766966'],
    ['fmt=tif', 'image/tiff', '49492a00'],
  ])('sends %s as %s', async (query, type, magic) => {
    const image = await render(`quarters?${query}`);
    expect(image.type).toBe(type);
    expect(image.bytes.toString('hex')).toMatch(new RegExp(`^${magic}`));
    expect(isOpaque(image)).toBe(true);
    expectCorners(image, RED, GREEN, YELLOW, BLUE);
  });

  test.each(['png', 'gif', 'webp', 'avif', 'tif'])(
    'fmt=%s-alpha keeps what is transparent',
    async (format) => {
      const image = await render(`cutout?fmt=${format}-alpha&bgc=00ff00`);
      expect(pixel(image, 10, 10)[3]).toBe(0);
      expectColour(image, [100, 100], RED);
    },
  );

  test('fmt=png-alpha leaves the space around the picture transparent', async () => {
    const image = await render('quarters?wid=100&hei=100&fmt=png-alpha');
    expect(pixel(image, 50, 5)[3]).toBe(0);
    expectColour(image, [5, 40], RED);
  });

  test.each(['jpg', 'png', 'gif', 'webp', 'avif', 'tif'])(
    'fmt=%s shows the background instead',
    async (format) => {
      expectColour(await render(`cutout?fmt=${format}`), [10, 10], WHITE);
      expectColour(await render(`cutout?fmt=${format}&bgc=0x804020`), [10, 10], [128, 64, 32]);
    },
  );

  test.each(['jpg', 'webp', 'avif'])('qlt changes the quality of %s', async (format) => {
    const low = await render(`quarters?rotate=10&fmt=${format}&qlt=5`);
    const middle = await render(`quarters?rotate=10&fmt=${format}`);
    const high = await render(`quarters?rotate=10&fmt=${format}&qlt=100,1`);
    expect(low.bytes.length).toBeLessThan(middle.bytes.length);
    expect(middle.bytes.length).toBeLessThan(high.bytes.length);
  });

  test('lossless formats keep the colours', async () => {
    expect(colours(await render('quarters?scl=1&fmt=png'))).toBe(4);
    expect(colours(await render('quarters?scl=1&fmt=tif'))).toBe(4);
  });
});

describe('how commands are read', () => {
  test('names are case-insensitive', async () => {
    expect(await render('quarters?WID=60&Fmt=PNG')).toMatchObject({ width: 60, type: 'image/png' });
  });

  test('unknown commands, variables and comments are ignored', async () => {
    const image = await render('quarters?$size=9&.wid=7&op_sharpen=1&layer&wid=60&req=img');
    expect(image.width).toBe(60);
  });

  test('values may be percent-encoded', async () => {
    expect(await render('quarters?%77id=60&crop=0%2C0,60,60')).toMatchObject({ width: 60, height: 60 });
  });
});

describe('refusals', () => {
  test.each([
    ['wid=0', 'wid=0 is invalid: wid takes a whole number of pixels from 1 to 5000'],
    ['wid=', 'wid= is invalid: wid takes a whole number of pixels from 1 to 5000'],
    ['wid=1e3', /^wid=1e3 is invalid/],
    ['wid=-5', /^wid=-5 is invalid/],
    ['hei=5001', 'hei=5001 is invalid: hei takes a whole number of pixels from 1 to 5000'],
    ['hei=10.5', /^hei=10.5 is invalid/],
    ['scl=0', 'scl=0 is invalid: scl takes a number from 0.01 to 1000: 2 halves the picture'],
    ['scl=big', /^scl=big is invalid/],
    ['scl=0.05', 'wid, hei, scl: the image would be 12000 x 8000, and at most 5000 x 5000 is allowed'],
    ['crop=0,0,600,1&wid=100&hei=5000&fit=crop,1', /would be 3000000 x 5000, and at most 5000 x 5000/],
    ['crop=0,0,10', /^crop=0,0,10 is invalid: crop takes x,y,width,height/],
    ['crop=0,0,10,10,10', /^crop=.* is invalid/],
    ['crop=-1,0,10,10', /^crop=.* is invalid/],
    ['crop=0,0,0,10', /^crop=.* is invalid/],
    ['crop=500,0,101,10', 'crop extends beyond the picture, which is 600 x 400'],
    ['crop=0,400,1,1', 'crop extends beyond the picture, which is 600 x 400'],
    ['rotate=361', 'rotate=361 is invalid: rotate takes degrees clockwise from -360 to 360'],
    ['rotate=left', /^rotate=left is invalid/],
    ['flip=x', 'flip=x is invalid: flip takes lr, ud or lrud'],
    ['fit=cover&wid=10', /^fit=cover is invalid: fit takes fit, constrain, crop, wrap, stretch, hfit, vfit/],
    ['fit=crop,2&wid=10', /^fit=crop,2 is invalid/],
    ['fit=crop,1,1&wid=10', /^fit=crop,1,1 is invalid/],
    ['fit=crop', 'fit needs wid, hei or both to fit the picture into'],
    ['fmt=bmp', /^fmt=bmp is invalid: fmt takes jpg, jpeg, png, png-alpha, gif/],
    ['fmt=constructor', /^fmt=constructor is invalid/],
    ['qlt=0', 'qlt=0 is invalid: qlt takes a whole number from 1 to 100'],
    ['qlt=101', /^qlt=101 is invalid/],
    ['bgc=red', 'bgc=red is invalid: bgc takes a colour as RRGGBB, such as ffcc00'],
    ['req=saveToFile', 'req=saveToFile is invalid: req takes img (this renderer sends only images)'],
  ])('refuses %s', async (query, message) => {
    const text = await refusal(`/is/image/quarters?${query}`);
    if (typeof message === 'string') expect(text).toBe(`${message}\n`);
    else expect(text).toMatch(message);
  });

  test.each([
    'missing',
    'quarters.png',
    'notes',
    'notes.txt',
    '..%2frenderer',
    '..%2f..%2f..%2fetc%2fpasswd',
    '%2fetc%2fpasswd',
    '..%5cquarters',
    '%00',
    '__proto__',
    'constructor',
  ])('answers 404 for the picture %s', async (picture) => {
    const text = await refusal(`/is/image/${picture}`, 404);
    expect(text).toBe('Unknown picture. Available: broken, cutout, quarters, tiny\n');
  });

  test('answers 500 for a picture that cannot be decoded', async () => {
    await request(app).get('/is/image/broken').expect(500);
  });
});

test('the renderer renders all pictures of the demo', async () => {
  const pictures = fileURLToPath(new URL('../../../demo/pictures', import.meta.url));
  const demo = express();
  demo.use(createRenderer(pictures));
  for (const picture of ['aurora', 'dahlia', 'dunes', 'harbour', 'shoe']) {
    const response = await request(demo).get(`/${picture}?wid=300&hei=300&fit=constrain`).expect(200);
    const { width, height } = await sharp(response.body as Buffer).metadata();
    expect(Math.max(width, height)).toBe(300);
  }
});
