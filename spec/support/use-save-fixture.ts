// The fixture of specs of saves over real connections: an image, a save folder, servers, and the records of onSave.
import type { RequestOptions } from 'node:http';
import { imageSave, type ImageSaveOptions, type SaveRecord } from '../../lib/index.js';
import { get, type Answer } from './client.js';
import { createDeferred } from './deferred.js';
import { start, stopAll, type Handler, type Running } from './host.js';
import { jpeg } from './images.js';
import { useTempDir } from './temp-dir.js';

/** A save command. */
export const SAVE = '/x?req=saveToFile&name=x.jpg';

/** Options of the middleware, and what is around it. */
export interface Surroundings extends ImageSaveOptions {
  /** Middleware before the save. */
  readonly before?: readonly Handler[];
  readonly host?: string;
}

export interface SaveFixture {
  readonly image: () => Buffer;
  readonly folder: () => string;
  /** What `onSave` was given in this test. */
  readonly records: readonly SaveRecord[];
  /** The first record, as soon as there is one. */
  readonly recorded: () => Promise<SaveRecord>;
  /** Starts a host with the middleware in front of a renderer, by default one that sends the image. */
  readonly serve: (renderer?: Handler, surroundings?: Surroundings) => Promise<Running>;
  /** Starts such a host and sends a command. */
  readonly save: (
    renderer?: Handler,
    surroundings?: Surroundings,
    path?: string,
    request?: RequestOptions,
  ) => Promise<Answer & Running>;
}

/**
 * Makes one image for a file and a new folder for each of its tests, and stops what a test has started. Call it at the
 * top of a file.
 */
export function useSaveFixture(make = jpeg): SaveFixture {
  let image: Buffer;
  const folder = useTempDir();
  const records: SaveRecord[] = [];
  let first = createDeferred<SaveRecord>();
  beforeAll(async () => {
    image = await make();
  });
  beforeEach(() => {
    records.length = 0;
    first = createDeferred();
  });
  afterEach(stopAll);

  const sendImage: Handler = (_req, res) => res.setHeader('Content-Type', 'image/jpeg').end(image);
  const serve: SaveFixture['serve'] = (renderer = sendImage, { before = [], host, ...options } = {}) => {
    const own = folder();
    const onSave = (record: SaveRecord): void => {
      // A save of an earlier test may end later.
      if (own !== folder()) return;
      records.push(record);
      first.resolve(record);
    };
    const target = options.store === undefined ? { savePath: folder() } : {};
    return start([...before, imageSave({ ...target, onSave, ...options }), renderer], host);
  };
  return {
    image: () => image,
    folder,
    records,
    recorded: () => first.promise,
    serve,
    save: async (renderer, surroundings, path = SAVE, request = {}) => {
      const running = await serve(renderer, surroundings);
      return Object.assign(await get(running.url + path, request), running);
    },
  };
}
