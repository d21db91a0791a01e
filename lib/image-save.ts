// The middleware, and the path of one save through it, from the command to the answer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Capture, type ReplyHead } from './capture.js';
import { collect, decodersFor, tooManyBytes } from './collect.js';
import { mayHoldCommand, parseCommand, type SaveCommand } from './command.js';
import { Deadline } from './deadline.js';
import { SaveError } from './errors.js';
import { formatOfName, type ImageFormat } from './formats.js';
import { inspectImage } from './inspect.js';
import { checkOptions, type ImageSaveOptions, type Settings } from './options.js';
import { Sweeper, TemporaryFile } from './publish.js';
import { rewriteForRenderer } from './renderer-request.js';
import { sendReply, type Done, type NotDone, type Outcome } from './reply.js';
import { showSave } from './save-of.js';
import { checkName, openTarget, type Folder, type Target } from './target.js';

/** Hands a request on: to the renderer, or with an error to whoever handles errors. */
export type Next = (error?: unknown) => unknown;

/** A middleware for Express and every other host of `(req, res, next)` on Node's own request and response. */
export type ImageSaveMiddleware<Request extends IncomingMessage = IncomingMessage> = (
  req: Request,
  res: ServerResponse,
  next: Next,
) => void;

/** How long an answer waits for tidying up that a healthy disk does at once, in milliseconds. */
const TIDYING = 100;

/**
 * Makes a middleware that obeys `req=saveToFile`: mounted in front of a renderer, it saves what the renderer
 * would have sent and answers with the outcome. All other requests pass through untouched.
 *
 * @throws TypeError An option is unknown or wrong.
 * @example
 * app.use('/is/image', imageSave({ savePath: './saved' }), renderer);
 */
export function imageSave<Request extends IncomingMessage = IncomingMessage>(
  options: ImageSaveOptions<Request> = {},
): ImageSaveMiddleware<Request> {
  const settings = checkOptions(options);
  // What is older than this belongs to no save that still runs.
  const sweeper = new Sweeper(2 * settings.maxTimeout);

  return function imageSaveMiddleware(req, res, next) {
    const url = req.url ?? '';
    if (!mayHoldCommand(url)) {
      next();
      return;
    }
    const arrival = performance.now();
    const command = readCommand(url);
    if (command === undefined) {
      next();
    } else if (req.httpVersionMajor >= 2) {
      next(new TypeError('express-image-save works on HTTP/1 requests; serve HTTP/2 by a proxy in front'));
    } else {
      void new Job({ settings, sweeper, req, res, next, arrival, command }).run();
    }
  };
}

function readCommand(url: string): SaveCommand | SaveError | undefined {
  try {
    return parseCommand(url);
  } catch (error) {
    return toSaveError(error);
  }
}

interface Assignment {
  readonly settings: Settings;
  readonly sweeper: Sweeper;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly next: Next;
  /** When the command arrived, a reading of `performance.now()`. */
  readonly arrival: number;
  /** The command, or why what was sent is none. */
  readonly command: SaveCommand | SaveError;
}

/** One command, from its arrival to its one answer. */
class Job {
  readonly #assignment: Assignment;
  readonly #deadline: Deadline;
  /** The client's own connection, also while the renderer sees another. */
  readonly #socket: Socket;
  /** Rejects when the save has lost its purpose. */
  readonly #aborted: Promise<never>;
  #capture: Capture | undefined;
  #file: TemporaryFile | undefined;
  #folder: Folder | undefined;
  #swept: Promise<void> | undefined;
  /** Why the folder was not flushed although the image is in place. */
  #flushFault: unknown;

