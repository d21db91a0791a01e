// The tables of formats in docs/protocol.md agree with what is saved and what is refused.
import { MemoryBytes } from '../../lib/bytes/image-bytes.js';
import sharp, { type FormatEnum } from 'sharp';
import { getFormatByName } from '../../lib/image/formats.js';
import { inspectImage } from '../../lib/image/inspect.js';
import { codeSpans, read, tableRows } from './markdown.js';

const page = read('docs/protocol.md');
const section = /### Formats\n([^]*?)\n## /.exec(page)?.[1] ?? '';
const [saved = [], refused = []] = section.split('These are refused').map((part) =>
  tableRows(part)
    .slice(1)
    .map(([names = '', cell = '']) => [codeSpans(names), cell] as const),
);
const options = { verify: 'pixels', maxPixels: 1e6 } as const;

/** The first bytes of a file of each refused format. The middleware looks at no others. */
const FIRST_BYTES: Readonly<Record<string, string>> = {
  pdf: '%PDF-1.4\n',
  eps: '\xc5\xd0\xd3\xc6',
  swf: 'CWS\x08',
  swf3: 'CWS\x09',
  f4m: '<?xml version="1.0"?><manifest xmlns="http://ns.adobe.com/f4m/1.0">',
  m3u8: '#EXTM3U\n',
  heic: '\0\0\0\x18ftypheic\0\0\0\0mif1heic',
  jpeg2000: '\0\0\0\x0cjP  \r\n\x87\n',
  jpegxr: 'II\xbc\x01',
};

test.each(saved)('%j of fmt= can be saved', async (names, extensions) => {
  const format = (names[0] ?? '').replace('tif', 'tiff') as keyof FormatEnum;
  const image = await sharp({ create: { width: 3, height: 2, channels: 3, background: 'red' } })
    .toFormat(format)
    .toBuffer();
  expect(await inspectImage(new MemoryBytes(image), options)).toMatchObject({ format, pixels: 6 });
  const named = codeSpans(extensions);
  expect(named.map((extension) => getFormatByName(`x${extension}`))).toEqual(named.map(() => format));
});

test('the page lists every extension', () => {
  const [, entries = ''] = /EXTENSIONS[^]*?new Map\(\[([^]*?)\]\);/.exec(read('lib/image/formats.ts')) ?? [];
  const known = [...entries.matchAll(/\['(\w+)', '\w+'\]/g)].map(([, extension = '']) => `.${extension}`);
  expect(known.length).toBeGreaterThan(5);
  expect(saved.flatMap(([, extensions]) => codeSpans(extensions)).sort()).toEqual(known.sort());
});

test('every refused format is refused by its bytes', async () => {
  const names = refused.flatMap(([each]) => each);
  expect(names.sort()).toEqual(Object.keys(FIRST_BYTES).sort());
  for (const [name, text] of Object.entries(FIRST_BYTES)) {
    const bytes = Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(1000)]);
    const code = await inspectImage(new MemoryBytes(bytes), options).then(
      () => 'saved',
      (error: unknown) => (error as { code: string }).code,
    );
    expect([name, code]).toEqual([name, 'not-an-image']);
  }
});

test('a name whose last dot is followed by no extension of an image is refused', () => {
  const names = codeSpans(page)
    .filter((span) => span.startsWith('name=SKU-'))
    .map((span) => span.slice('name='.length));
  expect(names.map(getFormatByName)).toEqual(['unknown', 'jpeg']);
});
