// Images that are kept elsewhere than in a folder: what a store is asked, when, and what becomes of its answers.
import { mkdirSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
// By its default, which is the module itself: calls on it can be listened to.
import os from 'node:os';
import { dirname, join } from 'node:path';
import {
  imageSave,
  SaveError,
  saveOf,
  type ImageSaveOptions,
  type ImageStore,
  type SaveTarget,
  type PrepareOptions,
  type PublishResult,
  type SaveRecord,
  type TempFile,
  type InspectedImage,
} from '../../lib/index.js';
import { DiskTempFile } from '../../lib/temp-files/temp-file.js';
import { get, type Answer } from '../support/client.js';
import { deadlineInHand, LONG } from '../support/manual-timer.js';
import { list, makeFolder, removeFolders } from '../support/folder.js';
import { start, stopAll, type Handler, type Running } from '../support/host.js';
import { jpeg, png } from '../support/images.js';
import { moment, turn } from '../support/intercept-fs.js';

/** The store's clock: nobody else's. */
const TIME = 1_234_567_890_123;

/** A store in memory, that notes what it is asked. A test changes what it does. */
class Shelf implements ImageStore {
  readonly images = new Map<string, Buffer>();
  readonly wishes: [string, PrepareOptions][] = [];
  readonly published: InspectedImage[] = [];
  /** What happened, in order; the tests add what happens around the store. */
  readonly happened: string[] = [];
  /** Done before a place is given away. */
  finding: (wish: PrepareOptions) => unknown = () => undefined;
  /** Done before the last look. */
  publishing: (image: InspectedImage) => unknown = () => undefined;
  /** Done once nothing can stop the save any more. */
  putting: () => unknown = () => undefined;
  closing: () => unknown = () => undefined;
  fault: unknown;
  spool: TempFile | undefined;

  async prepare(name: string, wish: PrepareOptions): Promise<SaveTarget> {
    this.wishes.push([name, wish]);
    this.happened.push('find');
    await this.finding(wish);
    return {
      ...(this.spool && { tempFile: this.spool }),
      publish: (image, lastLook) => this.#noted(this.#publish(name, image, lastLook)),
      close: async () => {
        this.happened.push('close');
        await this.closing();
      },
    };
  }

  async #publish(name: string, image: InspectedImage, lastLook: () => void): Promise<PublishResult> {
    this.happened.push('publish');
    this.published.push(image);
    const bytes = await allOf(image);
    await this.publishing(image);
    lastLook();
    await this.putting();
    this.images.set(name, bytes);
    return { lastUpdated: TIME, warning: this.fault };
  }

  async #noted(publishing: Promise<PublishResult>): Promise<PublishResult> {
    try {
      return await publishing;
    } finally {
      this.happened.push('published or not');
    }
  }
}

async function allOf({ bytes }: InspectedImage): Promise<Buffer> {
  if (Buffer.isBuffer(bytes)) return Buffer.from(bytes);
  const all = Buffer.alloc(bytes.length);
  for (let got = 0; got < all.length;) {
    const count = await bytes.read(all.subarray(got, got + 100_000), got);
    if (count === 0) throw new Error('The file is shorter than it said');
    got += count;
  }
  return all;
}

let small: Buffer;
/** More than is kept in memory. */
let large: Buffer;
let shelf: Shelf;
let records: SaveRecord[];
let reported: ReturnType<typeof moment>;

beforeAll(async () => {
  [small, large] = await Promise.all([jpeg(), png(800, 800)]);
});
beforeEach(() => {
  shelf = new Shelf();
  records = [];
  reported = moment();
});
afterEach(async () => {
  await stopAll();
  jest.restoreAllMocks();
});
afterAll(removeFolders);

const QUERY = '/x?req=saveToFile&name=x.jpg';

