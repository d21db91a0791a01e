// lib/protocol/file-name.ts: the rules for `name=` that need no file system.
import { checkName } from '../../../lib/protocol/file-name.js';
import { codeOf, refusalOf } from '../../support/refusal.js';

describe('a name', () => {
  test.each([
    'shoe.jpg',
    'shoe',
    'products/shoes/red.png',
    'a.b.c.png',
    'a..b.png',
    'x.v1/shoe',
    ' shoe.png',
    'my shoe.png',
    '-rf.png',
    '~.png',
    'shoe\u00e9\u{1f45f}.png',
    '$HOME.png',
    '%2e%2e.png',
    "a;b&c=d'e!f(g)h#i^j`k.png",
    // Near misses of device names.
    ...'con1.png icon.png com.png com10.png lpt.png com1x.png x.con.png x.con/y'.split(' '),
  ])('may be %j', (name) => {
    expect(checkName(name)).toEqual(name.split('/'));
  });

  test.each([
    ['shoe', '.jpg .jpeg .jpe .jfif .tif .tiff .png .gif .webp .avif'],
    ['a.b', '.JPG .Png .tIFF'],
  ])('may have the extension of a format that can be saved: %s with %s', (base, extensions) => {
    for (const extension of extensions.split(' '))
      expect(checkName(base + extension)).toEqual([base + extension]);
  });

  test.each('.php .svg .v .html .js .exe .jpg.php .png~ .heic .constructor .pngx'.split(' '))(
    'must not have the extension %s, which belongs to no such format',
    async (extension) => {
      expect(await codeOf(() => checkName(`shoe${extension}`))).toBe('unknown-extension');
    },
  );

  test.each([
    ['', 'is empty'],
    ['/etc/shoe.png', 'is absolute'],
    ['//host/shoe.png', 'is absolute'],
    ['C:/shoe.png', 'has a drive letter'],
    ['c:shoe.png', 'has a drive letter'],
    ['shoe.png:stream', 'has a stream'],
    ['..', 'goes up'],
    ['../shoe.png', 'goes up'],
    ['shoes/../../shoe.png', 'goes up'],
    ['shoes/..', 'goes up'],
    ['.', 'stays'],
    ['./shoe.png', 'stays'],
    ['shoes/./shoe.png', 'stays'],
    ['shoes//shoe.png', 'has an empty part'],
    ['shoes/', 'ends with /'],
    ...Array.from('<>"|?*', (each): [string, string] => [`a${each}b/shoe.png`, `has ${each}`]),
    ['..\\shoe.png', 'has a backslash'],
    ['shoes\\shoe.png', 'has a backslash'],
    ['\\\\host\\share', 'has a backslash'],
    ['.htaccess', 'starts with a dot'],
    ['.git/shoe.png', 'has a folder that starts with a dot'],
    ['...', 'starts with dots'],
    ['.png', 'starts with a dot'],
    ['shoe.', 'ends with a dot'],
    ['shoe.png.', 'ends with a dot'],
    ['shoe.png ', 'ends with a space'],
    ['shoes./shoe.png', 'has a folder that ends with a dot'],
    ['shoes /shoe.png', 'has a folder that ends with a space'],
    [' ', 'is a space'],
    ['x'.repeat(256), 'is a byte too long'],
    [`${'x'.repeat(252)}.png`, 'is a byte too long'],
    [`${'x'.repeat(256)}/shoe.png`, 'has a folder that is a byte too long'],
    ['\u00e9'.repeat(128), 'is a byte too long in UTF-8'],
    ['\u{1f45f}'.repeat(64), 'is a byte too long in UTF-8'],
    ['shoe\ud83d.png', 'has the first half of a character'],
    ['\udc5fshoe/red.png', 'has a folder with the second half of a character'],
  ])('must not be %j: it %s', async (name) => {
    expect(await codeOf(() => checkName(name))).toBe('name-invalid');
  });

  test.each([
    'x'.repeat(255),
    `${'x'.repeat(251)}.png`,
    '\u00e9'.repeat(127),
    `${'\u{1f45f}'.repeat(63)}abc`,
    `${'y'.repeat(255)}/${'x'.repeat(255)}`,
  ])('may have segments of 255 bytes in UTF-8', (name) => {
    expect(checkName(name)).toEqual(name.split('/'));
  });

  it('must not contain a control character: C0, DEL or C1', async () => {
    const control = [...Array(0x20).keys(), ...Array.from({ length: 0x21 }, (_, at) => 0x7f + at)];
    for (const unit of control) {
      const character = String.fromCharCode(unit);
      for (const name of [`a${character}b.png`, `${character}/a.png`, `a.png${character}`]) {
        expect([unit, await codeOf(() => checkName(name))]).toEqual([unit, 'name-invalid']);
      }
    }
    expect(checkName('a\u00a0b.png')).toEqual(['a\u00a0b.png']);
  });

  const digits = Array.from('0123456789\u00b9\u00b2\u00b3');
  const devices = ['con', 'prn', 'aux', 'nul', ...digits.flatMap((digit) => [`com${digit}`, `lpt${digit}`])];

  it.each(devices)('must not have a segment that is the Windows device %s', async (device) => {
    const names = [device, device.toUpperCase(), `${device}.png`, `${device}.tar.png`, `${device} .png`];
    for (const name of [...names, `${device}/a.png`, `shoes/${device}.x/a.png`]) {
      expect([name, await codeOf(() => checkName(name))]).toEqual([name, 'name-invalid']);
    }
  });

  it('is refused with advice on the change', async () => {
    const say = async (name: string): Promise<string> => (await refusalOf(() => checkName(name))).message;
    expect(await say('/a.png')).toMatch(/relative/);
    expect(await say('.a.png')).toMatch(/start with a dot/);
    expect(await say('a.png ')).toMatch(/end with/);
    expect(await say('a\\b')).toMatch(/backslash/);
    expect(await say('a:b')).toMatch(/colon/);
    expect(await say('a\0b')).toMatch(/control/);
    expect(await say('nul.png')).toMatch(/device/);
    expect(await say('a\ud83d.png')).toMatch(/half a character/);
    expect(await say('x'.repeat(300))).toMatch(/255 bytes/);
    expect(await say('a.php')).toMatch(/extension/);
  });
});
