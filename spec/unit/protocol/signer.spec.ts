// Signed commands: only a URL that a key has signed may save, unchanged to the byte and until it expires.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { imageSave } from '../../../lib/index.js';
import { parseCommand } from '../../../lib/protocol/parse-command.js';
import { createSigner, type SignedCommand, type SignerOptions } from '../../../lib/protocol/signer.js';
import { get } from '../../support/client.js';
import { jpeg } from '../../support/images.js';
import { list, makeTempDir, removeTempDirs } from '../../support/temp-dir.js';

const EXPIRES = 1_800_000_000_000;
const URL_OF_IMAGE = '/is/image/shoe?wid=800&layer=1&src=is(a?x=1&y=2)';
const signer = createSigner({ keys: ['newest', 'older'] });
const signed = signer.sign(URL_OF_IMAGE, { name: 'products/a shoe.jpg', timeout: 5000, expires: EXPIRES });

let now: jest.SpyInstance;
beforeEach(() => {
  now = jest.spyOn(Date, 'now').mockReturnValue(EXPIRES - 1);
});
afterEach(() => {
  now.mockRestore();
});
afterAll(removeTempDirs);

function isAccepted(url: string): boolean {
  try {
    return signer.authorize({ url });
  } catch {
    return false;
  }
}

it('adds a command that says what was asked for, and leaves the rest of the URL as it was', () => {
  expect(signed).toMatch(
    /^\/is\/image\/shoe\?wid=800&layer=1&src=is\(a\?x=1&y=2\)&req=saveToFile&name=[^&]+&timeout=5000&expires=\d+&signature=[\w-]{43}$/,
  );
  expect(parseCommand(signed)).toMatchObject({ name: 'products/a shoe.jpg', timeout: 5000 });
  expect(isAccepted(signed)).toBe(true);
});

it('refuses every URL that differs in one byte', () => {
  const accepted: string[] = [];
  for (let at = 0; at < signed.length; at++) {
    const [before, byte, after] = [signed.slice(0, at), signed[at]!, signed.slice(at + 1)];
    const others = ['a', 'A', '0', '&', '=', '%', '+', '/', '-', '_', byte.toUpperCase(), byte.toLowerCase()];
    const changed = others.filter((other) => other !== byte).map((other) => before + other + after);
    changed.push(before + after, `${before}0${byte}${after}`, `${signed.slice(0, at)}%2B${byte}${after}`);
    accepted.push(...changed.filter(isAccepted));
  }
  accepted.push(
    ...[`${signed}0`, `${signed}&wid=1`, `${signed}\n`, `${signed}=`, ` ${signed}`].filter(isAccepted),
  );
  expect(accepted).toEqual([]);
});

it.each([
  ['a URL without a signature', '/is/image/shoe?req=saveToFile&name=x.jpg', 'is not signed'],
  ['the signature of another URL', signed.replace('wid=800', 'wid=801'), 'not that of this URL'],
  [
    'an unknown key',
    createSigner({ keys: ['x'] }).sign('/a', { name: 'x', expires: EXPIRES }),
    'not that of',
  ],
  ['no URL', undefined, 'is not signed'],
])('says why it refuses %s', (_what, url, reason) => {
  expect(() => signer.authorize({ url })).toThrow(reason);
});

it('accepts a URL until the millisecond in which it expires', () => {
  now.mockReturnValue(EXPIRES);
  expect(() => signer.authorize({ url: signed })).toThrow('has expired');
  const date = signer.sign('/a', { name: 'x.jpg', expires: new Date(EXPIRES + 1) });
  expect(isAccepted(date)).toBe(true);
});

