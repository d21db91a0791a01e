// The options: valid values, defaults and the messages for invalid values.
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { imageSave } from '../../../lib/hosts/middleware.js';
import { checkOptions, type ImageSaveOptions, type Settings } from '../../../lib/save/options.js';

const request = (): IncomingMessage => new IncomingMessage(new Socket());

/** Options as a host without types passes them. */
const check = (options: unknown): Settings =>
  checkOptions('imageSave', "imageSave({ savePath: './saved' })", options as ImageSaveOptions);

/** The message for invalid options. */
function refusal(options: unknown, factory: (options: never) => unknown = check): string {
  try {
    factory(options as never);
  } catch (error) {
    if (error instanceof TypeError) return error.message;
    throw error;
  }
  throw new Error('They were not refused');
}

const DEFAULTS = {
  timeout: 60_000,
  maxTimeout: 600_000,
  maxPixels: 100_000_000,
  maxBytes: 1024 ** 3,
  verify: 'pixels',
  overwrite: true,
  createFolders: false,
  durable: true,
  concurrency: 'auto',
  maxQueue: 1000,
  allowCrossSite: false,
};

const WITHOUT_DEFAULT = ['savePath', 'store', 'authorize', 'onPublished', 'publicUrl', 'onSave'];
const NAMES = [...WITHOUT_DEFAULT, ...Object.keys(DEFAULTS)];

test.each([
  ['left out', {}],
  ['undefined', Object.fromEntries(NAMES.map((name) => [name, undefined]))],
])('the defaults apply to options that are %s', async (_how, options) => {
  const { savePath, ...settings } = check(options);
  expect(settings).toEqual(DEFAULTS);
  expect(await savePath(request())).toBe('');
});

describe('a given value', () => {
  it('replaces the default', () => {
    const given = {
      store: { prepare: () => Promise.reject(new Error('never asked')) },
      timeout: 1,
      maxTimeout: 2,
      maxPixels: 3,
      maxBytes: 4,
      verify: 'header',
      overwrite: false,
      createFolders: true,
      durable: false,
      concurrency: 3,
      maxQueue: 0,
      authorize: () => true,
      allowCrossSite: true,
      onPublished: () => undefined,
      publicUrl: 'https://cdn.example.com/saved/',
      onSave: () => undefined,
    };
    expect(check(given)).toMatchObject(given);
  });

  test.each([
    ...['timeout', 'maxTimeout', 'maxPixels', 'maxBytes'].map((name) => ({ [name]: 1 })),
    { maxTimeout: 2 ** 31 - 1, timeout: 2 ** 31 - 1, maxBytes: 2 ** 53 - 1, maxPixels: 2 ** 53 - 1 },
    { concurrency: Infinity },
    { publicUrl: '/saved/' },
    { publicUrl: 'https://x/?file=' },
    { publicUrl: (name: string) => name },
  ])('may be at its limit: %p', (given) => {
    expect(check(given)).toMatchObject(given);
  });

  it('is copied, so later changes have no effect', () => {
    const options: ImageSaveOptions = { overwrite: false };
    const settings = check(options);
    options.overwrite = true;
    expect(settings.overwrite).toBe(false);
  });
});

describe('savePath', () => {
  const before = process.cwd();
  afterEach(() => {
    process.chdir(before);
  });

  test.each([
    ['', ''],
    ['/srv/images', resolve('/srv/images')],
    ['/srv/images/', resolve('/srv/images')],
    ['saved', join(before, 'saved')],
    ['./saved/../kept', join(before, 'kept')],
    ['.', before],
  ])('resolves %j to %j', async (given, expected) => {
    expect(await check({ savePath: given }).savePath(request())).toBe(expected);
  });

  it('is resolved when the middleware is created', async () => {
    const fixed = check({ savePath: 'saved' });
    const chosen = check({ savePath: () => 'saved' });
    process.chdir(tmpdir());
    expect(await fixed.savePath(request())).toBe(join(before, 'saved'));
    expect(await chosen.savePath(request())).toBe(join(before, 'saved'));
  });

  it('may be a function of the request, synchronous or asynchronous', async () => {
    const req = request();
    req.headers.host = 'shop';
    const byHost = ({ headers }: IncomingMessage): string => `/srv/${headers.host ?? ''}`;
    expect(await check({ savePath: byHost }).savePath(req)).toBe(resolve('/srv/shop'));
    expect(await check({ savePath: () => '' }).savePath(req)).toBe('');
    expect(await check({ savePath: () => Promise.resolve('/srv') }).savePath(req)).toBe(resolve('/srv'));
  });

  test.each([
    [() => undefined, 'must be of type string'],
    [() => null, 'must be of type string'],
    [() => 5, 'must be of type string'],
    [() => Promise.resolve({}), 'must be of type string'],
    [() => Promise.reject(new Error('no such tenant')), 'no such tenant'],
  ])('fails the request if its function is %p', async (savePath, message) => {
    await expect(check({ savePath }).savePath(request())).rejects.toThrow(message);
  });
});

