// Opens the demo's page in a browser, with a server on a free port and a save folder of its own.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { createApp } from '../../demo/app.js';
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
  const server = createServer(createApp(savePath)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    locale: 'en-GB',
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  const page = await context.newPage();
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

export interface Pixels {
  width: number;
  height: number;
  /** Returns red, green, blue and alpha at a point, given as fractions of the width and the height. */
  at: (x: number, y: number) => number[];
}

/** Returns the pixels of the rendering as the browser shows it. */
export async function shownPixels(page: Page): Promise<Pixels> {
  const url = await page.locator('#rendering').evaluate((image) => {
    if (!(image instanceof HTMLImageElement)) throw new TypeError('This is no image');
    const canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext('2d');
    if (context === null) throw new TypeError('This browser cannot draw');
    context.drawImage(image, 0, 0);
    return canvas.toDataURL('image/png');
  });
  return filePixels(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64'));
}

/** Returns the pixels of an image file. */
export async function filePixels(file: string | Buffer): Promise<Pixels> {
  const { data, info } = await sharp(file).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const at = (x: number, y: number): number[] => {
    const start = (Math.floor(y * height) * width + Math.floor(x * width)) * 4;
    return Array.from({ length: 4 }, (_, channel) => data[start + channel]!);
  };
  return { width, height, at };
}

/** Returns the mean difference of two images: over all channels and a grid of points. */
export function distance(one: Pixels, other: Pixels): number {
  const shares = Array.from({ length: 9 }, (_, i) => (i + 1) / 10);
  const differences = shares.flatMap((x) =>
    shares.flatMap((y) => one.at(x, y).map((value, channel) => Math.abs(value - other.at(x, y)[channel]!))),
  );
  return differences.reduce((sum, difference) => sum + difference) / differences.length;
}

export const PICTURES = fileURLToPath(new URL('../../demo/pictures/', import.meta.url));

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
