// In front of the libraries that people render with in Node, with the usual middleware around.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createCanvas, type Canvas } from '@napi-rs/canvas';
import { Resvg } from '@resvg/resvg-js';
import { Processor } from 'iiif-processor';
import { imageSave } from '../../../lib/index.js';
import { start, stopAll, type Handler } from '../../support/host.js';
import { makeTempDir, removeTempDirs } from '../../support/temp-dir.js';
import { PICTURE, expectRefused, expectSaved, makePictures } from './pictures.js';
import { places, startPair } from './usual-middleware.js';

/** What is used of satori. Its own types need React's and a browser's. */
interface Satori {
  default(
    element: { type: string; props: { style: Record<string, string> }; key: null },
    options: { width: number; height: number; fonts: never[] },
  ): Promise<string>;
}
const satori = jest.requireActual<Satori>('satori');

let pictures: string;

beforeAll(async () => {
  ({ folder: pictures } = await makePictures());
});
afterEach(stopAll);
afterAll(removeTempDirs);

/** Opens the picture first: an error of its stream would not reach the processor. */
async function openPicture({ id }: { id: string }): Promise<NodeJS.ReadableStream> {
  const file = await open(join(pictures, id));
  return file.createReadStream();
}

const iiif: Handler = async (req, res) => {
  const url = new URL(req.url ?? '', 'http://localhost').href;
  const processor = new Processor(url, openPicture);
  try {
    const result = await processor.execute();
    if (result.type !== 'content') throw new Error('No image was asked for');
    res.setHeader('Content-Type', result.contentType).end(result.body);
  } catch (error) {
    res.writeHead(400).end(String(error));
  }
};

function drawing(): Canvas {
  const canvas = createCanvas(160, 90);
  const context = canvas.getContext('2d');
  context.fillStyle = 'teal';
  context.fillRect(0, 0, 160, 90);
  context.fillStyle = 'orange';
  context.arc(80, 45, 30, 0, 2 * Math.PI);
  context.fill();
  return canvas;
}

const canvas: Handler = async (_req, res) => {
  res.setHeader('Content-Type', 'image/jpeg').end(await drawing().encode('jpeg'));
};

const streamedCanvas: Handler = async (_req, res) => {
  res.setHeader('Content-Type', 'image/png');
  await pipeline(drawing().encodeStream('png'), res);
};

const card: Handler = async (_req, res) => {
  const style = { width: '100%', height: '100%', backgroundImage: 'linear-gradient(to right, teal, orange)' };
  // An element as React would make it. Without text it needs no font.
  const element = { type: 'div', props: { style }, key: null };
  const svg = await satori.default(element, { width: 160, height: 90, fonts: [] });
  res.setHeader('Content-Type', 'image/png').end(new Resvg(svg).render().asPng());
};

const renderers: Record<string, { renderer: Handler; path: string; name: string }> = {
  'iiif-processor': { renderer: iiif, path: `/iiif/3/${PICTURE}/full/100,/0/default.jpg`, name: 'saved.jpg' },
  '@napi-rs/canvas': { renderer: canvas, path: '/', name: 'saved.jpg' },
  '@napi-rs/canvas, streamed': { renderer: streamedCanvas, path: '/', name: 'saved.png' },
  'satori with @resvg/resvg-js': { renderer: card, path: '/', name: 'saved.png' },
};

describe.each(Object.keys(renderers))('%s', (library) => {
  const { renderer, path, name } = renderers[library]!;

  test.each(places)('delivers and saves the same bytes %s', async (place) => {
    await expectSaved(await startPair(() => renderer, place, makeTempDir()), path, name);
  });
});

test.each([
  ['no such picture', '/iiif/3/none.jpg/full/100,/0/default.jpg'],
  ['no such size', `/iiif/3/${PICTURE}/full/wide/0/default.jpg`],
])('iiif-processor that has %s saves nothing', async (_what, path) => {
  const savePath = makeTempDir();
  const { url } = await start([imageSave({ savePath }), iiif]);
  const other = `/iiif/3/${PICTURE}/full/100,/0/default.jpg`;
  await expectRefused({ url, savePath }, path, other, 'renderer-status');
});
