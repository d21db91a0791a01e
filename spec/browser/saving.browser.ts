// Saving the rendering: progress, request, answer, gallery, refusals.

import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { parseReply } from '../../lib/index.js';
import {
  PICTURES,
  distance,
  filePixels,
  hasText,
  hold,
  rendered,
  saved,
  shownPixels,
  useDemoPage,
} from './demo-page.js';

const demo = useDemoPage();

const nameField = () => demo().page.getByLabel('Name on the server');
const saveButton = () => demo().page.getByRole('button', { name: 'Save', exact: true });
const card = (name: string): Locator =>
  demo()
    .page.getByRole('listitem')
    .filter({ has: demo().page.getByRole('link', { name, exact: true }) });

async function saveAs(name: string): Promise<void> {
  await nameField().fill(name);
  await saved(demo().page, () => saveButton().click());
}

async function errors(): Promise<Record<string, string>> {
  const places = await demo()
    .page.locator('.error:not(:empty)')
    .evaluateAll((found) => found.map(({ id, textContent }) => [id, textContent] as const));
  return Object.fromEntries(places);
}

async function properties(): Promise<Record<string, string>> {
  const rows = await demo()
    .page.locator('#properties tr')
    .evaluateAll((found) => found.map((row) => [...row.children].map((cell) => cell.textContent)));
  return Object.fromEntries(rows) as Record<string, string>;
}

