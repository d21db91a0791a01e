// Formats by file names and by first bytes.
import { getFormatByBytes, getFormatByName, getMediaType } from '../../../lib/image/formats.js';

describe('getFormatByName', () => {
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
  ])('takes the name %s for %s', (name, format) => {
    expect(getFormatByName(name)).toBe(format);
  });
});

describe('getFormatByBytes', () => {
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
    [avif('heic', 'mif1'), undefined],
    [avif('mif1', 'heic') + 'avif', undefined],
    ['\0\0\0\x10ftyp', undefined],
    ['', undefined],
    ['\xff\xd8', undefined],
    ['<svg xmlns="http://www.w3.org/2000/svg"/>', undefined],
    ['%PDF-1.7', undefined],
    ['<!doctype html>', undefined],
    ['\xb6\xa6\xf2\x08', undefined],
    ['RIFF\0\0\0\0WAVE', undefined],
  ])('takes a file that begins with %j for %s', (head, format) => {
    expect(getFormatByBytes(Buffer.from(head, 'latin1'))).toBe(format);
  });
});

it('names the registered media type of a format', () => {
  expect(getMediaType('jpeg')).toBe('image/jpeg');
});