/** Sends an image as most renderers do: in one piece. */
const whole: Handler = (_req, res) => res.end(small);
/** Sends a large image in pieces. */
const pieces =
  (image: () => Buffer): Handler =>
  (_req, res) => {
    for (let at = 0; at < image().length; at += 100_000) res.write(image().subarray(at, at + 100_000));
    res.end();
  };

/** A server with the store and a renderer that is noted. */
function serve(renderer: Handler = whole, options: ImageSaveOptions = {}): Promise<Running> {
  return start([
    imageSave({
      store: shelf,
      onSave: (record) => {
        records.push(record);
        reported.comes();
      },
      ...options,
    }),
    (req, res, next) => {
      shelf.happened.push('render');
      return renderer(req, res, next);
    },
  ]);
}

async function save(renderer?: Handler, options?: ImageSaveOptions, query = QUERY): Promise<Answer> {
  const { url } = await serve(renderer, options);
  const answer = await get(url + query);
  await reported.come;
  return answer;
}

/** Sends the command on a connection that the test can close. */
function sendTo({ port }: Running): Socket {
  const client = connect(port, '127.0.0.1', () => {
    client.write(`GET ${QUERY} HTTP/1.1\r\nHost: a\r\n\r\n`);
  });
  return client;
}

describe('a store', () => {
  it('gets the image, and its time is the one that the client is told', async () => {
    const answer = await save();
    expect(answer.status).toBe(200);
    expect(answer.reply).toMatchObject({ status: 'done', name: 'x.jpg', lastUpdated: TIME });
    expect(shelf.images.get('x.jpg')?.equals(small)).toBe(true);
    expect(records).toMatchObject([
      { outcome: 'done', code: undefined, bytes: small.length, cause: undefined },
    ]);
    expect(shelf.happened).toEqual(['find', 'render', 'publish', 'published or not', 'close']);
  });

  it('is told what the image is', async () => {
    await save();
    const { bytes, ...facts } = shelf.published[0]!;
    expect(facts).toEqual({
      format: 'jpeg',
      type: 'image/jpeg',
      width: 320,
      height: 200,
      pages: 1,
      pixels: 64_000,
    });
    expect(bytes).toHaveLength(small.length);
  });

  it.each([
    [true, false],
    [false, true],
  ])('is told what is wished for (overwrite: %s, durable: %s)', async (overwrite, durable) => {
    let asking: IncomingMessage | undefined;
    const { url } = await start([
      (req, _res, next) => {
        asking = req;
        next();
      },
      imageSave({ store: shelf, overwrite, durable }),
      whole,
    ]);
    await get(`${url}/x?req=saveToFile&name=shoes/red/x.jpg`);
    const [[name, wish]] = shelf.wishes as [[string, PrepareOptions]];
    expect(name).toBe('shoes/red/x.jpg');
    expect(wish).toMatchObject({ overwrite, durable });
    expect(asking).toBeDefined();
    expect(wish.req).toBe(asking);
    expect(wish.signal).toBeInstanceOf(AbortSignal);
    expect(wish.signal.aborted).toBe(false);
  });

  it('is not asked for names that are illegal, nor for those that may not be saved', async () => {
    expect((await save(whole, {}, '/x?req=saveToFile&name=../x.jpg')).reply.error?.code).toBe('name-invalid');
    expect((await save(whole, { authorize: () => false })).reply.error?.code).toBe('not-authorized');
    expect(shelf.happened).toEqual([]);
  });

  it('is not asked for requests without the command', async () => {
    const { url } = await serve();
    expect((await get(`${url}/x`)).body.equals(small)).toBe(true);
    expect(shelf.happened).toEqual(['render']);
  });

  it('may do without closing', async () => {
    const publish = (): Promise<PublishResult> => Promise.resolve({ lastUpdated: TIME });
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation();
    const answer = await save(whole, { store: { prepare: () => Promise.resolve({ publish }) } });
    expect(answer.reply).toMatchObject({ status: 'done', lastUpdated: TIME });
    expect(warned).not.toHaveBeenCalled();
  });
});

