import { createRequest, encodeValue } from '../../../lib/batch/save-url.js';
import { parseCommand } from '../../../lib/protocol/parse-command.js';
import { UsageError } from '../../../lib/batch/types.js';

const server = 'http://host:3000';
const pathOf = (url: string, name = 'a.jpg', timeout?: number): string =>
  createRequest({ url, name, timeout }, { server, timeout: undefined }).path;

it.each([
  ['/shoe', '/shoe?req=saveToFile&name=a.jpg'],
  ['/shoe?', '/shoe?req=saveToFile&name=a.jpg'],
  ['/shoe?wid=8', '/shoe?wid=8&req=saveToFile&name=a.jpg'],
  ['/shoe?wid=8&', '/shoe?wid=8&&req=saveToFile&name=a.jpg'],
  ['/shoe?wid=8#part', '/shoe?wid=8&req=saveToFile&name=a.jpg'],
  ['/a/../b//c?x=%2f%zz|"', '/a/../b//c?x=%2f%zz|"&req=saveToFile&name=a.jpg'],
  ['/schön?x=a b', '/sch%C3%B6n?x=a%20b&req=saveToFile&name=a.jpg'],
  ['http://other', '/?req=saveToFile&name=a.jpg'],
  ['HTTP://other?x=1', '/?x=1&req=saveToFile&name=a.jpg'],
])('appends the command to %s and leaves its other bytes as they are', (url, path) => {
  expect(pathOf(url)).toBe(path);
});

it.each(['a b/c+d&e=f#g%h.jpg', 'zwölf/(1){2}.png', "it's!*~.gif", '日本.webp'])(
  'encodes the name %s so that the server reads it again',
  (name) => {
    const command = parseCommand(pathOf('/x?src=is(a?wid=3', name));
    expect(command).toMatchObject({ name, rendererUrl: '/x?src=is(a?wid=3' });
  },
);

it('leaves the slashes of a value as they are', () => {
  expect(encodeValue('cat/a b.jpg')).toBe('cat/a%20b.jpg');
});

it('sends the timeout of the job, or else that of the batch', () => {
  const defaults = { server, timeout: 7 };
  expect(pathOf('/x', 'a.jpg', 5)).toBe('/x?req=saveToFile&name=a.jpg&timeout=5');
  expect(createRequest({ url: '/x', name: 'a' }, defaults)).toMatchObject({ timeout: 7 });
  expect(createRequest({ url: '/x', name: 'a', timeout: 5 }, defaults)).toMatchObject({ timeout: 5 });
});

it('prefers the host of the URL to the server of the batch', () => {
  expect(createRequest({ url: 'https://[::1]:8/x', name: 'a' }, { server, timeout: undefined }).origin).toBe(
    'https://[::1]:8',
  );
  expect(createRequest({ url: '/x', name: 'a' }, { server, timeout: undefined }).origin).toBe(server);
});

it.each(['shoe', 'ftp://host/x', '', 'http://user:secret@host/x', 'http://ho st/x', 'http:///x'])(
  'refuses the URL %j',
  (url) => {
    expect(() => pathOf(url)).toThrow(/^its URL must/);
  },
);

it.each(['/x?req=img', '/x?a=1&NAME=b', '/x?n%61me=b', '/x?timeout=1'])(
  'refuses %s, which has a part of the command already',
  (url) => {
    expect(() => pathOf(url)).toThrow(/already/);
  },
);

it('does not take a part of a nested request for a part of the command', () => {
  expect(pathOf('/x?src=is(a?req=img&name=b)&wid=3')).toContain('&wid=3&req=saveToFile');
});

it('says that a path needs a server', () => {
  const attempt = (): unknown =>
    createRequest({ url: '/x', name: 'a' }, { server: undefined, timeout: undefined });
  expect(attempt).toThrow(UsageError);
  expect(attempt).toThrow(/--server/);
});