  constructor(assignment: Assignment) {
    this.#assignment = assignment;
    this.#socket = assignment.req.socket;
    const deadline = (this.#deadline = new Deadline(this.#socket, () => {
      // Node is about to tell the response's own listeners that the client has gone.
      try {
        this.#capture?.restore();
      } catch {
        // What the answer needs could not be given back, and there is nobody left to answer.
      }
    }));
    this.#aborted = new Promise((_, reject) => {
      const tell = (): void => {
        reject(deadline.signal.reason as SaveError);
      };
      if (deadline.signal.aborted) tell();
      else deadline.signal.addEventListener('abort', tell);
    });
    this.#aborted.catch(() => undefined);
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const work = this.#save();
    const outcome = await Promise.race([work, this.#aborted]).catch((error: unknown) =>
      this.#fail(toSaveError(error)),
    );
    // A renderer whose listener throws never hears the rest: the client's answer does not wait for that.
    await settledWithin(TIDYING, Promise.all([this.#capture?.body.release(), this.#tidyUp()]));
    try {
      this.#answer(outcome);
    } catch (fault) {
      // Somebody has made the response unusable: a connection that closes says more than one that hangs.
      process.emitWarning(`imageSave could not answer: ${inspect(fault)}`);
      this.#socket.destroy();
    }
    await Promise.all([this.#report(outcome), work.catch(() => undefined).then(() => this.#closeFolder())]);
  }

  /** The whole of it, in order. */
  async #save(): Promise<Done> {
    const { settings, arrival, command } = this.#assignment;
    if (command instanceof SaveError) throw command;
    this.#deadline.start(Math.min(command.timeout ?? settings.timeout, settings.maxTimeout), arrival);
    const target = await this.#findTarget(command);
    const capture = this.#askRenderer(command);
    const head = await Promise.race([capture.head, this.#aborted]);
    checkHead(head, settings);
    const file = (this.#file = new TemporaryFile(target.folder));
    const bytes = await collect(capture.body, head, file, settings.maxBytes);
    const facts = await inspectImage(bytes, settings);
    checkExtension(command.name, facts.format);
    if (Buffer.isBuffer(bytes)) await file.write([bytes]);
    const { lastUpdated, flushFault } = await file.publishAs(target, {
      ...settings,
      lastLook: () => {
        this.#deadline.signal.throwIfAborted();
        this.#deadline.disarm();
      },
    });
    this.#flushFault = flushFault;
    return { status: 'done', name: command.name, facts, length: file.length, lastUpdated };
  }

  /** Everything that can be refused before the renderer is asked to work. */
  async #findTarget(command: SaveCommand): Promise<Target> {
    const { settings, sweeper, req } = this.#assignment;
    checkMethod(req);
    checkSite(req, settings);
    const parts = checkName(command.name);
    await checkAuthorized(req, command.name, settings);
    const savePath = await chooseSavePath(req, settings);
    this.#deadline.signal.throwIfAborted();
    const target = await openTarget(savePath, parts, settings);
    this.#folder = target.folder;
    this.#deadline.signal.throwIfAborted();
    this.#swept = sweeper.sweep(target.folder);
    return target;
  }

  #askRenderer(command: SaveCommand): Capture {
    const { req, res, next } = this.#assignment;
    if (res.headersSent) throw new Error('The command was answered by a middleware before imageSave');
    rewriteForRenderer(req, command.rendererUrl);
    const capture = (this.#capture = new Capture(req, res, (cause) => {
      this.#deadline.fail(
        new SaveError(
          'renderer-aborted',
          'The image broke off before its end. Try again.',
          cause ?? undefined,
        ),
      );
    }));
    showSave(res, {
      name: command.name,
      signal: this.#deadline.signal,
      refuse: (reason) => {
        const why = reason === undefined ? '' : `: ${reason}`;
        this.#deadline.fail(
          new SaveError(
            'renderer-refused',
            `Ask for another image: the server does not want this one saved${why}.`,
          ),
        );
      },
    });
    const failed = (cause: unknown): void => {
      this.#deadline.fail(
        new SaveError(
          'renderer-failed',
          'The server could not make the image. Check what was asked for.',
          cause,
        ),
      );
    };
    try {
      // Express handles what its renderers throw; other hosts may leave it to us, now or in a promise.
      Promise.resolve(next()).catch(failed);
    } catch (error) {
      failed(error);
    }
    return capture;
  }

  #fail(error: SaveError): NotDone {
    this.#deadline.fail(error);
    return { status: error.code === 'timeout' ? 'timeout' : 'failed', error };
  }

  /** Leaves nothing of ours behind. */
  async #tidyUp(): Promise<void> {
    await Promise.all([this.#file?.discard(), this.#swept]);
  }

  #answer(outcome: Outcome): void {
    const { res } = this.#assignment;
    this.#deadline.stop();
    this.#capture?.restore();
    // The response is as it would be without us when a client has left; so is what the renderer still does to it.
    if (outcome.status === 'failed' && outcome.error.code === 'client-gone') return;
    sendReply(res, outcome);
    this.#capture?.seal();
  }

  async #report(outcome: Outcome): Promise<void> {
    const { settings, req, arrival, command } = this.#assignment;
    const done = outcome.status === 'done' ? outcome : undefined;
    const error = outcome.status === 'done' ? undefined : outcome.error;
    try {
      await settings.onSave?.(
        {
          outcome: outcome.status,
          code: error?.code,
          name: command instanceof SaveError ? undefined : command.name,
          bytes: done?.length,
          pixels: done?.facts.pixels,
          milliseconds: performance.now() - arrival,
          cause: error?.cause ?? this.#flushFault,
        },
        req,
      );
    } catch (fault) {
      process.emitWarning(`onSave of imageSave failed: ${inspect(fault)}`);
    }
  }

  /** Not before the last step that goes by the folder's descriptor: its number could belong to another folder by then. */
  async #closeFolder(): Promise<void> {
    await this.#tidyUp();
    await this.#folder?.close();
  }
}

