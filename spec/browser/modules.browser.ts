// The page's modules by themselves.

import type { Page } from 'playwright-core';
import { parseReply } from '../../lib/index.js';
import { formatReply } from '../../lib/protocol/reply.js';
import { SaveError } from '../../lib/errors.js';
import { useDemoPages } from './demo-page.js';

const open = useDemoPages();
let page: Page;
beforeEach(async () => {
  ({ page } = await open());
});

/** Calls a function of one of the page's modules. As text: the transpiler would make a require() of the import. */
function call<Result>(module: string, name: string, ...values: unknown[]): Promise<Result> {
  return page.evaluate<Result>(
    `import('/${module}').then((module) => module.${name}(...${JSON.stringify(values)}))
      .then((result) => result instanceof Map ? Object.fromEntries(result) : result)`,
  );
}

test('parsing a reply returns the original text', async () => {
  const texts = [
    'plain.jpg',
    'with blanks  and = signs: many.jpg',
    ' starts and ends with a blank ',
    '#1!.png',
  ];
  for (const message of [...texts, 'Größe 日本 😀.webp', 'back\\slash \\u0041', 'line\nbreak\r\ttab\f', '']) {
    const text = formatReply({ status: 'failed', error: new SaveError('name-invalid', message) }, new Date());
    const read = await call('exchange.js', 'parseProperties', text);
    expect(read).toEqual({ status: 'failed', 'error.code': 'name-invalid', 'error.message': message });
    expect(read).toEqual(parseReply(text).properties);
  }
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
    expect(await call('command.js', 'renderUrl', { ...choices, ...change })).toBe(url);
    expect(await call('command.js', 'suggestName', { ...choices, ...change })).toBe(name);
  });

  test('carries every name unchanged through query and shell', async () => {
    const name = "a&b=c+d 'e' (f) #g%41/h.jpg";
    const url = await call<string>('command.js', 'saveUrl', '/is/image/shoe', name);
    expect(new URL(url, 'http://host').searchParams.get('name')).toBe(name);
    expect(url).not.toMatch(/['()\s]/);
  });
});

test('a rectangle that is drawn on a rendering is a crop of the picture', async () => {
  const shown = { left: 0, top: 0, width: 800, height: 600 };
  const square = { width: 400, height: 400 };
  const crop = (fit: string, rendering: object, [left, top, width, height]: number[]): Promise<unknown> =>
    call('crop.js', 'toCrop', { left, top, width, height }, shown, rendering, fit);
  expect(await crop('', { width: 400, height: 300 }, [1 / 80, 1 / 30, 1 / 2, 1 / 2])).toBe('10,20,400,300');
  // Of 800 × 600 in a square, crop shows the middle 600 × 600, and fit adds margins above and below.
  expect(await crop('crop', square, [1 / 10, 1 / 30, 1 / 2, 1 / 2])).toBe('160,20,300,300');
  expect(await crop('fit', square, [1 / 80, 1 / 40, 1 / 2, 1 / 2])).toBe('10,0,400,320');
});