describe('store', () => {
  const store = { prepare: () => Promise.reject(new Error('never asked')) };

  it('is the given object itself, of any class', () => {
    class Shelf {
      prepare = store.prepare;
    }
    const shelf = new Shelf();
    expect(check({ store: shelf }).store).toBe(shelf);
    expect(check({ store, savePath: undefined }).store).toBe(store);
  });

  it.each(['./saved', '', () => './saved'])('excludes the savePath %p', (savePath) => {
    const message = refusal({ savePath, store });
    expect(message).toContain('"savePath" or "store", not both');
  });
});

describe('a wrong option', () => {
  const whole = [0, -1, 1.5, NaN, Infinity, '5000', 5000n, null, true, {}, [], () => 5];
  const truth = [0, 1, 'true', 'false', '', null, {}, () => true];
  const callable = [true, 'authorize', null, {}, 1];
  const wrong: [string, unknown[], RegExp][] = [
    ['savePath', [5, null, true, {}, ['a'], 'a\0b'], /path of a folder/],
    ['store', [null, true, 5, 'saved', {}, [], () => ({}), { prepare: true }], /a store, as s3Store/],
    ['timeout', [...whole, 2 ** 31], /whole milliseconds from 1 to 2147483647/],
    ['maxTimeout', [...whole, 2 ** 31], /whole milliseconds from 1 to 2147483647/],
    ['maxPixels', [...whole, 2 ** 53], /whole number of pixels/],
    ['maxBytes', [...whole, 2 ** 53], /whole number of bytes/],
    ['verify', ['none', 'PIXELS', '', true, false, null, 1], /'pixels' or 'header'/],
    ['overwrite', truth, /true or false/],
    ['createFolders', truth, /true or false/],
    ['durable', truth, /true or false/],
    ['concurrency', [0, -1, 1.5, NaN, '8', 'AUTO', null, true], /'auto', a whole number of saves/],
    ['maxQueue', [-1, 0.5, NaN, Infinity, '8', null], /whole number of saves, 0 or more/],
    ['authorize', callable, /a function/],
    ['allowCrossSite', truth, /true or false/],
    ['onPublished', callable, /a function/],
    [
      'publicUrl',
      ['', 'https://cdn', 'saved', null, 5, true, {}, ['/']],
      /ends in \/ or =.*function of the name/,
    ],
    ['onSave', callable, /a function/],
  ];

  it('is detected in every option', () => {
    expect(wrong.map(([name]) => name).sort()).toEqual([...NAMES].sort());
  });

  describe.each(wrong)('%s', (name, values, fix) => {
    test.each(values.map((value) => [value]))(
      'must not be %p, and the message says what it must be',
      (value) => {
        const message = refusal({ [name]: value });
        expect(message).toContain(`"${name}"`);
        expect(message).toMatch(fix);
      },
    );
  });

  test.each([
    ['5000', '"5000"'],
    [NaN, 'NaN'],
    [null, 'null'],
    [Symbol('x'), 'Symbol(x)'],
    [{}, 'an object'],
    [() => 1, 'a function'],
    [5n, '5'],
  ])('appears in the message: %p', (value, shown) => {
    expect(refusal({ timeout: value })).toContain(`it is ${shown}`);
  });
});

describe('an unknown option', () => {
  test.each([
    ['savepath', 'savePath'],
    ['SavePath', 'savePath'],
    ['SAVEPATH', 'savePath'],
    ['maxtimeout', 'maxTimeout'],
    ['onsave', 'onSave'],
  ])('such as %s gets the suggestion %s', (name, meant) => {
    const message = refusal({ [name]: 1 });
    expect(message).toContain(`"${name}"`);
    expect(message).toContain(`did you mean "${meant}"?`);
  });

  test.each(['path', 'quality', 'toString', 'constructor', '__proto', ''])(
    'such as %j is refused with the list of options',
    (name) => {
      const message = refusal({ [name]: 1 });
      expect(message).toContain(`"${name}"`);
      for (const known of NAMES) expect(message).toContain(known);
    },
  );

  it('is refused even if it is undefined, and ignored if it is inherited', () => {
    expect(refusal({ path: undefined })).toContain('"path"');
    expect(typeof imageSave(Object.create({ path: 5, timeout: 'soon' }) as object)).toBe('function');
  });
});

describe('an invalid options argument', () => {
  test.each([['./saved'], [null], [5], [true], [['./saved']], [() => './saved']])(
    'is refused: %p',
    (options) => {
      expect(refusal(options)).toContain("imageSave({ savePath: './saved' })");
    },
  );

  it('is refused when the middleware is created', () => {
    expect(refusal({ timeout: 'soon' }, imageSave)).toContain('"timeout"');
  });

  it('is recognised as a request: app.use(imageSave) without the call', () => {
    const message = refusal(request(), imageSave);
    expect(message).toContain("app.use(imageSave({ savePath: './saved' }))");
    expect(message).toContain('not app.use(imageSave)');
  });
});
