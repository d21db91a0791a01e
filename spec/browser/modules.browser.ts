// The page's modules, and the search for a browser.

import type { Browser, Page } from 'playwright-core';
import { parseReply } from '../../lib/index.js';
import { formatReply } from '../../lib/protocol/reply.js';
import { ERROR_CODES, SaveError } from '../../lib/errors.js';
import { findChromium, startChromium } from './chromium.js';
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
    const read = await call(demo.page, 'reply.js', 'parseProperties', text);
    expect(read).toEqual({ status: 'failed', 'error.code': 'name-invalid', 'error.message': message });
    expect(read).toEqual(parseReply(text).properties);
  });

  test('parsing a reply accepts the forms of other writers', async () => {
    const text =
      '#S7Z OK\r\n!comment\r\n\r\n  status : done\r\na\\:b\\=c\\ d=e\r\nempty\r\nlast\\u00dc=\\u00DC=';
    expect(await call(demo.page, 'reply.js', 'parseProperties', text)).toEqual({
      status: 'done',
      'a:b=c d': 'e',
      empty: '',
      lastÜ: 'Ü=',
    });
  });
});

describe('the command', () => {
  const choices = {
    picture: 'shoe',
    crop: '',
    rotate: '0',
    wid: '',
    hei: '',
    fit: 'crop,1',
    bgc: 'ffffff',
    transparent: false,
    fmt: 'jpeg',
    qlt: '80',
  };

  test.each([
    [{}, '/is/image/shoe?fmt=jpeg&qlt=80'],
    [{ wid: '10', hei: '20' }, '/is/image/shoe?wid=10&hei=20&fit=crop,1&fmt=jpeg&qlt=80'],
    [{ hei: '20' }, '/is/image/shoe?hei=20&fmt=jpeg&qlt=80'],
    [{ fmt: 'png', transparent: true, bgc: '102030' }, '/is/image/shoe?fmt=png-alpha'],
    [{ transparent: true, bgc: '102030' }, '/is/image/shoe?bgc=102030&fmt=jpeg&qlt=80'],
    [
      { crop: '1,2,3,4', rotate: '-9', picture: 'a b' },
      '/is/image/a%20b?crop=1,2,3,4&rotate=-9&fmt=jpeg&qlt=80',
    ],
  ])('builds the URL for %j', async (change, url) => {
    expect(await call(demo.page, 'command.js', 'renderUrl', { ...choices, ...change })).toBe(url);
  });

  test('carries every name unchanged through query and shell', async () => {
    const name = "a&b=c+d 'e' (f) #g%41/h.jpg";
    const url = await call<string>(demo.page, 'command.js', 'saveUrl', choices, name);
    expect(new URL(url, 'http://host').searchParams.get('name')).toBe(name);
    expect(url).not.toMatch(/['()\s]/);
  });

  test.each([
    [{}, 'shoe.jpg'],
    [{ wid: '10' }, 'shoe-10.jpg'],
    [{ hei: '20', fmt: 'tif' }, 'shoe-h20.tif'],
    [{ wid: '10', hei: '20', fmt: 'webp' }, 'shoe-10x20.webp'],
  ])('the name suggested for %j is %s', async (change, name) => {
    expect(await call(demo.page, 'command.js', 'suggestedName', { ...choices, ...change })).toBe(name);
  });
});

test('every error code has a place on the page, and no place has an unknown code', async () => {
  const places = new Map<string, string>();
  for (const code of ERROR_CODES) places.set(code, await call(demo.page, 'save.js', 'getPlace', code));
  expect(Object.fromEntries(places)).toMatchObject({
    'name-invalid': 'name',
    'file-exists': 'name',
    'renderer-status': 'rendering',
    'too-many-pixels': 'rendering',
    'disk-full': 'general',
    timeout: 'general',
  });
});

test('the page loads no inline code and no code of other sites', async () => {
  const { headers } = await fetch(demo.origin);
  const policy = headers.get('content-security-policy')!;
  expect(policy).toMatch(/^default-src 'self';/);
  expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
  expect(demo.faults).toEqual([]);
});

test('the suite explains how to install a missing browser', () => {
  expect(() => findChromium({ PATH: '/nowhere' })).toThrow(/apt-get install chromium/);
  expect(() => findChromium({ CHROMIUM: '/nowhere/chromium' })).toThrow(
    /^CHROMIUM names no program: \/nowhere\/chromium/,
  );
});
