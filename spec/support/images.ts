// Real images, created once for each suite.
import sharp, { type Sharp } from 'sharp';

/** Noise, so that no encoder makes it small. It is the same each time, so that no test depends on chance. */
export function noise(width: number, height: number): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  let state = 1;
  for (let at = 0; at < pixels.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pixels[at] = 64 + (state >>> 25);
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** As many frames of noise as asked for, to be encoded as an animation. */
export async function frames(width: number, height: number, count: number): Promise<Sharp> {
  const all = { width, height: height * count, channels: 3 as const };
  const pixels = await noise(all.width, all.height).raw().toBuffer();
  return sharp(pixels, { raw: { ...all, pageHeight: height } });
}

export async function jpeg(width = 320, height = 200): Promise<Buffer> {
  return noise(width, height).jpeg().toBuffer();
}

export async function png(width = 320, height = 200): Promise<Buffer> {
  return noise(width, height).png().toBuffer();
}

/** A box of an ISO file. (ISO/IEC 14496-12 4.2.) */
export function box(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? bytes(part) : part)));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
}

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

/** An AVIF of 128 × 64 pixels in two tiles, which the file does not hide. (ISO/IEC 23008-12 6.6.2.3.) */
export async function tiledAvif(): Promise<Buffer> {
  const tile = await noise(64, 64).avif({ effort: 0 }).toBuffer();
  const find = (type: string): Buffer => {
    const at = tile.indexOf(type) - 4;
    return tile.subarray(at, at + tile.readUInt32BE(at));
  };
  const item = (id: string, type: string): Buffer =>
    box('infe', `02000000 ${id} 0000`, Buffer.from(`${type}\0`));
  const data = find('mdat').subarray(8);
  const make = (dataAt: number): Buffer => {
    const extent = Buffer.alloc(8);
    extent.writeUInt32BE(dataAt);
    extent.writeUInt32BE(data.length, 4);
    return Buffer.concat([
      box('ftyp', Buffer.from('avif\0\0\0\0mif1miafavif')),
      box(
        'meta',
        '00000000',
        box('hdlr', '00000000 00000000', Buffer.from('pict'), '00000000 00000000 00000000 00'),
        box('pitm', '00000000 0001'),
        box('iinf', '00000000 0003', item('0001', 'grid'), item('0002', 'av01'), item('0003', 'av01')),
        box('iref', '00000000', box('dimg', '0001 0002 0002 0003')),
        box(
          'iprp',
          box('ipco', box('ispe', '00000000 00000080 00000040'), find('av1C'), find('ispe'), find('pixi')),
          box('ipma', '00000000 00000003 0001 02 01 04 0002 03 82 03 04 0003 03 82 03 04'),
        ),
        box(
          'iloc',
          '01000000 4400 0003 0001 0001 0000 0001 00000000 00000008',
          '0002 0000 0000 0001',
          extent,
          '0003 0000 0000 0001',
          extent,
        ),
        box('idat', '00 00 00 01 0080 0040'),
      ),
    ]);
  };
  return Buffer.concat([make(make(0).length + 8), box('mdat', data)]);
}
