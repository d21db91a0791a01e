// Saving a whole set: progress, end, stop and refusal.

import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { hasText, hold, rendered, useDemoPage } from './demo-page.js';

const demo = useDemoPage();

const start = () => demo().page.getByRole('button', { name: /^Save \d+ images?$/ });
const stop = () => demo().page.getByRole('button', { name: 'Stop' });
const bar = () => demo().page.getByRole('progressbar', { name: 'Save a set' });

test('a set saves and counts every width in every format', async () => {
  const { page, savePath } = demo();
  await page.getByRole('radio', { name: 'dahlia' }).check();
  await page.getByLabel('Area').selectOption('Landscape, 16:9');
  await page.getByLabel('960').uncheck();
  await page.getByRole('group', { name: 'Formats' }).getByLabel('PNG').check();
  expect(await start().textContent()).toBe('Save 6 images');
  const { arrived, release } = await hold(page, /name=dahlia-640\.jpg/);
  await start().click();
  await arrived;
  expect(await page.locator('#set-status').textContent()).toBe('3 of 6 saved…');
  expect(await bar().evaluate((element) => (element as HTMLProgressElement).position)).toBe(0.5);
  release();
  await hasText(page, '#set-status', 'All 6 saved.');
  expect(await bar().isVisible()).toBe(false);

  const names = ['dahlia-320', 'dahlia-640'].flatMap((name) =>
    ['jpg', 'png', 'webp'].map((ext) => `${name}.${ext}`),
  );
  expect((await readdir(savePath)).sort()).toEqual(names);
  for (const name of names) {
    const width = name.includes('320') ? 320 : 640;
    expect(await sharp(path.join(savePath, name)).metadata()).toMatchObject({
      width,
      height: width * (9 / 16),
    });
  }
  await hasText(page, '#gallery-count', '6');
  expect((await page.locator('#gallery a').allTextContents()).sort()).toEqual(names);
  await rendered(page);
});

test('a stopped set finishes its current image and no more', async () => {
  const { page, savePath } = demo();
  const { arrived, release } = await hold(page, /name=aurora-640\.jpg/);
  await start().click();
  await arrived;
  await stop().click();
  await hasText(page, '#set-status', 'Stopping after this image');
  release();
  await hasText(page, '#set-status', 'Stopped: 3 of 6 saved.');
  expect((await readdir(savePath)).sort()).toEqual(['aurora-320.jpg', 'aurora-320.webp', 'aurora-640.jpg']);
  await hasText(page, '#gallery-count', '3');
  expect(await start().isVisible()).toBe(true);
  expect(await start().evaluate((button) => button === document.activeElement)).toBe(true);
});

test('a set goes on after a refusal, and reports all refusals at the end', async () => {
  const { page, savePath } = demo();
  // Folders have two of the names.
  for (const name of ['aurora-320.jpg', 'aurora-640.webp']) await mkdir(path.join(savePath, name));
  await start().click();
  await hasText(page, '#set-status', '4 of 6 saved, 2 refused.');
  await hasText(page, '#set-error', /^aurora-320\.jpg, aurora-640\.webp: Choose another name: /);
  expect(await page.getByLabel('Name prefix').getAttribute('aria-invalid')).toBe('true');
  await hasText(page, '#gallery-count', '4');
  expect(await readdir(savePath)).toHaveLength(6);
});

test('a refusal appears at the wrong control', async () => {
  const { page, savePath } = demo();
  await page.getByLabel('Name prefix').fill('missing/aurora');
  await start().click();
  await hasText(
    page,
    '#set-error',
    /^missing\/aurora-320\.jpg, .*: Name a folder that exists, because saving creates none: there is no folder "missing"\.$/,
  );
  expect(await page.getByLabel('Name prefix').getAttribute('aria-invalid')).toBe('true');
  expect(await page.locator('#set-status').textContent()).toBe('0 of 6 saved, 6 refused.');

  await page.getByLabel('Name prefix').fill('aurora');
  await page.locator('#rotate').fill('999');
  await rendered(page);
  await start().click();
  await hasText(page, '#render-error', /^aurora-320\.jpg, .*: Check what was asked for/);
  expect(await page.locator('#set-error').textContent()).toBe('');
  expect(await readdir(savePath)).toEqual([]);
});

test('an empty set asks for choices until there are some', async () => {
  const { page } = demo();
  for (const width of ['320', '640', '960']) await page.getByLabel(width, { exact: true }).uncheck();
  await start().click();
  await hasText(page, '#set-error', 'Choose at least one width and one format.');
  await page.getByLabel('640', { exact: true }).check();
  expect(await page.locator('#set-error').textContent()).toBe('');
});

test.each<[string, (page: Page) => Promise<unknown>]>([
  ['another picture', (page) => page.getByRole('radio', { name: 'dunes' }).check()],
  ['one save by itself', (page) => page.locator('#save-button').click()],
])('the page takes back the refusal of a set after %s', async (_what, act) => {
  const { page, savePath } = demo();
  // A folder has the first name of the set.
  await mkdir(path.join(savePath, 'aurora-320.jpg'));
  await start().click();
  await hasText(page, '#set-error', /^aurora-320\.jpg: /);
  expect(await page.locator('#set-name').getAttribute('aria-invalid')).toBe('true');
  await act(page);
  await page.locator('#set-name:not([aria-invalid])').waitFor();
  expect(await page.locator('#set-error').textContent()).toBe('');
  await page.locator('#save-progress').waitFor({ state: 'hidden' });
  await rendered(page);
});