describe('a store that refuses', () => {
  it('before rendering spares the renderer the work', async () => {
    shelf.finding = () => {
      throw new SaveError('file-exists', 'Choose another name.', 'taken');
    };
    const answer = await save();
    expect(answer.status).toBe(403);
    expect(answer.reply).toMatchObject({
      status: 'failed',
      error: { code: 'file-exists', message: 'Choose another name.' },
    });
    expect(records).toMatchObject([{ outcome: 'failed', code: 'file-exists', cause: 'taken' }]);
    expect(shelf.happened).toEqual(['find']);
  });

  it('when publishing tells the client why', async () => {
    shelf.publishing = () => {
      throw new SaveError('disk-full', 'There is no room.');
    };
    const answer = await save();
    expect(answer.status).toBe(403);
    expect(answer.reply.error).toMatchObject({ code: 'disk-full', message: 'There is no room.' });
    expect(shelf.happened).toEqual(['find', 'render', 'publish', 'published or not', 'close']);
    expect(shelf.images.size).toBe(0);
  });
});

describe('a store that fails', () => {
  it.each([
    ['finding', ['find']],
    ['publishing', ['find', 'render', 'publish', 'published or not', 'close']],
    ['putting', ['find', 'render', 'publish', 'published or not', 'close']],
  ] as const)('at %s is an internal error, and the operator learns the cause', async (step, expected) => {
    const cause = new Error('the bucket /secret is on fire');
    shelf[step] = () => {
      throw cause;
    };
    const answer = await save();
    expect(answer.status).toBe(403);
    expect(answer.reply).toMatchObject({ status: 'failed', error: { code: 'internal-error' } });
    expect(answer.body.toString()).not.toContain('secret');
    expect(records).toMatchObject([{ outcome: 'failed', code: 'internal-error' }]);
    expect(records[0]?.cause).toBe(cause);
    expect(shelf.happened).toEqual(expected);
  });

  it('after the image is in place has saved it: the operator learns the fault', async () => {
    shelf.fault = new Error('the replica is behind');
    const answer = await save();
    expect(answer.status).toBe(200);
    expect(answer.reply.status).toBe('done');
    expect(records).toMatchObject([{ outcome: 'done', code: undefined }]);
    expect(records[0]?.cause).toBe(shelf.fault);
  });

  it.each([
    ['rejecting', () => Promise.reject(new Error('not closed'))],
    [
      'throwing',
      () => {
        throw new Error('not closed');
      },
    ],
  ])('at closing, by %s, is a warning and no more', async (_how, close) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation();
    const store: ImageStore = {
      prepare: async (name, wish) => ({ ...(await shelf.prepare(name, wish)), close }),
    };
    const answer = await save(whole, { store });
    expect(answer.reply).toMatchObject({ status: 'done', lastUpdated: TIME });
    expect(records).toMatchObject([{ outcome: 'done' }]);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]?.[0]).toContain('not closed');
  });
});

