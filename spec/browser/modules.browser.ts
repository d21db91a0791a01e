// The page's modules by themselves.

import type { Browser, Page } from 'playwright-core';
import { parseReply } from '../../lib/index.js';
import { formatReply } from '../../lib/protocol/reply.js';
import { SaveError } from '../../lib/errors.js';
import { startChromium } from './chromium.js';
import { openDemoPage, type DemoPage } from './demo-page.js';

let browser: Browser;
let demo: DemoPage;

beforeAll(async () => {
  browser = await startChromium();
  demo = await openDemoPage(browser);
});
afterAll(async () => {
  await demo.close();
  await browser.close();
});

/** Calls a function of one of the page's modules. As text: the transpiler would make a require() of the import. */
function call<Result>(page: Page, module: string, name: string, ...values: unknown[]): Promise<Result> {
  return page.evaluate<Result>(
    `import('/${module}').then((module) => module.${name}(...${JSON.stringify(values)}))
      .then((result) => result instanceof Map ? Object.fromEntries(result) : result)`,
  );
}

describe('parsing a reply', () => {
  test.each([
    'plain.jpg',
    'with blanks  and = signs: many.jpg',
    ' starts and ends with a blank ',
    '#1!.png',
    'Größe 日本 😀.webp',
    'back\\slash \\u0041',
    'line\nbreak\r\ttab\f',
    '',
  ])('parsing a reply returns the original name %j', async (message) => {
    const text = formatReply({ status: 'failed', error: new SaveError('name-invalid', message) }, new Date());
    const read = await call(demo.page, 'exchange.js', 'parseProperties', text);
    expect(read).toEqual({ status: 'failed', 'error.code': 'name-invalid', 'error.message': message });
    expect(read).toEqual(parseReply(text).properties);
  });
});

describe('the command', () => {
  const choices = { picture: 'shoe', fit: 'crop', fmt: 'jpeg', qlt: '80' };

  test.each([
    [{}, '/is/image/shoe', 'shoe.jpg'],
    [{ wid: '10', hei: '20' }, '/is/image/shoe?wid=10&hei=20&fit=crop', 'shoe-10x20.jpg'],
    [{ hei: '20', fmt: 'webp', qlt: '9' }, '/is/image/shoe?hei=20&fmt=webp&qlt=9', 'shoe-h20.webp'],
    [{ fmt: 'png-alpha', qlt: '9' }, '/is/image/shoe?fmt=png-alpha', 'shoe.png'],
    [{ crop: '1,2,3,4', picture: 'a b', wid: '9' }, '/is/image/a%20b?crop=1,2,3,4&wid=9', 'a b-9.jpg'],
  ])('for %j is %s, with the name %s', async (change, url, name) => {
    expect(await call(demo.page, 'command.js', 'renderUrl', { ...choices, ...change })).toBe(url);
    expect(await call(demo.page, 'command.js', 'suggestName', { ...choices, ...change })).toBe(name);
  });

  test('carries every name unchanged through query and shell', async () => {
    const name = "a&b=c+d 'e' (f) #g%41/h.jpg";
    const url = await call<string>(demo.page, 'command.js', 'saveUrl', '/is/image/shoe', name);
    expect(new URL(url, 'http://host').searchParams.get('name')).toBe(name);
    expect(url).not.toMatch(/['()\s]/);
  });
});

test.each([
  ['', [10, 20, 400, 300]],
  // Of 800 × 600 in a square, crop shows the middle 600 × 600, and fit adds margins above and below.
  ['crop', [160, 20, 300, 300]],
  ['fit', [10, 0, 400, 320]],
])('a rectangle on a rendering with fit=%s is %j in the picture', async (fit, expected) => {
  const shown = { left: 0, top: 0, width: 800, height: 600 };
  const rendering = fit === '' ? { width: 400, height: 300 } : { width: 400, height: 400 };
  const width = fit === 'crop' ? 600 : 800;
  const height = fit === '' ? 600 : fit === 'crop' ? 600 : 800;
  const left = fit === 'crop' ? 60 : 10;
  const drawn = {
    left: left / width,
    top: 20 / height,
    width: expected[2]! / width,
    height: (fit === 'fit' ? 400 : expected[3]!) / height,
  };
  expect(await call(demo.page, 'crop.js', 'toCrop', drawn, shown, rendering, fit)).toBe(expected.join(','));
});

test('the page loads no inline code and no code of other sites', async () => {
  const { headers } = await fetch(demo.origin);
  const policy = headers.get('content-security-policy')!;
  expect(policy).toMatch(/^default-src 'self';/);
  expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
  expect(demo.faults).toEqual([]);
});
