// Accessibility: the keyboard, phones, dark mode, and the checks of axe.

import { readdir } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { expectInView, hasText, rendered, saved, useDemoPages, type DemoPage } from './demo-page.js';

const openPage = useDemoPages();
const openDemo = (screen: string): Promise<DemoPage> =>
  openPage({ reducedMotion: 'reduce', ...SCREENS[screen] });
const open = async (screen: string): Promise<Page> => (await openDemo(screen)).page;

const SCREENS: Record<string, BrowserContextOptions> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  'a phone, light': { colorScheme: 'light', viewport: { width: 390, height: 844 }, hasTouch: true },
  'a phone, dark': { colorScheme: 'dark', viewport: { width: 390, height: 844 }, hasTouch: true },
  'a narrow phone': { viewport: { width: 320, height: 568 }, hasTouch: true },
};

/** Makes the page show everything that it can show at once: a reply, a saved image, and errors. */
async function showErrors(page: Page): Promise<void> {
  await page.locator('#name').fill('a-rather-long-name-without-any-blank-in-it-'.repeat(4) + '.jpg');
  await saved(page, () => page.locator('#save-button').click());
  await page.getByRole('button', { name: 'Error page' }).click();
  await page.locator('#verdict:not(:empty)').waitFor();
  await page.locator('#save-button[aria-disabled="false"]').waitFor();
  await page.getByLabel('Height').fill('300');
  await page.getByLabel('Crop', { exact: true }).fill('0,0,9999,9');
  await rendered(page);
  await page.locator('#name').fill('../x.jpg');
  await saved(page, () => page.locator('#save-button').click());
  await page.locator('#save-error:not(:empty)').waitFor();
}

async function violations(page: Page): Promise<string[]> {
  const results = await new AxeBuilder({ page }).analyze();
  expect(results.passes.map(({ id }) => id)).toContain('color-contrast');
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target.join(' ')}: ${failureSummary}`),
  );
}

describe.each(Object.keys(SCREENS))('on a screen that is %s', (screen) => {
  test('axe finds no fault, and no content needs sideways scrolling', async () => {
    const page = await open(screen);
    expect(await violations(page)).toEqual([]);
    await showErrors(page);
    expect(await violations(page)).toEqual([]);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });

  test('Tab reaches every control visibly, and then leaves the page', async () => {
    const page = await open(screen);
    await showErrors(page);
    // Tab goes on from there.
    await page.locator('h1').evaluate((title) => {
      title.tabIndex = -1;
      title.focus();
    });
    const stops = await walk(page, 'Tab');
    expect(stops).toHaveLength(await page.evaluate(countStops));
    // On the way up, the sticky picture of a phone's screen must not cover the controls.
    expect((await walk(page, 'Shift+Tab')).reverse()).toEqual(stops);
  });
});

/** Presses a key until the focus leaves the page, and expects a visible focus at each step. */
async function walk(page: Page, key: string): Promise<string[]> {
  const stops: string[] = [];
  for (;;) {
    await page.keyboard.press(key);
    const stop = await page.evaluate(describeFocus);
    if (stop === undefined || stops.includes(stop.id)) return stops;
    expect(stop).toEqual({ id: stop.id, outlined: true, inSight: true });
    stops.push(stop.id);
  }
}

/** The focused element, and whether its focus is visible. */
function describeFocus() {
  const element = document.activeElement;
  if (element === null || element === document.body) return undefined;
  const all = [...document.querySelectorAll('*')];
  const marked = element.matches('[type=radio]') ? element.nextElementSibling! : element;
  const { outlineStyle, outlineWidth } = getComputedStyle(marked);
  // A link that is broken into lines has a box for each.
  const box = element.getClientRects()[0]!;
  const label = element.closest('label');
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height, 40) / 2);
  return {
    id: `${element.tagName}#${element.id}@${all.indexOf(element)}`,
    outlined: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
    inSight: top !== null && (element.contains(top) || label?.contains(top) === true),
  };
}

function countStops() {
  return [...document.querySelectorAll('a, button, input, select, .code')].filter(
    (control) =>
      control.getClientRects().length > 0 &&
      !control.matches(':disabled') &&
      // A group of radio buttons is one stop.
      !control.matches('[type=radio]:not(:checked)'),
  ).length;
}

test('the page is dark in dark mode and light in light mode', async () => {
  const brightness = (page: Page) =>
    page.evaluate(() => {
      const channels = /(\d+), (\d+), (\d+)/.exec(getComputedStyle(document.body).backgroundColor) ?? [];
      return Math.max(...channels.slice(1).map(Number));
    });
  expect(await brightness(await open('dark'))).toBeLessThan(40);
  expect(await brightness(await open('light'))).toBeGreaterThan(220);
});

test('the keyboard alone can choose, change, save, copy and try to break a save', async () => {
  const { page, savePath } = await openDemo('light');
  await tabTo(page, page.getByRole('radio', { name: 'aurora' }));
  await page.keyboard.press('ArrowRight');
  expect(await page.getByRole('radio', { name: 'dahlia' }).isChecked()).toBe(true);
  await tabTo(page, page.getByLabel('Width'));
  await page.keyboard.type('250');
  await tabTo(page, page.locator('[name=fmt]'));
  await page.keyboard.press('w');
  await tabTo(page, page.getByLabel('Crop', { exact: true }));
  await page.keyboard.type('0,0,100,100');
  await rendered(page);
  await tabTo(page, page.locator('#name'));
  await page.keyboard.press('Enter');
  await hasText(page, '#reply-status', '200 OK');
  await page.locator('#save-button[aria-disabled="false"]').waitFor();
  expect(await page.locator('#url').textContent()).toContain(
    '/dahlia?crop=0,0,100,100&wid=250&fmt=webp&req=',
  );
  await tabTo(page, page.getByRole('button', { name: 'Copy the command of the set' }));
  await page.keyboard.press('Space');
  await hasText(page, '#copied', 'Copied');
  await tabTo(page, page.getByRole('button', { name: 'Climb out' }));
  await page.keyboard.press('Enter');
  await hasText(page, '#verdict', 'precious.jpg still holds the old image');
  await page.locator('#save-button[aria-disabled="false"]').waitFor();
  expect((await readdir(savePath)).sort()).toEqual(['dahlia-250.webp', 'precious.jpg']);
});

test('on a phone, the reply and the saved picture are in view after Save', async () => {
  const page = await open('a phone, light');
  await saved(page, () => page.locator('#save-button').click());
  await expectInView(page, ['#reply-status', '#held img', '#stages']);
});

async function tabTo(page: Page, control: Locator): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    if (await control.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${String(control)}`);
}
