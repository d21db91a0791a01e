// Choosing a picture and its rendering: the page shows the server's image or refusal.

import path from 'node:path';
import sharp from 'sharp';
import {
  PICTURES,
  distance,
  filePixels,
  hasText,
  hold,
  rendered,
  shownPixels,
  useDemoPage,
} from './demo-page.js';

const demo = useDemoPage();

/** The allowed mean difference of two decoders and two resizers. */
const ALIKE = 4;

const dunes = path.join(PICTURES, 'dunes.jpg');

async function number(group: string, name: string, value: string): Promise<void> {
  const { page } = demo();
  await page.getByRole('group', { name: group }).getByRole('spinbutton', { name }).fill(value);
}

test('each control changes the displayed pixels', async () => {
  const { page } = demo();
  await page.getByRole('radio', { name: 'dunes' }).check();
  await number('Size', 'Width', '300');
  await page.getByLabel('File type').selectOption('png');
  await rendered(page);
  const whole = await shownPixels(page);
  expect(whole).toMatchObject({ width: 300, height: 200 });
  expect(
    distance(whole, await filePixels(await sharp(dunes).resize(300, 200).png().toBuffer())),
  ).toBeLessThan(ALIKE);

  await page.getByLabel('Area').selectOption('Square');
  await rendered(page);
  const square = { left: 266, top: 0, width: 1067, height: 1067 };
  const cropped = await sharp(dunes).extract(square).resize(300, 300).png().toBuffer();
  expect(distance(await shownPixels(page), await filePixels(cropped))).toBeLessThan(ALIKE);

  await number('Rotation', 'Degrees', '90');
  await rendered(page);
  expect(distance(await shownPixels(page), await filePixels(cropped))).toBeGreaterThan(2 * ALIKE);
  const turned = await sharp(cropped).rotate(90).png().toBuffer();
  expect(distance(await shownPixels(page), await filePixels(turned))).toBeLessThan(ALIKE);

  await number('Size', 'Height', '100');
  await page.getByLabel('Fit').selectOption('stretch,1');
  await rendered(page);
  expect(await shownPixels(page)).toMatchObject({ width: 300, height: 100 });
});

test('the background fills the corners after a rotation, and may be transparent', async () => {
  const { page } = demo();
  await page.getByRole('radio', { name: 'dunes' }).check();
  await page.getByLabel('File type').selectOption('png');
  await number('Rotation', 'Degrees', '45');
  await page.getByLabel('Background').fill('#3050c0');
  await rendered(page);
  expect((await shownPixels(page)).at(0.01, 0.01)).toEqual([0x30, 0x50, 0xc0, 255]);
  await page.getByLabel('Transparent').check();
  await rendered(page);
  expect((await shownPixels(page)).at(0.01, 0.01)[3]).toBe(0);
});

test.each([
  ['JPEG', 'image/jpeg'],
  ['WebP', 'image/webp'],
  ['AVIF', 'image/avif'],
  ['PNG', 'image/png'],
  ['GIF', 'image/gif'],
  ['TIFF', 'image/tiff'],
])('a %s is displayed with its real size and type', async (format, type) => {
  const { page, origin } = demo();
  await page.getByLabel('File type').selectOption(format);
  await rendered(page);
  expect(await shownPixels(page)).toMatchObject({ width: 800, height: 1200 });
  const link = await page.getByRole('link', { name: 'Open the rendering' }).getAttribute('href');
  const answer = await fetch(origin + link!);
  expect(answer.headers.get('content-type')).toBe(type);
  const kilobytes = ((await answer.arrayBuffer()).byteLength / 1000).toFixed(1);
  await hasText(page, '#facts', `800 × 1200 pixels · ${kilobytes} kB · ${format}`);
});

test('a lower quality makes a smaller image; a format without quality has no such control', async () => {
  const { page } = demo();
  const kilobytes = async () => Number(/([\d.]+) kB/.exec((await page.locator('#facts').textContent())!)![1]);
  const before = await kilobytes();
  await page.getByRole('slider', { name: 'Quality' }).fill('20');
  await rendered(page);
  expect(await page.getByRole('spinbutton', { name: 'Quality' }).inputValue()).toBe('20');
  expect(await kilobytes()).toBeLessThan(before / 2);
  await page.getByLabel('File type').selectOption('png');
  expect(await page.getByRole('slider', { name: 'Quality' }).isDisabled()).toBe(true);
});

test('the page reports that it waits, and keeps the last picture', async () => {
  const { page } = demo();
  const { arrived, release } = await hold(page, /wid=333/);
  await number('Size', 'Width', '333');
  await arrived;
  expect(await page.locator('#preview').getAttribute('aria-busy')).toBe('true');
  expect((await shownPixels(page)).width).toBe(800);
  release();
  await rendered(page);
  expect((await shownPixels(page)).width).toBe(333);
});

test('an outdated response never replaces a newer one', async () => {
  const { page } = demo();
  const { arrived, release } = await hold(page, /wid=500/);
  await number('Size', 'Width', '500');
  await arrived;
  const calledOff = page.waitForEvent('requestfailed', (request) => request.url().includes('wid=500'));
  await number('Size', 'Width', '300');
  await rendered(page);
  release();
  await calledOff;
  expect((await shownPixels(page)).width).toBe(300);
  await hasText(page, '#facts', '300 × 450 pixels');
});

test('many quick changes cause one request', async () => {
  const { page } = demo();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).search));
  await page.locator('#wid').evaluate((field) => {
    for (const value of ['1', '10', '101', '102', '103']) {
      if (field instanceof HTMLInputElement) field.value = value;
      field.dispatchEvent(new Event('input', { bubbles: true }));
    }
  });
  await rendered(page);
  expect(asked.filter((query) => query.includes('wid='))).toEqual(['?wid=103&fmt=jpeg&qlt=80']);
});

test.each([
  [
    'Size',
    'Width',
    '5001',
    '#size-error',
    'wid=5001 is invalid: wid takes a whole number of pixels from 1 to 5000',
  ],
  ['Format', 'Quality', '0', '#format-error', 'qlt=0 is invalid: qlt takes a whole number from 1 to 100'],
  [
    'Rotation',
    'Degrees',
    '999',
    '#rotate-error',
    'rotate=999 is invalid: rotate takes degrees clockwise from -360 to 360',
  ],
])(
  'an error of %s appears at its control until it is corrected',
  async (group, name, value, place, message) => {
    const { page } = demo();
    const field = page.getByRole('group', { name: group }).getByRole('spinbutton', { name });
    const right = await field.inputValue();
    await field.fill(value);
    await rendered(page);
    expect(await page.locator('.error:not(:empty)').allTextContents()).toEqual([message]);
    expect(await page.locator(place).textContent()).toBe(message);
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await field.getAttribute('aria-describedby')).toBe(place.slice(1));
    expect(await page.locator('#facts').textContent()).toBe('Not rendered');

    await field.fill(right);
    await rendered(page);
    expect(await page.locator('.error:not(:empty)').count()).toBe(0);
    expect(await field.getAttribute('aria-invalid')).toBeNull();
    await hasText(page, '#facts', '800 × 1200 pixels');
  },
);

test('the page reports an unreachable server', async () => {
  const { page } = demo();
  await page.route('**/is/image/**', (route) => route.abort());
  await number('Size', 'Width', '200');
  await rendered(page);
  expect(await page.locator('#render-error').textContent()).toBe(
    'The server did not respond. Is it still running?',
  );
});