test('the displayed rendering is saved to the disk and listed in the gallery with its real figures', async () => {
  const { page, savePath } = demo();
  expect(await page.locator('#gallery-empty').isVisible()).toBe(true);
  await page.getByRole('radio', { name: 'shoe' }).check();
  await page.getByLabel('File type').selectOption('png');
  await page.getByLabel('Transparent').check();
  await page.locator('#wid').fill('420');
  await rendered(page);
  expect(await nameField().inputValue()).toBe('shoe-420.png');
  await saved(page, () => saveButton().click());

  const file = path.join(savePath, 'shoe-420.png');
  const { size, mtimeMs } = await stat(file);
  expect(await sharp(file).metadata()).toMatchObject({ width: 420, height: 240, format: 'png' });
  expect(distance(await filePixels(file), await shownPixels(page))).toBeLessThan(3);
  await hasText(page, '#save-status', 'Saved shoe-420.png: 420 × 240 pixels');

  const saved420 = card('shoe-420.png');
  await saved420.waitFor();
  expect(await saved420.locator('p').textContent()).toBe(`420 × 240 · ${(size / 1000).toFixed(1)} kB · PNG`);
  expect(await saved420.locator('data').getAttribute('value')).toBe(String(size));
  expect(Date.parse((await saved420.locator('time').getAttribute('datetime'))!)).toBe(Math.floor(mtimeMs));
  const thumbnail = saved420.locator('img');
  await thumbnail.evaluate((image) => (image instanceof HTMLImageElement ? image.decode() : undefined));
  expect(await thumbnail.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBe(420);
  const link = await saved420.getByRole('link').getAttribute('href');
  const served = await fetch(new URL(link!, demo().origin));
  expect(served.headers.get('x-content-type-options')).toBe('nosniff');
  expect(Buffer.from(await served.arrayBuffer())).toEqual(await readFile(file));

  expect(await page.locator('#reply-status').textContent()).toBe('200 OK');
  expect(await properties()).toEqual({
    status: 'done',
    lastUpdated: String(Math.floor(mtimeMs)),
    pixelsTotal: String(420 * 240),
    name: 'shoe-420.png',
    'image.width': '420',
    'image.height': '240',
    'image.type': 'image/png',
    'image.length': String(size),
  });
});

test('a reload keeps the gallery, and a new image of an old name replaces it', async () => {
  const { page } = demo();
  await saveAs('one.jpg');
  await saveAs('two words.jpg');
  await page.reload();
  await rendered(page);
  await card('two words.jpg').waitFor();
  expect(await page.locator('#gallery a').allTextContents()).toEqual(['two words.jpg', 'one.jpg']);

  await page.locator('#wid').fill('200');
  await rendered(page);
  await saveAs('one.jpg');
  await hasText(page, '#gallery li:first-child', /^one\.jpg200 × 300/);
  expect(await page.locator('#gallery a').allTextContents()).toEqual(['one.jpg', 'two words.jpg']);
});

test('the gallery lists images in folders and omits half-written and foreign files', async () => {
  const { savePath } = demo();
  await mkdir(path.join(savePath, 'products'));
  await writeFile(
    path.join(savePath, '.image-save-0123.tmp'),
    await readFile(path.join(PICTURES, 'dunes.jpg')),
  );
  await writeFile(path.join(savePath, 'notes.jpg'), 'no image');
  await saveAs('products/Größe #1.jpg');
  await card('products/Größe #1.jpg').waitFor();
  const link = await card('products/Größe #1.jpg').getByRole('link').getAttribute('href');
  expect((await fetch(new URL(link!, demo().origin))).status).toBe(200);
  expect(await demo().page.locator('#gallery a').allTextContents()).toEqual(['products/Größe #1.jpg']);
});

test('the page shows progress during a save and sends no second one', async () => {
  const { page } = demo();
  const sent: string[] = [];
  page.on('request', (request) => sent.push(request.url()));
  const { arrived, release } = await hold(page, /saveToFile/);
  await saveButton().click();
  await arrived;
  expect(await page.getByRole('progressbar', { name: 'Saving' }).isVisible()).toBe(true);
  expect(await page.locator('#save-status').textContent()).toBe('Saving aurora-800.jpg…');
  expect(await saveButton().getAttribute('aria-disabled')).toBe('true');
  await saveButton().click({ force: true });
  release();
  await hasText(page, '#save-status', 'Saved aurora-800.jpg');
  expect(await page.locator('#save-progress').isVisible()).toBe(false);
  expect(sent.filter((url) => url.includes('saveToFile'))).toHaveLength(1);
});

test('the copied request saves the same image from a shell', async () => {
  const { page, savePath, origin } = demo();
  const name = "it's 50% of $HOME; `ü` (1).jpg";
  await saveAs(name);
  await page.getByRole('button', { name: 'Copy' }).click();
  await hasText(page, '#copy-status', 'Copied');
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(await page.locator('#curl').textContent());
  expect(copied).toMatch(/^curl 'http[^']+'$/);
  expect(copied).toContain(`${origin}/is/image/aurora?wid=800&fmt=jpeg&qlt=80&req=saveToFile&name=it%27s`);

  const before = await readFile(path.join(savePath, name));
  await rm(path.join(savePath, name));
  const { stdout } = await promisify(execFile)('sh', ['-c', copied.replace('curl', 'curl -s')]);
  expect(parseReply(stdout)).toMatchObject({ status: 'done', name });
  expect(await readFile(path.join(savePath, name))).toEqual(before);
});

test('the page selects the request for the keyboard if there is no clipboard', async () => {
  const { page } = demo();
  await page.evaluate(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
  });
  await saveAs('one.jpg');
  await page.getByRole('button', { name: 'Copy' }).click();
  await hasText(page, '#copy-status', 'Selected');
  expect(await page.evaluate(() => String(getSelection()))).toContain("curl 'http");
});

test.each([
  ['../shoe.jpg', 'Choose another name: no part of it may start with a dot.'],
  ['', /name/i],
  ['shoe.php', /^End the name in the extension of an image/],
  ['shoe.png', 'End the name in .jpg, or ask for a PNG: the image is a JPEG.'],
  [
    'missing/shoe.jpg',
    'Name a folder that exists, because saving creates none: there is no folder "missing".',
  ],
])('a wrong name (%s) causes an error at the name', async (name, message) => {
  const { page, savePath } = demo();
  await saveAs(name);
  const shown = await errors();
  expect(Object.keys(shown)).toEqual(['name-error']);
  expect(shown['name-error']).toMatch(message);
  expect(await nameField().getAttribute('aria-invalid')).toBe('true');
  expect(await nameField().evaluate((field) => field === document.activeElement)).toBe(true);
  expect(await page.locator('#reply-status').textContent()).toBe('403 Forbidden');
  expect((await properties())['error.message']).toBe(shown['name-error']);
  expect(await readdir(savePath)).toEqual([]);

  await saveAs('right.jpg');
  expect(await errors()).toEqual({});
  await card('right.jpg').waitFor();
});

