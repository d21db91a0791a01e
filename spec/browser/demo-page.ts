// Opens the demo's page in a browser, with a server on a free port and a save folder of its own.

import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { createDemo } from '../../demo/server.js';
import { createDeferred } from '../support/deferred.js';
import { start, stopAll } from '../support/host.js';
import { makeTempDir, removeTempDirs } from '../support/temp-dir.js';
import { startChromium } from './chromium.js';

export interface DemoPage {
  readonly origin: string;
  readonly savePath: string;
  readonly page: Page;
  /** Uncaught errors of the page's scripts, and violations of its content security policy. */
  readonly faults: string[];
}

async function openDemoPage(browser: Browser, options: BrowserContextOptions): Promise<DemoPage> {
  const savePath = makeTempDir();
  const { url: origin } = await start([createDemo(savePath)], 'http.createServer');
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  const page = await context.newPage();
  // A slow machine must not fail a test.
  page.setDefaultTimeout(120_000);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text());
  });
  await page.goto(origin);
  await rendered(page);
  return { origin, savePath, page, faults };
}

/**
 * Returns a function that opens a page, each in a context of one browser, until the end of the test, and expects no
 * fault on it. Call it at the top of a file.
 */
export function useDemoPages(): (options?: BrowserContextOptions) => Promise<DemoPage> {
  let browser: Browser;
  const opened: DemoPage[] = [];
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser.close();
    await removeTempDirs();
  });
  afterEach(async () => {
    const pages = opened.splice(0);
    for (const { page } of pages) await page.context().close();
    await stopAll();
    expect(pages.flatMap(({ faults }) => faults)).toEqual([]);
  });
  return async (options = {}) => {
    const demo = await openDemoPage(browser, options);
    opened.push(demo);
    return demo;
  };
}

/** Expects that parts of a page are in view, and above the strip at its bottom if they are no parts of that. */
export async function expectInView(page: Page, parts: readonly string[]): Promise<void> {
  const strip = (await page.locator('.strip').boundingBox())!;
  for (const part of parts) {
    const box = (await page.locator(part).boundingBox())!;
    const end = part.startsWith('#saved') ? page.viewportSize()!.height : strip.y;
    expect([part, box.y >= 0, box.y + box.height <= end + 1]).toEqual([part, true, true]);
  }
}

/** Waits until the page shows the rendering of the current choices, or an error. */
export async function rendered(page: Page): Promise<void> {
  await page.locator('#preview[aria-busy="false"]').waitFor();
}

/** Calls `act`, which saves, and waits until the page shows the reply. */
export async function saved(page: Page, act: () => Promise<void>): Promise<void> {
  const answer = page.waitForResponse((response) => response.url().includes('req=saveToFile'));
  await act();
  await answer;
  await page.locator('#save-button[aria-disabled="false"]').waitFor();
}

/** Waits until an element has a text. */
export async function hasText(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).waitFor();
}

/** Delays the requests that match until `release` is called. `arrived` resolves with the URL of the first one. */
export async function hold(
  page: Page,
  matches: RegExp,
): Promise<{ arrived: Promise<string>; release: () => void }> {
  const [arrived, released] = [createDeferred<string>(), createDeferred()];
  await page.route(matches, async (route) => {
    arrived.resolve(route.request().url());
    await released.promise;
    // The page may have aborted the request.
    await route.continue().catch(() => undefined);
  });
  return {
    arrived: arrived.promise,
    release: released.resolve,
  };
}