function toSaveError(error: unknown): SaveError {
  if (error instanceof SaveError) return error;
  return new SaveError('internal-error', 'The server failed to save the image. Tell its operator.', error);
}

async function settledWithin(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([
    promise,
    sleep(milliseconds, undefined, { signal: timer.signal }).catch(() => undefined),
  ]);
  timer.abort();
}

function checkMethod(req: IncomingMessage): void {
  if (req.method === 'GET' || req.method === 'POST') return;
  throw new SaveError('method-not-allowed', 'Send the save command by GET or POST.');
}

/** A page on another site must not be able to make its visitors' browsers save. (Fetch Metadata, 2.4.) */
function checkSite(req: IncomingMessage, settings: Settings): void {
  if (settings.allowCrossSite || req.headers['sec-fetch-site'] !== 'cross-site') return;
  throw new SaveError(
    'cross-site',
    'Send the save command from a page of the same site, or not from a browser.',
  );
}

async function checkAuthorized(req: IncomingMessage, name: string, settings: Settings): Promise<void> {
  if (settings.authorize === undefined) return;
  const refusal = 'You may not save under this name. Use the rights or the link that this server asks for.';
  try {
    if ((await settings.authorize(req, { name })) === true) return;
  } catch (error) {
    throw new SaveError('not-authorized', refusal, error);
  }
  throw new SaveError('not-authorized', refusal);
}

async function chooseSavePath(req: IncomingMessage, settings: Settings): Promise<string> {
  try {
    const savePath = await settings.savePath(req);
    if (savePath !== '') return savePath;
  } catch (error) {
    throw new SaveError('save-path-missing', 'No save folder was found for this request.', error);
  }
  throw new SaveError('saving-disabled', 'This server saves no images. Its operator can set a save folder.');
}

/** What can be refused before a byte of the image has come. */
function checkHead(head: ReplyHead, settings: Settings): void {
  if (head.status !== 200) {
    throw new SaveError(
      'renderer-status',
      `Check what was asked for: the server answered ${head.status}, not 200.`,
    );
  }
  const encoded = decodersFor(head.contentEncoding).length > 0;
  if (!encoded && Number(head.contentLength ?? 0) > settings.maxBytes) throw tooManyBytes(settings.maxBytes);
}

function checkExtension(name: string, format: ImageFormat): void {
  const named = formatOfName(name);
  if (named === 'any' || named === format) return;
  throw new SaveError(
    'wrong-extension',
    `Give the name an extension of ${format}, or ask for ${named}: the image is ${format}.`,
  );
}