test.each<[string, string, (page: Page) => Promise<unknown>]>([
  ['another picture', '', (page) => page.getByRole('radio', { name: 'dunes' }).check()],
  ['another width', '', (page) => page.locator('#wid').fill('300')],
  ['the format of the name', 'aurora.png', (page) => page.getByLabel('File type').selectOption('png')],
  ['a whole set', '', (page) => page.getByRole('button', { name: /^Save \d+ images$/ }).click()],
])('the page takes back the refusal of a name after %s', async (_what, name, act) => {
  const { page } = demo();
  await saveAs(name);
  expect(Object.keys(await errors())).toEqual(['name-error']);
  await act(page);
  await page.locator('#name:not([aria-invalid])').waitFor();
  expect(await errors()).toEqual({});
  await page.locator('#set-progress').waitFor({ state: 'hidden' });
  await rendered(page);
});

test('the page keeps the refusal of a name that another choice does not change', async () => {
  const { page } = demo();
  await saveAs('../mine.jpg');
  await page.locator('#wid').fill('300');
  await rendered(page);
  expect(await nameField().inputValue()).toBe('../mine.jpg');
  expect(Object.keys(await errors())).toEqual(['name-error']);
  expect(await nameField().getAttribute('aria-invalid')).toBe('true');
});

test('an impossible rendering causes an error at its controls', async () => {
  const { page, savePath } = demo();
  await page.getByLabel('Area').selectOption('own');
  await page.getByRole('group', { name: 'Crop' }).getByRole('spinbutton', { name: 'Width' }).fill('9999');
  await rendered(page);
  await saveAs('bad-crop.jpg');
  expect(await errors()).toEqual({
    'crop-error': 'crop extends beyond the picture, which is 1067 x 1600',
    'render-error': 'Not saved. Check what was asked for: the server replied with status 400, not 200.',
  });
  expect((await properties())['error.code']).toBe('renderer-status');
  expect(await readdir(savePath)).toEqual([]);
});

test('other refusals and an unreachable server are reported below the button', async () => {
  const { page, savePath } = demo();
  await rm(savePath, { recursive: true });
  await saveAs('one.jpg');
  expect((await errors())['general-error']).toBe(
    'Not saved. The save folder of this server does not exist. Tell its operator.',
  );
  await page.route(/saveToFile/, (route) => route.abort());
  await saveButton().click();
  await hasText(page, '#general-error', 'Not saved. The server did not respond. Is it still running?');
  await mkdir(savePath);
});

test('the suggested name follows the choices, and a typed name stays', async () => {
  const { page } = demo();
  const name = () => nameField().inputValue();
  expect(await name()).toBe('aurora-800.jpg');
  await page.locator('#hei').fill('300');
  await page.getByLabel('File type').selectOption('webp');
  expect(await name()).toBe('aurora-800x300.webp');
  await nameField().fill('mine.webp');
  await page.getByRole('radio', { name: 'dunes' }).check();
  await page.getByLabel('File type').selectOption('tif');
  expect(await name()).toBe('mine.tif');
  await nameField().fill('');
  await page.getByLabel('File type').selectOption('jpeg');
  expect(await name()).toBe('dunes-800x300.jpg');
  await rendered(page);
});

test('a TIFF, which browsers cannot display, gets its type as a thumbnail', async () => {
  const { page } = demo();
  await page.getByLabel('File type').selectOption('tif');
  await saveAs('print.tif');
  await hasText(page, '#gallery .thumbnail', 'TIFF');
  await rendered(page);
});
