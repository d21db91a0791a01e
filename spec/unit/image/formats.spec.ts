// Formats by file names and by first bytes.
import { getFormatByBytes, getFormatByName, getMediaType, sniffFormat } from '../../../lib/image/formats.js';

it.each([
  ['shoe.jpg', 'jpeg'],
  ['shoe.JPEG', 'jpeg'],
  ['shoe.jpe', 'jpeg'],
  ['shoe.jfif', 'jpeg'],
  ['shoe.png', 'png'],
  ['shoe.apng', 'png'],
  ['shoe.webp', 'webp'],
  ['shoe.gif', 'gif'],
  ['shoe.tif', 'tiff'],
  ['shoe.Tiff', 'tiff'],
  ['shoe.avif', 'avif'],
  ['shoe', 'any'],
  ['v1.2/shoe', 'any'],
  ['shoe.png.jpg', 'jpeg'],
  ['shoe.php', 'unknown'],
  ['shoe.jpg.php', 'unknown'],
  ['shoe.', 'unknown'],
  ['shoe.heic', 'unknown'],
  ['shoe.svg', 'unknown'],
  ['shoe.constructor', 'unknown'],
])('getFormatByName takes the name %s for %s', (name, format) => {
  expect(getFormatByName(name)).toBe(format);
});

const avif = (major: string, ...compatible: string[]): string =>
  `\0\0\0${String.fromCharCode(16 + 4 * compatible.length)}ftyp${major}\0\0\0\0${compatible.join('')}`;

it.each([
  ['\xff\xd8\xff\xe0', 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 'png'],
  ['GIF87a', 'gif'],
  ['GIF89a', 'gif'],
  ['RIFF\n\n\n\nWEBP', 'webp'],
  ['II*\0', 'tiff'],
  ['MM\0*', 'tiff'],
  ['II+\0', 'tiff'],
  ['MM\0+', 'tiff'],
  [avif('avif'), 'avif'],
  [avif('avis', 'msf1'), 'avif'],
  [avif('mif1', 'miaf', 'avif'), 'avif'],
  [avif('heic', 'mif1'), 'none'],
  [avif('heic', 'mif1', 'avif'), 'none'],
  [avif('mif1', 'heic') + 'avif', 'none'],
  [avif('heic', ...Array<string>(70).fill('mif1'), 'avif'), 'none'],
  ['\0\0\0\x10ftyp', 'undecided'],
  [avif('mif1', 'miaf', 'avif').slice(0, -1), 'undecided'],
  ['', 'undecided'],
  ['\xff\xd8', 'undecided'],
  ['\x89PNG\r\n', 'undecided'],
  ['GIF8', 'undecided'],
  ['RIFF\0\0\0\0WEB', 'undecided'],
  ['II', 'undecided'],
  ['GIF88a', 'none'],
  ['\r\n\xff\xd8\xff', 'none'],
  ['--boundary\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff', 'none'],
  ['\0'.repeat(8), 'none'],
  ['<svg xmlns="http://www.w3.org/2000/svg"/>', 'none'],
  ['%PDF-1.7', 'none'],
  ['<!doctype html>', 'none'],
  ['\xb6\xa6\xf2\x08', 'none'],
  ['RIFF\0\0\0\0WAVE', 'none'],
])('sniffFormat and getFormatByBytes take a file that begins with %j for %s', (head, format) => {
  const bytes = Buffer.from(head, 'latin1');
  expect(sniffFormat(bytes)).toBe(format);
  expect(getFormatByBytes(bytes)).toBe(['none', 'undecided'].includes(format) ? undefined : format);
});

it('names the registered media type of a format', () => {
  expect(getMediaType('jpeg')).toBe('image/jpeg');
});
