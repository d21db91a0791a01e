// Opens the demo's page in a browser, with a server on a free port and a save folder of its own.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { createDemo } from '../../demo/server.js';
import { createDeferred } from '../support/deferred.js';
import { startChromium } from './chromium.js';

export interface DemoPage {
  readonly origin: string;
  readonly savePath: string;
  readonly page: Page;
  /** Uncaught errors of the page's scripts, and violations of its content security policy. */
  readonly faults: string[];
  readonly close: () => Promise<void>;
}

export async function openDemoPage(browser: Browser, options: BrowserContextOptions = {}): Promise<DemoPage> {
  const savePath = await mkdtemp(path.join(tmpdir(), 'demo-'));
  const server = createServer(createDemo(savePath)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
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
  return {
    origin,
    savePath,
    page,
    faults,
    close: async () => {
      await context.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await rm(savePath, { recursive: true });
    },
  };
}

/**
 * Opens a new page for each test of a file, in one browser, and expects no fault on it. Call this function at the top
 * of the file.
 */
export function useDemoPage(): () => DemoPage {
  let browser: Browser;
  let demo: DemoPage;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    demo = await openDemoPage(browser);
  });
  afterEach(async () => {
    await demo.close();
    expect(demo.faults).toEqual([]);
  });
  return () => demo;
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
    release: () => {
      released.resolve();
    },
  };
}
