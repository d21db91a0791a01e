// Sending the reply on a response that earlier middleware has changed or wrapped.
import type { ServerResponse } from 'node:http';
import { SaveError } from '../../../lib/errors.js';
import { sendReply } from '../../../lib/hosts/send-reply.js';
import { createReply } from '../../../lib/protocol/reply.js';
import { get, type Answer } from '../../support/client.js';
import { start, stopAll } from '../../support/host.js';

afterEach(stopAll);

/** What a client gets on a response that `prepare` has changed before. */
async function answerOf(prepare: (res: ServerResponse) => void): Promise<Answer> {
  const { url } = await start([
    (_req, res) => {
      prepare(res);
      sendReply(res, createReply({ status: 'failed', error: new SaveError('file-exists') }));
    },
  ]);
  return get(url);
}

it('removes earlier headers that describe another body and keeps the others', async () => {
  const another = {
    ETag: '"x"',
    'Last-Modified': 'Sun, 22 Nov 2026 13:28:00 GMT',
    'Content-Encoding': 'gzip',
    'Content-Range': 'bytes 0-1/2',
    'Transfer-Encoding': 'chunked',
    Trailer: 'X-Y',
  };
  const answer = await answerOf((res) => {
    res.statusCode = 304;
    res.statusMessage = 'As Before';
    for (const [name, value] of Object.entries(another)) res.setHeader(name, value);
    res.setHeader('Content-Type', 'image/png');
    res.setHeader('Content-Length', 5);
    res.setHeader('Cache-Control', 'public');
    res.setHeader('X-Powered-By', 'Shoes');
    res.setHeader('Set-Cookie', ['a=1', 'b=2']);
  });
  for (const name of Object.keys(another)) expect(answer.headers).not.toHaveProperty([name.toLowerCase()]);
  expect([answer.status, answer.statusMessage]).toEqual([403, 'Forbidden']);
  expect(answer.headers).toMatchObject({
    'content-type': 'text/plain',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-length': String(answer.body.length),
    'x-powered-by': 'Shoes',
    'set-cookie': ['a=1', 'b=2'],
  });
});

it.each(['hasHeader', 'removeHeader', 'setHeader', '_storeHeader', 'writeHead', 'end'])(
  'bypasses earlier middleware’s %s when that throws, and warns the operator',
  async (name) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
    const answer = await answerOf((res) => {
      res.setHeader('ETag', '"x"');
      Reflect.set(res, name, () => {
        throw new Error('no session store');
      });
    });
    expect(warn.mock.calls).toEqual([[expect.stringContaining('no session store')]]);
    warn.mockRestore();
    expect(answer.headers).toMatchObject({ 'content-type': 'text/plain', 'cache-control': 'no-store' });
    expect(answer.headers).not.toHaveProperty('etag');
    expect([answer.status, answer.reply.error?.code]).toEqual([403, 'file-exists']);
  },
);