describe('a place is closed once', () => {
  it.each<[string, Handler]>([
    ['the renderer has no image', (_req, res) => res.writeHead(404).end('none')],
    ['the image is none', (_req, res) => res.end('not an image')],
    ['the image is cut', (_req, res) => res.end(small.subarray(0, -1))],
    ['the extension is wrong', (_req, res) => res.end(large)],
    [
      'the renderer throws',
      () => {
        throw new Error('out of paint');
      },
    ],
  ])('where %s, without having been asked to publish', async (_what, renderer) => {
    jest.spyOn(console, 'error').mockImplementation();
    expect((await save(renderer)).reply.status).toBe('failed');
    expect(shelf.happened).toEqual(['find', 'render', 'close']);
  });

  it('where the time is up while the image is made', async () => {
    const deadline = deadlineInHand();
    const answer = await save(() => {
      deadline.comes();
    }, LONG);
    expect(answer.reply).toMatchObject({ status: 'timeout', error: { code: 'timeout' } });
    expect(shelf.happened).toEqual(['find', 'render', 'close']);
    expect((shelf.wishes[0]?.[1].signal.reason as SaveError).code).toBe('timeout');
  });

  it('where the client leaves while the image is made', async () => {
    const asked = moment();
    const client = sendTo(
      await serve(() => {
        asked.comes();
      }),
    );
    await asked.come;
    client.destroy();
    await reported.come;
    expect(records).toMatchObject([{ outcome: 'failed', code: 'client-disconnected' }]);
    expect(shelf.happened).toEqual(['find', 'render', 'close']);
    expect((shelf.wishes[0]?.[1].signal.reason as SaveError).code).toBe('client-disconnected');
  });

  it('where it is found too late, and nothing is rendered for it', async () => {
    const deadline = deadlineInHand();
    const [goesOn, closed] = [moment(), moment()];
    shelf.finding = () => {
      deadline.comes();
      return goesOn.come;
    };
    shelf.closing = () => {
      closed.comes();
    };
    expect((await save(whole, LONG)).reply.status).toBe('timeout');
    expect(shelf.happened).toEqual(['find']);
    goesOn.comes();
    await closed.come;
    await turn();
    expect(shelf.happened).toEqual(['find', 'close']);
  });

  it('where it is found when the time has just come, and nothing is rendered for it either', async () => {
    const deadline = deadlineInHand();
    shelf.finding = () => {
      deadline.comes();
    };
    expect((await save(whole, LONG)).reply.status).toBe('timeout');
    expect(shelf.happened).toEqual(['find', 'close']);
  });

  it('and not before publishing has come to its end, which may be after the answer', async () => {
    const deadline = deadlineInHand();
    const [goesOn, closed] = [moment(), moment()];
    shelf.publishing = () => {
      deadline.comes();
      return goesOn.come;
    };
    shelf.closing = () => {
      closed.comes();
    };
    const answer = await save(whole, LONG);
    expect(answer.reply).toMatchObject({ status: 'timeout', error: { code: 'timeout' } });
    expect(shelf.happened).toEqual(['find', 'render', 'publish']);
    goesOn.comes();
    await closed.come;
    await turn();
    expect(shelf.happened).toEqual(['find', 'render', 'publish', 'published or not', 'close']);
    // The last look came too late.
    expect(shelf.images.size).toBe(0);
  });
});

describe('the last look', () => {
  it('throws where the time was up: the answer is timeout, and nothing is saved', async () => {
    const deadline = deadlineInHand();
    let thrown: unknown;
    const store: ImageStore = {
      prepare: (_name, wish) =>
        Promise.resolve({
          publish(_image, lastLook) {
            deadline.comes();
            try {
              lastLook();
            } catch (error) {
              thrown = error;
              throw error;
            }
            return Promise.resolve({ lastUpdated: TIME });
          },
          close: () => {
            shelf.happened.push(`closed, aborted: ${wish.signal.aborted}`);
            return Promise.resolve();
          },
        }),
    };
    const answer = await save(whole, { store, ...LONG });
    expect(answer.status).toBe(403);
    expect(answer.reply).toMatchObject({ status: 'timeout', error: { code: 'timeout' } });
    expect((thrown as SaveError).code).toBe('timeout');
    expect(shelf.happened).toEqual(['render', 'closed, aborted: true']);
  });

  it('once passed, lets the deadline end nothing any more', async () => {
    const deadline = deadlineInHand();
    shelf.putting = () => {
      deadline.comes();
    };
    expect((await save(whole, LONG)).reply.status).toBe('done');
    expect(shelf.wishes[0]?.[1].signal.aborted).toBe(false);
  });

  it('once passed, lets the save go on where the client leaves: what is said of it is true', async () => {
    let left: Promise<unknown> | undefined;
    const running = await serve();
    running.server.on('connection', (socket: Socket) => {
      left = new Promise((resolve) => socket.on('close', resolve));
    });
    shelf.putting = () => {
      client.destroy();
      return left;
    };
    const client = sendTo(running);
    await reported.come;
    expect(records).toMatchObject([{ outcome: 'done' }]);
    expect(shelf.images.get('x.jpg')?.equals(small)).toBe(true);
    expect(shelf.wishes[0]?.[1].signal.aborted).toBe(false);
  });
});

