// Parses and checks the common commands of Image Serving in a query string.

/** The largest width and height of a rendering, in pixels: `MaxPix` of Image Serving. */
export const MAX_PIX = 5000;

const FIT_MODES = ['fit', 'constrain', 'crop', 'wrap', 'stretch', 'hfit', 'vfit'] as const;

// The formats by their names in Image Serving. Those ending in `-alpha` keep transparent pixels.
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

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Fit {
  mode: (typeof FIT_MODES)[number];
  /** Whether the picture may be enlarged. */
  upscale: boolean;
}

export interface Format {
  type: (typeof FORMATS)[keyof typeof FORMATS];
  alpha: boolean;
}

export interface Commands {
  crop: Box | undefined;
  flip: string;
  rotate: number;
  scl: number | undefined;
  wid: number | undefined;
  hei: number | undefined;
  fit: Fit | undefined;
  bgc: string;
  fmt: Format;
  qlt: number;
}

/** An invalid command. The message tells the client which command, and which values are allowed. */
export class BadCommand extends Error {}

/**
 * Parses a query string. As in Image Serving, the case of names does not matter, and unknown commands are ignored.
 *
 * @throws BadCommand
 */
export function parseCommands(query: string): Commands {
  const given = new Map([...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value]));

  function read<T>(name: string, allowed: string, parse: (value: string) => T | undefined): T | undefined {
    const value = given.get(name);
    if (value === undefined) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) throw new BadCommand(`${name}=${value} is invalid: ${name} takes ${allowed}`);
    return parsed;
  }

  const pixels = `a whole number of pixels from 1 to ${MAX_PIX}`;
  read('req', 'img (this renderer sends only images)', oneOf(['img']));
  const commands: Commands = {
    crop: read('crop', 'x,y,width,height in whole pixels of the picture, such as 0,0,400,300', parseBox),
    flip: read('flip', 'lr, ud or lrud', oneOf(['lr', 'ud', 'lrud'])) ?? '',
    rotate: read('rotate', 'degrees clockwise from -360 to 360', number(-360, 360)) ?? 0,
    scl: read('scl', 'a number from 0.01 to 1000: 2 halves the picture', number(0.01, 1000)),
    wid: read('wid', pixels, wholeNumber(1, MAX_PIX)),
    hei: read('hei', pixels, wholeNumber(1, MAX_PIX)),
    fit: read('fit', `${FIT_MODES.join(', ')}, each with ,1 to allow upscaling`, parseFit),
    bgc: read('bgc', 'a colour as RRGGBB, such as ffcc00', parseColour) ?? '#ffffff',
    fmt: read('fmt', Object.keys(FORMATS).join(', '), parseFormat) ?? { type: 'jpeg', alpha: false },
    // The second value, as in qlt=80,1, sets the chroma sampling, which this renderer leaves to the encoder.
    qlt:
      read('qlt', 'a whole number from 1 to 100', (value) => wholeNumber(1, 100)(value.split(',')[0]!)) ?? 80,
  };
  if (commands.fit && commands.wid === undefined && commands.hei === undefined) {
    throw new BadCommand('fit needs wid, hei or both to fit the picture into');
  }
  return commands;
}

function oneOf<T extends string>(words: readonly T[]) {
  return (value: string): T | undefined => words.find((word) => word === value.toLowerCase());
}

function number(min: number, max: number, pattern = /^-?(\d+\.?\d*|\.\d+)$/) {
  return (value: string): number | undefined =>
    pattern.test(value) && Number(value) >= min && Number(value) <= max ? Number(value) : undefined;
}

function wholeNumber(min: number, max: number) {
  return number(min, max, /^\d+$/);
}

function parseBox(value: string): Box | undefined {
  const [left, top, width, height, ...more] = value.split(',').map(wholeNumber(0, Number.MAX_SAFE_INTEGER));
  if (left === undefined || top === undefined || !width || !height || more.length > 0) return undefined;
  return { left, top, width, height };
}

function parseFit(value: string): Fit | undefined {
  const [name, upscale = '0', ...more] = value.split(',');
  const mode = oneOf(FIT_MODES)(name!);
  if (!mode || !/^[01]$/.test(upscale) || more.length > 0) return undefined;
  return { mode, upscale: upscale === '1' };
}

function parseColour(value: string): string | undefined {
  const digits = /^(?:0x)?([0-9a-f]{6})$/i.exec(value)?.[1];
  return digits && `#${digits}`;
}

function parseFormat(value: string): Format | undefined {
  const name = oneOf(Object.keys(FORMATS) as (keyof typeof FORMATS)[])(value);
  return name && { type: FORMATS[name], alpha: name.endsWith('-alpha') };
}
