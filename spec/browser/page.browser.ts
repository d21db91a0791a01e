// Choosing a rendering and saving it: what the page asks for, what it shows, and what is on the disk.

import { execFile } from 'node:child_process';
import { readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { parseReply } from '../../lib/index.js';
import { packageBuild } from '../support/package-build.js';
import { makeTempDir } from '../support/temp-dir.js';
import { expectInView, hasText, hold, rendered, saved, useDemoPages, type DemoPage } from './demo-page.js';

const open = useDemoPages();
let demo: DemoPage;
beforeEach(async () => {
  demo = await open();
});
const field = (label: string) => demo.page.getByLabel(label, { exact: true });
const save = () => saved(demo.page, () => demo.page.locator('#save-button').click());
const errors = () => demo.page.locator('.error:not(:empty)').allTextContents();
const marked = () =>
  demo.page.locator('[aria-invalid=true]').evaluateAll((all) => all.map((one) => one.getAttribute('name')));

async function saveAs(name: string): Promise<void> {
  await field('Name on the server').fill(name);
  await save();
}

async function copied(button: string): Promise<string> {
  const { page } = demo;
  await page.getByRole('button', { name: button }).click();
  await hasText(page, '#copied', 'Copied');
  return page.evaluate(() => navigator.clipboard.readText());
}

/** The size of the rendering as the browser decoded it. */
async function shownSize(page: Page): Promise<[width: number, height: number]> {
  return page
    .locator('#rendering')
    .evaluate((image) => [
      (image as HTMLImageElement).naturalWidth,
      (image as HTMLImageElement).naturalHeight,
    ]);
}

test('the URL follows every control, and the rendering follows the URL', async () => {
  const { page, origin } = demo;
  const [request, picture] = [
    () => page.locator('#url').textContent(),
    () => page.locator('#facts').textContent(),
  ];
  expect(await request()).toBe(`${origin}/is/image/aurora?wid=800&req=saveToFile&name=aurora-800.jpg`);
  await page.getByRole('radio', { name: 'dunes' }).check();
  await field('Width').fill('300');
  await field('Height').fill('100');
  await page.locator('[name=fit]').selectOption('stretch');
  await page.locator('[name=fmt]').selectOption('webp');
  await field('Quality').fill('40');
  await field('Crop').fill('10,20,600,400');
  await rendered(page);
  const query = 'crop=10,20,600,400&wid=300&hei=100&fit=stretch&fmt=webp&qlt=40';
  expect(await request()).toBe(`${origin}/is/image/dunes?${query}&req=saveToFile&name=dunes-300x100.webp`);
  expect(await page.locator('#url mark').textContent()).toBe('req=saveToFile&name=dunes-300x100.webp');
  expect(await shownSize(page)).toEqual([300, 100]);
  expect(await picture()).toMatch(/^300 × 100 · [\d.]+ (bytes|kB) · WEBP$/);

  await page.reload();
  await rendered(page);
  expect(await request()).toBe(`${origin}/is/image/dunes?${query}&req=saveToFile&name=dunes-300x100.webp`);
  expect(await shownSize(page)).toEqual([300, 100]);
});

test('a name follows the choices until it is typed, and then only its extension does', async () => {
  const { page } = demo;
  const name = field('Name on the server');
  await name.fill('mine.jpg');
  await page.locator('[name=fmt]').selectOption('png');
  await field('Width').fill('200');
  expect(await name.inputValue()).toBe('mine.png');
  await rendered(page);
  await page.reload();
  await rendered(page);
  expect(await name.inputValue()).toBe('mine.png');
});

test('after Save, request, reply and the saved picture are in view', async () => {
  const { page, savePath } = demo;
  await save();
  await hasText(page, '#reply-status', '200 OK');
  const parts = ['#url', '#reply', '#held img', '#stages', '#saved li:first-child img'];
  await expectInView(page, [...parts, '#attempts button >> nth=-1']);
  expect(await page.evaluate(() => scrollY)).toBe(0);
  const file = await readFile(path.join(savePath, 'aurora-800.jpg'));
  expect(await sharp(file).metadata()).toMatchObject({ width: 800, height: 1200, format: 'jpeg' });
  expect(parseReply(await page.locator('#reply').innerText())).toMatchObject({
    status: 'done',
    name: 'aurora-800.jpg',
    image: { length: file.length },
  });
  await hasText(page, '#held figcaption', 'aurora-800.jpg 800 × 1200');
  await hasText(page, '#saved', 'aurora-800.jpg');
  const stages = await page.locator('#stages dt').allTextContents();
  expect(stages).toEqual(['waiting', 'preparing', 'rendering', 'inspecting', 'publishing']);
});

test('a name in a folder, and one with unusual letters, is saved, listed and shown', async () => {
  const { page } = demo;
  const name = "it's 50% of $HOME; `ü` + (1).jpg";
  await saveAs(name);
  await hasText(page, '#saved', name);
  await page
    .locator('#saved img')
    .first()
    .evaluate((image) => (image as HTMLImageElement).decode());
});

test('the copied request and the copied command of a set save from a shell', async () => {
  const { page, savePath } = demo;
  await field('Crop').fill('0,0,400,400');
  await saveAs("it's ü.jpg");
  const curl = await copied('Copy the request as a curl command');
  const before = await readFile(path.join(savePath, "it's ü.jpg"));
  await rm(path.join(savePath, "it's ü.jpg"));
  const shell = async (command: string) => promisify(execFile)('sh', ['-c', command], { cwd: makeTempDir() });
  expect(parseReply((await shell(curl)).stdout)).toMatchObject({ status: 'done', name: "it's ü.jpg" });
  expect(await readFile(path.join(savePath, "it's ü.jpg"))).toEqual(before);

  await page.getByLabel('960', { exact: true }).check();
  const batch = await copied('Copy the command of the set');
  expect(batch).toContain('npx express-image-save batch ');
  await shell(batch.replace('npx express-image-save', `node '${packageBuild()}/dist/cli.js'`));
  const names = [320, 640, 960].flatMap((wid) => [`aurora-${wid}.jpeg`, `aurora-${wid}.webp`]);
  expect((await readdir(savePath)).sort()).toEqual([...names, "it's ü.jpg"].sort());
  expect(await sharp(path.join(savePath, 'aurora-640.webp')).metadata()).toMatchObject({
    width: 640,
    height: 640,
  });
});

test('dragging on the picture crops it, and again what is left', async () => {
  const { page } = demo;
  const drag = async (from: number, to: number): Promise<string> => {
    const box = (await page.locator('#rendering').boundingBox())!;
    const point = (share: number): [number, number] => [
      box.x + box.width * share,
      box.y + box.height * share,
    ];
    await page.mouse.move(...point(from));
    await page.mouse.down();
    await page.mouse.move(...point(to), { steps: 3 });
    expect(await page.locator('#selection').isVisible()).toBe(true);
    await page.mouse.up();
    await rendered(page);
    return field('Crop').inputValue();
  };
  const near = (crop: string, expected: number[]) => {
    const off = crop.split(',').map((value, at) => Math.abs(Number(value) - expected[at]!));
    expect([crop, Math.max(...off) <= 8]).toEqual([crop, true]);
  };
  // The picture has 800 × 1200 pixels.
  near(await drag(0.25, 0.75), [200, 300, 400, 600]);
  near(await drag(0.5, 1.5), [400, 600, 200, 300]);
  expect(await shownSize(page)).toEqual([800, 1200]);
});

test.each([
  ['Width', '99999', 'wid', 'wid=99999 is invalid: wid takes a whole number of pixels from 1 to 5000'],
  ['Quality', '0', 'qlt', 'qlt=0 is invalid: qlt takes a whole number from 1 to 100'],
  ['Crop', '0,0,9,9999', 'crop', 'crop extends beyond the picture, which is 800 x 1200'],
])(
  'a wrong %s of %s marks its field alone, and Save says what the renderer said',
  async (label, value, name, message) => {
    const { page, savePath } = demo;
    const right = await field(label).inputValue();
    await field(label).fill(value);
    await rendered(page);
    expect([await errors(), await marked()]).toEqual([[message], [name]]);
    await save();
    await hasText(page, '#save-error', `The renderer says: ${message}`);
    await hasText(page, '#reply-status', '403 Forbidden');
    expect(await readdir(savePath)).toEqual([]);
    await field(label).fill(right);
    await rendered(page);
    expect([await errors(), await marked()]).toEqual([[], []]);
  },
);

test.each([
  ['../shoe.jpg', 'Choose another name: no part of it may start with a dot.'],
  ['shoe.png', 'End the name in .jpg, or ask for a PNG: the image is a JPEG.'],
])('a wrong name (%s) is marked until the next save, which takes the refusal back', async (name, message) => {
  const { page, savePath } = demo;
  await saveAs(name);
  expect([await errors(), await marked()]).toEqual([[message], ['name']]);
  expect(await field('Name on the server').evaluate((one) => one === document.activeElement)).toBe(true);
  expect(await page.locator('#held').isVisible()).toBe(false);
  expect(await readdir(savePath)).toEqual([]);
  await saveAs('right.jpg');
  await hasText(page, '#reply-status', '200 OK');
  expect([await errors(), await marked()]).toEqual([[], []]);
});

test('a change after a reply says that the reply is older', async () => {
  const { page } = demo;
  await save();
  expect(await page.locator('#reply-note').textContent()).toMatch(/^\d+ ms$/);
  await field('Width').fill('300');
  expect(await page.locator('#reply-note').textContent()).toBe('to the request before');
  await rendered(page);
});

test('the page sends no second save during the first, and says if there is no server', async () => {
  const { page } = demo;
  const sent: string[] = [];
  page.on('request', (request) => sent.push(request.url()));
  const { arrived, release } = await hold(page, /saveToFile/);
  const button = page.locator('#save-button');
  await button.click();
  await arrived;
  await button.click({ force: true });
  release();
  await page.locator('#save-button[aria-disabled="false"]').waitFor();
  expect(sent.filter((url) => url.includes('saveToFile'))).toHaveLength(1);
  await page.unrouteAll();
  await page.route('**/*', (route) => route.abort());
  await button.click();
  await hasText(page, '#save-error', 'The server did not respond. Is it still running?');
});

test('an outdated rendering never replaces a newer one', async () => {
  const { page } = demo;
  const { arrived, release } = await hold(page, /wid=500/);
  await field('Width').fill('500');
  await arrived;
  await field('Width').fill('300');
  await rendered(page);
  release();
  expect(await shownSize(page)).toEqual([300, 450]);
});

const OLD = /precious\.jpg still holds the old image, byte for byte\./;
const NEW = /precious\.jpg holds the new image, whole\./;

test.each([
  ['Stop half-way', 'error.code=renderer-aborted', OLD],
  ['Error page', 'error.code=not-an-image', OLD],
  ['PNG named .jpg', 'error.code=wrong-extension', OLD],
  ['Climb out', 'error.code=name-invalid', OLD],
  ['Kill the decoder', 'status=done', NEW],
  [
    '20 writers',
    'status=done',
    /^20 of 20 saved; 20 of 20 readers meanwhile got a whole image\. .*new image/,
  ],
  ['Hang', 'error.code=timeout', OLD],
  ['1 ms deadline', /error\.code=(timeout|too-busy)/, OLD],
])('"%s" is refused or done, and the name holds a whole image', async (attempt, reply, verdict) => {
  const { page, savePath } = demo;
  const button = page.getByRole('button', { name: attempt });
  // The first attempt saves the image that it then tries to damage.
  await button.click();
  await hasText(page, '#verdict', verdict);
  await hasText(page, '#reply', reply);
  const { width, height } = await sharp(path.join(savePath, 'precious.jpg')).metadata();
  // The page loads the file once more when the reply has come.
  await hasText(page, '#held figcaption', `${width} × ${height}`);
  expect(await readdir(savePath)).toEqual(['precious.jpg']);
  await page.locator('#save-button[aria-disabled="false"]').waitFor();
});

test('an image that an attempt has changed is said to have changed', async () => {
  const { page, savePath } = demo;
  await page.getByRole('button', { name: 'Climb out' }).click();
  await hasText(page, '#verdict', OLD);
  await page.locator('#save-button[aria-disabled="false"]').waitFor();
  const { arrived, release } = await hold(page, /saveToFile/);
  await page.getByRole('button', { name: 'Climb out' }).click();
  await arrived;
  await rm(path.join(savePath, 'precious.jpg'));
  await sharp({ create: { width: 5, height: 5, channels: 3, background: 'red' } }).toFile(
    path.join(savePath, 'precious.jpg'),
  );
  release();
  await hasText(page, '#verdict', 'precious.jpg has changed.');
  await page.locator('#save-button[aria-disabled="false"]').waitFor();
});