describe('an image that is too large for memory', () => {
  let temporary: string;
  const NAMED_PNG = '/x?req=saveToFile&name=x.png';

  beforeEach(() => {
    temporary = join(makeFolder(), 'tmp');
    mkdirSync(temporary);
    jest.spyOn(os, 'tmpdir').mockReturnValue(temporary);
    expect(large.length).toBeGreaterThan(1024 * 1024);
  });

  it('waits in a private file, which is gone before the answer', async () => {
    let there: string[] = [];
    shelf.publishing = ({ bytes }) => {
      if (Buffer.isBuffer(bytes)) throw new Error('It is in memory');
      there = [...list(temporary), dirname(bytes.path), (statSync(bytes.path).mode & 0o777).toString(8)];
    };
    shelf.closing = () => {
      shelf.happened.push(`left: ${list(temporary).length}`);
    };
    const { url } = await serve(pieces(() => large));
    const answer = await get(url + NAMED_PNG);
    expect(list(temporary)).toEqual([]);
    expect(answer.reply).toMatchObject({ status: 'done', lastUpdated: TIME });
    expect(there).toEqual([expect.stringMatching(/^\.image-save-[0-9a-f]{32}\.tmp$/), temporary, '600']);
    expect(shelf.images.get('x.png')?.equals(large)).toBe(true);
  });

  it.each<[string, () => Handler]>([
    ['refused', () => pieces(() => large.subarray(0, -1))],
    ['broken off', () => (_req, res) => res.write(large, () => res.destroy())],
  ])('leaves nothing where it is %s', async (_what, renderer) => {
    expect((await save(renderer(), {}, NAMED_PNG)).reply.status).toBe('failed');
    expect(list(temporary)).toEqual([]);
    expect(shelf.happened).toEqual(['find', 'render', 'close']);
  });

  // The file is made by the work on the bytes, which goes on for some steps after the save has failed.
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'leaves nothing where it is refused %i steps after it has come',
    async (steps) => {
      const answer = await save(
        async (_req, res) => {
          res.write(large);
          for (let step = 0; step < steps; step += 1) await Promise.resolve();
          saveOf(res)?.refuse();
        },
        {},
        NAMED_PNG,
      );
      expect(answer.reply.error?.code).toBe('renderer-refused');
      expect(list(temporary)).toEqual([]);
    },
  );

  it('leaves nothing where the store fails', async () => {
    shelf.publishing = () => {
      throw new Error('no connection');
    };
    const answer = await save(
      pieces(() => large),
      {},
      NAMED_PNG,
    );
    expect(answer.reply.error?.code).toBe('internal-error');
    expect(list(temporary)).toEqual([]);
  });

  it('waits where the place says, and is discarded there', async () => {
    const own = join(temporary, '..', 'own');
    mkdirSync(own);
    const spool = new DiskTempFile(join(own, 'spool'), 0o600);
    shelf.spool = spool;
    let path: string | undefined;
    shelf.publishing = ({ bytes }) => {
      path = Buffer.isBuffer(bytes) ? 'memory' : bytes.path;
      expect([list(own), list(temporary)]).toEqual([['spool'], []]);
    };
    const { url } = await serve(pieces(() => large));
    expect((await get(url + NAMED_PNG)).reply.status).toBe('done');
    expect(path).toBe(spool.path);
    expect([list(own), list(temporary)]).toEqual([[], []]);
    expect(shelf.images.get('x.png')?.equals(large)).toBe(true);
  });
});