it('signs with the first key and verifies by all, so that keys can be changed under load', () => {
  const [old, both, next] = [['old'], ['next', 'old'], ['next']].map((keys) => createSigner({ keys }));
  const command = { name: 'x.jpg', expires: EXPIRES };
  expect(both!.sign('/a', command)).toBe(next!.sign('/a', command));
  for (const url of [old!.sign('/a', command), next!.sign('/a', command)]) {
    expect(both!.authorize({ url })).toBe(true);
  }
  expect(() => next!.authorize({ url: old!.sign('/a', command) })).toThrow('not that of this URL');
  const key = Buffer.from('old');
  const keys = [key];
  const bytes = createSigner({ keys });
  // Both stay as they were when it was made: a key may be wiped afterwards.
  key.fill(0);
  keys.pop();
  const url = bytes.sign('/a', command);
  expect(url).toBe(old!.sign('/a', command));
  expect(bytes.authorize({ url })).toBe(true);
});

it.each([
  '/a',
  '/a?',
  '/a?b',
  'http://host/a?b=c',
  'https://host:8443?x',
  '/ä b?ü="<>\'|&z=[',
  '/a/../b?#top',
])('signs %s so that neither fetch nor a URL object changes a byte of it', (url) => {
  const result = signer.sign(url, { name: "it's (new) 100%+ü.jpg", expires: EXPIRES });
  const whole = new URL(result, 'http://host');
  expect(result.startsWith('/') ? `${whole.pathname}${whole.search}` : whole.href).toBe(result);
  expect(isAccepted(whole.href)).toBe(true);
  expect(parseCommand(`${whole.pathname}${whole.search}`).name).toBe("it's (new) 100%+ü.jpg");
});

const command: SignedCommand = { name: 'x.jpg', expires: EXPIRES };
it.each<[string, string, unknown]>([
  ['a relative URL', 'a?b', command],
  ['a URL without a scheme', '//host/a', command],
  ['another scheme', 'ftp://host/a', command],
  ['a URL with a name', '/a?name=b', command],
  ['a URL with an encoded signature', '/a?%73ignature=b', command],
  ['no name', '/a', { expires: EXPIRES }],
  ['an empty name', '/a', { ...command, name: '' }],
  ['no expiry', '/a', { name: 'x.jpg' }],
  ['an invalid date', '/a', { ...command, expires: new Date(NaN) }],
  ['an expiry as text', '/a', { ...command, expires: '2030' }],
  ['an expiry in seconds', '/a', { ...command, expires: EXPIRES / 1000 }],
  ['a date of seconds', '/a', { ...command, expires: new Date(EXPIRES / 1000) }],
  ['a timeout of 0', '/a', { ...command, timeout: 0 }],
  ['a timeout with a fraction', '/a', { ...command, timeout: 1.5 }],
  ['a misspelt timeout', '/a', { ...command, timeOut: 1 }],
  ['no command', '/a', undefined],
  ['a URL with a password', 'http://user:password@host/a', command],
])('refuses to sign %s', (_what, url, given) => {
  expect(() => signer.sign(url, given as SignedCommand)).toThrow(/ must |has |takes /);
});

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['no list', {}],
  ['no keys', { keys: [] }],
  ['an empty key', { keys: ['newest', ''] }],
  ['a key that is missing in the environment', { keys: [undefined] }],
  ['an unknown option', { keys: ['key'], key: 'key' }],
])('refuses to be made of %s', (_what, options) => {
  const fix = /^The option "keys" of createSigner must be a list|^createSigner (takes|has no option)/;
  expect(() => createSigner(options as SignerOptions)).toThrow(fix);
});

it('lets the middleware save below a mount, whatever the app takes out of req.url', async () => {
  now.mockRestore();
  const image = await jpeg();
  const folder = makeTempDir();
  const app = express().use(
    '/is',
    express
      .Router()
      .use('/image', imageSave({ savePath: folder, authorize: signer.authorize }), (_req, res) =>
        res.type('jpeg').send(image),
      ),
  );
  const server = createServer(app).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const url = signer.sign(`${host}/is/image/shoe?wid=8`, {
      name: 'x.jpg',
      expires: Date.now() + 3_600_000,
    });
    expect((await get(url.replace('wid=8', 'wid=9'))).reply.error?.code).toBe('not-authorized');
    expect(list(folder)).toEqual([]);
    expect((await get(url)).reply.status).toBe('done');
    expect(list(folder)).toEqual(['x.jpg']);
  } finally {
    server.close();
  }
});
