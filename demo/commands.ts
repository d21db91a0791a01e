// Parses the commands of Image Serving that the demo's renderer knows.

/** The largest width and height of a rendering, in pixels: `MaxPix` of Image Serving. */
export const MAX_PIX = 5000;

/** The values of `fit`, and what sharp calls them. */
const FIT_MODES = { crop: 'cover', fit: 'contain', constrain: 'inside', stretch: 'fill' } as const;

/** The formats by their names in Image Serving. Those that end in `-alpha` keep transparent pixels. */
const FORMATS = {
  jpg: 'jpeg',
  jpeg: 'jpeg',
  png: 'png',
  'png-alpha': 'png',
  gif: 'gif',
  'gif-alpha': 'gif',
  webp: 'webp',
  'webp-alpha': 'webp',
  avif: 'avif',
  'avif-alpha': 'avif',
  tif: 'tiff',
  'tif-alpha': 'tiff',
} as const;

export interface Commands {
  /** In pixels of the picture. */
  readonly crop: { left: number; top: number; width: number; height: number } | undefined;
  readonly wid: number | undefined;
  readonly hei: number | undefined;
  readonly fit: (typeof FIT_MODES)[keyof typeof FIT_MODES];
  readonly type: (typeof FORMATS)[keyof typeof FORMATS];
  readonly alpha: boolean;
  readonly qlt: number;
}

/** An invalid command. The message begins with its name, and says which values are allowed. */
export class BadCommand extends Error {}

/**
 * Parses a query. As in Image Serving, the case of names does not matter, and unknown commands are ignored.
 *
 * @throws BadCommand
 */
export function parseCommands(query: URLSearchParams): Commands {
  const given = new Map([...query].map(([name, value]) => [name.toLowerCase(), value]));

  function read<T>(name: string, allowed: string, parse: (value: string) => T | undefined): T | undefined {
    const value = given.get(name);
    if (value === undefined) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) throw new BadCommand(`${name}=${value} is invalid: ${name} takes ${allowed}`);
    return parsed;
  }

  const pixels = `a whole number of pixels from 1 to ${MAX_PIX}`;
  const format = read('fmt', Object.keys(FORMATS).join(', '), keyOf(FORMATS)) ?? 'jpeg';
  return {
    crop: read('crop', 'x,y,width,height in whole pixels of the picture, such as 0,0,400,300', parseCrop),
    wid: read('wid', pixels, wholeNumber(1, MAX_PIX)),
    hei: read('hei', pixels, wholeNumber(1, MAX_PIX)),
    fit: FIT_MODES[read('fit', Object.keys(FIT_MODES).join(', '), keyOf(FIT_MODES)) ?? 'fit'],
    type: FORMATS[format],
    alpha: format.endsWith('-alpha'),
    qlt: read('qlt', 'a whole number from 1 to 100', wholeNumber(1, 100)) ?? 80,
  };
}

function keyOf<T extends object>(values: T) {
  return (text: string): keyof T | undefined =>
    Object.hasOwn(values, text.toLowerCase()) ? (text.toLowerCase() as keyof T) : undefined;
}

function wholeNumber(min: number, max: number) {
  return (text: string): number | undefined =>
    /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined;
}

function parseCrop(text: string): Commands['crop'] {
  const [left, top, width, height, ...more] = text.split(',').map(wholeNumber(0, Number.MAX_SAFE_INTEGER));
  if (left === undefined || top === undefined || !width || !height || more.length > 0) return undefined;
  return { left, top, width, height };
}
