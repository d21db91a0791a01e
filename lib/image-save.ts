// The middleware, and the path of one save through it, from the command to the answer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { Capture, type ReplyHead } from './capture.js';
import { collect, decodersFor, tooManyBytes } from './collect.js';
import { mayHoldCommand, parseCommand, type SaveCommand } from './command.js';
import { Deadline } from './deadline.js';
import { SaveError } from './errors.js';
import { folderStore } from './folder-store.js';
import { formatOfName, type ImageFormat } from './formats.js';
import { inspectImage } from './inspect.js';
import { checkOptions, type ImageSaveOptions, type Settings } from './options.js';
import { rewriteForRenderer } from './renderer-request.js';
import { sendReply, type Done, type NotDone, type Outcome } from './reply.js';
import { showSave } from './save-of.js';
import { privateSpool } from './spool.js';
import type { ImageStore, Place, Spool } from './store.js';
import { Sweeper } from './sweeper.js';
import { checkName } from './target.js';

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
  // A temporary file that is older belongs to no save that still runs.
  const sweeper = new Sweeper(2 * settings.maxTimeout);
  const store = settings.store ?? folderStore(settings.savePath, sweeper);

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
      void new Job({ settings, store, sweeper, req, res, next, arrival, command }).run();
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
  readonly store: ImageStore;
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
  #capture: Capture | undefined;
  #place: Place | undefined;
  #spool: Spool | undefined;
  /** What went wrong after the image was in place. */
  #fault: unknown;

  constructor(assignment: Assignment) {
    this.#assignment = assignment;
    this.#socket = assignment.req.socket;
    this.#deadline = new Deadline(this.#socket, () => {
      // Node is about to tell the response's own listeners that the client has gone.
      try {
        this.#capture?.restore();
      } catch {
        // What the answer needs could not be given back, and there is nobody left to answer.
      }
    });
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const work = this.#save();
    const outcome = await Promise.race([work, this.#deadline.failed]).catch((error: unknown) =>
      this.#fail(toSaveError(error)),
    );
    // No step of the save may be running any more when the place is closed.
    const closed = work
      .catch(() => undefined)
      .then(() => this.#place?.close?.())
      .catch((fault: unknown) => {
        process.emitWarning(`The store of imageSave failed to close a place: ${inspect(fault)}`);
      });
    // A renderer whose listener throws never hears the rest: the client's answer does not wait for that.
    await settledWithin(
      TIDYING,
      Promise.all([this.#capture?.body.release(), this.#spool?.discard(), closed]),
    );
    try {
      this.#answer(outcome);
    } catch (fault) {
      // Somebody has made the response unusable: a connection that closes says more than one that hangs.
      process.emitWarning(`imageSave could not answer: ${inspect(fault)}`);
      this.#socket.destroy();
    }
    await this.#report(outcome);
  }

  /** The whole of it, in order. */
  async #save(): Promise<Done> {
    const { settings, sweeper, arrival, command } = this.#assignment;
    if (command instanceof SaveError) throw command;
    this.#deadline.start(Math.min(command.timeout ?? settings.timeout, settings.maxTimeout), arrival);
    const place = (this.#place = await this.#findPlace(command));
    this.#deadline.signal.throwIfAborted();
    const capture = this.#askRenderer(command);
    const head = await Promise.race([capture.head, this.#deadline.failed]);
    checkHead(head, settings);
    const spoolFor = (): Spool => {
      // Nobody would discard what is made after the save has failed.
      this.#deadline.signal.throwIfAborted();
      return (this.#spool = place.spool ?? privateSpool(sweeper));
    };
    const bytes = await collect(capture.body, head, spoolFor, settings.maxBytes);
    const facts = await inspectImage(bytes, settings);
    checkExtension(command.name, facts.format);
    const { lastUpdated, fault } = await place.publish({ ...facts, bytes }, () => {
      this.#deadline.lastLook();
    });
    this.#fault = fault;
    return { status: 'done', name: command.name, facts, length: bytes.length, lastUpdated };
  }

  /** Everything that can be refused before the renderer is asked to work. */
  async #findPlace(command: SaveCommand): Promise<Place> {
    const { settings, store, req } = this.#assignment;
    checkMethod(req);
    checkSite(req, settings);
    checkName(command.name);
    await checkAuthorized(req, command.name, settings);
    const { overwrite, durable } = settings;
    const { signal } = this.#deadline;
    signal.throwIfAborted();
    return store.findPlace(command.name, { req, overwrite, durable, signal });
  }

  #askRenderer(command: SaveCommand): Capture {
    const { req, res, next } = this.#assignment;
    const deadline = this.#deadline;
    if (res.headersSent) throw new Error('The command was answered by a middleware before imageSave');
    rewriteForRenderer(req, command.rendererUrl);
    const capture = (this.#capture = new Capture(req, res, (cause) => {
      deadline.fail(
        new SaveError(
          'renderer-aborted',
          'The image broke off before its end. Try again.',
          cause ?? undefined,
        ),
      );
    }));
    showSave(res, {
      name: command.name,
      signal: deadline.signal,
      refuse: (reason) => {
        const why = reason === undefined ? '' : `: ${reason}`;
        deadline.fail(
          new SaveError(
            'renderer-refused',
            `Ask for another image: the server does not want this one saved${why}.`,
          ),
        );
      },
    });
    const failed = (cause: unknown): void => {
      deadline.fail(
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
          cause: error?.cause ?? this.#fault,
        },
        req,
      );
    } catch (fault) {
      process.emitWarning(`onSave of imageSave failed: ${inspect(fault)}`);
    }
  }
}

function toSaveError(error: unknown): SaveError {
  if (error instanceof SaveError) return error;
  return new SaveError('internal-error', 'The server failed to save the image. Tell its operator.', error);
}

async function settledWithin(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, patience]);
  clearTimeout(timer);
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
