// The middleware with a real renderer, real connections and a real gateway: replies, objects in the bucket, and a gateway
// that is killed. faults.s3.ts has the other faults of the bucket and of the gateway.
import type { S3Client } from '@aws-sdk/client-s3';
import express from 'express';
import sharp from 'sharp';
import { imageSave, type ImageStore } from '../../../lib/index.js';
import { s3Store, type S3StoreOptions } from '../../../lib/s3.js';
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import { get, type Answer } from '../../support/client.js';
import { start, stopAll, type Handler } from '../../support/host.js';
import { noise } from '../../support/images.js';
import {
  clientOf,
  expectSecondsApart,
  gateway,
  head,
  killGateway,
  makeBucket,
  objectsIn,
  owner,
  read,
  startGateway,
  uploadsIn,
} from './gateway.js';
import { Proxy } from './proxy.js';

const MIB = 1024 ** 2;
const KEY = 'saved/a.png';

/** The pictures that the renderer has, all of them squares, by their width. */
const PICTURES = {
  /** The old picture. */
  old: 50,
  /** Kept in memory. */
  small: 60,
  /** Waits in a file, and is sent by one request with `Expect: 100-continue`. */
  inFile: 1024,
  /** Waits in a file, and is sent in three parts. */
  huge: 2000,
} as const;
type Picture = keyof typeof PICTURES;

/** A way to send a picture: the request for its middle, and the codes that a save may have which breaks off there. */
const ways = [
  // The system buffers the body, so its last byte may have arrived.
  ['at once', 'inFile', /^PUT \S+a\.png/, ['store-unavailable', 'store-no-response']],
  ['in parts', 'huge', /^PUT \S+a\.png\?partNumber=2/, ['store-unavailable']],
] as const;

let pixels: Buffer;
let bucket: string;
let proxy: Proxy;
let client: S3Client;
/** The pictures that the renderer was asked for. */
let rendered: string[];
/** For each published image, whether it was in memory. */
let inMemory: boolean[];

beforeAll(async () => {
  pixels = await noise(PICTURES.huge, PICTURES.huge).raw().toBuffer();
});
beforeEach(async () => {
  bucket = await makeBucket();
  proxy = await Proxy.start(gateway.endpoint);
  client = clientOf('owner', { endpoint: proxy.endpoint });
  rendered = [];
  inMemory = [];
});
afterEach(async () => {
  jest.restoreAllMocks();
  await stopAll();
  client.destroy();
  await proxy.stop();
});

/** Pipes what it draws, as the renderer of the README does. Uncompressed, so that the sizes are those of the pixels. */
const renderer: express.RequestHandler<{ picture: Picture }> = (req, res) => {
  const width = PICTURES[req.params.picture];
  rendered.push(req.params.picture);
  const raw = { width, height: width, channels: 3 as const };
  sharp(pixels.subarray(0, width * width * 3), { raw })
    .png({ compressionLevel: 0 })
    .pipe(res.type('png'));
};

function noting(store: ImageStore): ImageStore {
  return {
    async prepare(name, options) {
      const target = await store.prepare(name, options);
      return {
        publish(image, publishOptions) {
          inMemory.push(image.bytes instanceof MemoryBytes);
          return target.publish(image, publishOptions);
        },
      };
    },
  };
}

/** An app whose images go to the bucket; the beginning of its URLs. */
async function serve(options: Partial<S3StoreOptions> = {}): Promise<string> {
  const store = noting(s3Store({ client, bucket, prefix: 'saved/', partSize: 5 * MIB, ...options }));
  const app = express();
  app.use('/is/image', imageSave({ store }));
  app.get('/is/image/:picture', renderer);
  const { url } = await start([app as Handler]);
  return `${url}/is/image`;
}

const send = (images: string, picture: Picture): Promise<Answer> =>
  get(`${images}/${picture}?req=saveToFile&name=a.png`);

/** Saves the old picture without faults, and clears the log of requests. */
async function saveOld(): Promise<void> {
  const answer = await send(await serve({ client: owner }), 'old');
  expect(answer.reply.status).toBe('done');
  rendered = [];
  inMemory = [];
}

async function expectInBucket(picture: Picture): Promise<void> {
  // An upload that could not be aborted is aborted later.
  while ((await uploadsIn(bucket)).length > 0);
  const ordinary = await get(`${await serve()}/${picture}`);
  expect((await read(bucket, KEY))?.equals(ordinary.body)).toBe(true);
  expect(await objectsIn(bucket)).toEqual([KEY]);
}

it.each([
  ['small', true, /^PUT \S+a\.png\?x-id=PutObject/, 1],
  ['inFile', false, /^PUT \S+a\.png\?x-id=PutObject/, 1],
  ['huge', false, /^PUT \S+a\.png\?partNumber=/, 3],
] as const)(
  'a save of a %s picture gets its reply once the picture is in the bucket',
  async (picture, memory, sent, times) => {
    const width = PICTURES[picture];
    const answer = await send(await serve(), picture);
    const object = await head(bucket, KEY);
    expect(answer.status).toBe(200);
    expect(answer.reply).toMatchObject({
      status: 'done',
      name: 'a.png',
      pixelsTotal: width * width,
      image: { width, height: width, type: 'image/png', length: object.ContentLength! },
    });
    expectSecondsApart(answer.reply.lastUpdated, object);
    expect(object.ContentType).toBe('image/png');
    expect(object.Metadata).toMatchObject({
      'image-width': String(width),
      'image-height': String(width),
      'image-pixels': String(width * width),
    });
    expect(inMemory).toEqual([memory]);
    expect(proxy.requests.filter((request) => sent.test(request))).toHaveLength(times);
    expect(rendered).toEqual([picture]);
    await expectInBucket(picture);
  },
);

it.each(ways)(
  'a picture sent %s is refused when the gateway is killed, and saved once the gateway is back',
  async (_, picture, middle, codes) => {
    await saveOld();
    let killed = false;
    proxy.fateOf = (request) => {
      if (!middle.test(request) || killed) return 'passes';
      const then = (): void => {
        killed = true;
        killGateway();
      };
      return { brokenAfter: MIB, then };
    };
    const images = await serve();
    const answer = await send(images, picture);
    await startGateway();
    expect(killed).toBe(true);
    expect([answer.status, answer.reply.status]).toEqual([403, 'failed']);
    expect(codes).toContain(answer.reply.error?.code);
    await expectInBucket('old');
    proxy.fateOf = () => 'passes';
    expect((await send(images, picture)).reply.status).toBe('done');
    await expectInBucket(picture);
  },
);
