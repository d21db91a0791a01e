// One save, from its command to its reply: the only file that knows the order of the steps.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { ResponseCapture, type ResponseHead } from '../capture/response-capture.js';
import { rewriteForRenderer } from '../capture/rewrite-request.js';
import { SaveError, toSaveError } from '../errors.js';
import { getFormatByName, type ImageFormat } from '../image/formats.js';
import { inspectImage } from '../image/inspect.js';
import type { Settings } from '../options.js';
import { checkName } from '../protocol/file-name.js';
import type { SaveCommand } from '../protocol/parse-command.js';
import { sendReply, type SaveFailure, type SaveResult, type SaveSuccess } from '../protocol/reply.js';
import type { ImageStore, SaveTarget } from '../stores/types.js';
import { MemoryBytes } from '../temp-files/readable-bytes.js';
import type { StaleFileSweeper } from '../temp-files/stale-files.js';
import { createPrivateTempFile } from '../temp-files/temp-file.js';
import type { TempFile } from '../temp-files/types.js';
import { Cancellation } from './cancellation.js';
import { collectBody, decodersFor, tooManyBytes } from './collect-body.js';
import { attachSave } from './save-context.js';

/** Hands a request on: to the renderer, or with an error to whoever handles errors. */
export type Next = (error?: unknown) => unknown;

/** How long an answer waits for tidying up that a healthy disk does at once, in milliseconds. */
const CLEANUP_GRACE_MS = 100;

interface SaveRequest {
  readonly settings: Settings;
  readonly store: ImageStore;
  readonly sweeper: StaleFileSweeper;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly next: Next;
  /** When the command arrived, a reading of `performance.now()`. */
  readonly arrival: number;
  /** The command, or why what was sent is none. */
  readonly command: SaveCommand | SaveError;
}

/** One command, from its arrival to its one answer. */
export class SaveOperation {
  readonly #request: SaveRequest;
  readonly #cancellation: Cancellation;
  /** The client's own connection, also while the renderer sees another. */
  readonly #socket: Socket;
  #capture: ResponseCapture | undefined;
  #target: SaveTarget | undefined;
  #tempFile: TempFile | undefined;
  /** What went wrong after the image was in place. */
  #warning: unknown;

  constructor(assignment: SaveRequest) {
    this.#request = assignment;
    this.#socket = assignment.req.socket;
    this.#cancellation = new Cancellation(this.#socket, () => {
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
    const outcome = await Promise.race([work, this.#cancellation.aborted]).catch((error: unknown) =>
      this.#toFailure(toSaveError(error)),
    );
    // No step of the save may be running any more when the place is closed.
    const closed = work
      .catch(() => undefined)
      .then(() => this.#target?.close?.())
      .catch((error: unknown) => {
        process.emitWarning(`The store of imageSave failed to close a place: ${inspect(error)}`);
      });
    // A renderer whose listener throws never hears the rest: the client's answer does not wait for that.
    await waitAtMost(
      CLEANUP_GRACE_MS,
      Promise.all([this.#capture?.body.release(), this.#tempFile?.discard(), closed]),
    );
    try {
      this.#reply(outcome);
    } catch (error) {
      // Somebody has made the response unusable: a connection that closes says more than one that hangs.
      process.emitWarning(`imageSave could not answer: ${inspect(error)}`);
      this.#socket.destroy();
    }
    await this.#report(outcome);
  }

  /** The whole of it, in order. */
  async #save(): Promise<SaveSuccess> {
    const { settings, sweeper, arrival, command } = this.#request;
    if (command instanceof SaveError) throw command;
    this.#cancellation.startTimer(
      Math.min(command.timeout ?? settings.timeout, settings.maxTimeout),
      arrival,
    );
    const target = (this.#target = await this.#prepareTarget(command));
    this.#cancellation.signal.throwIfAborted();
    const capture = this.#callRenderer(command);
    const head = await Promise.race([capture.head, this.#cancellation.aborted]);
    checkHead(head, settings);
    const createTempFile = (): TempFile => {
      // Nobody would discard what is made after the save has failed.
      this.#cancellation.signal.throwIfAborted();
      return (this.#tempFile = target.tempFile ?? createPrivateTempFile(sweeper));
    };
    const bytes = await collectBody(capture.body, head, createTempFile, settings.maxBytes);
    const info = await inspectImage(bytes, { ...settings, signal: this.#cancellation.signal });
    checkExtension(command.name, info.format);
    const image = { ...info, bytes: Buffer.isBuffer(bytes) ? new MemoryBytes(bytes) : bytes };
    const commit = (): void => {
      this.#cancellation.commit();
    };
    const { lastUpdated, warning } = await target.publish(image, { commit });
    this.#warning = warning;
    return { status: 'done', name: command.name, info, length: bytes.length, lastUpdated };
  }

  /** Everything that can be refused before the renderer is asked to work. */
  async #prepareTarget(command: SaveCommand): Promise<SaveTarget> {
    const { settings, store, req } = this.#request;
    checkMethod(req);
    checkSite(req, settings);
    checkName(command.name);
    await checkAuthorized(req, command.name, settings);
    const { overwrite, durable } = settings;
    const { signal } = this.#cancellation;
    signal.throwIfAborted();
    return store.prepare(command.name, { req, overwrite, durable, signal });
  }

  #callRenderer(command: SaveCommand): ResponseCapture {
    const { req, res, next } = this.#request;
    const cancellation = this.#cancellation;
    if (res.headersSent) throw new Error('The command was answered by a middleware before imageSave');
    rewriteForRenderer(req, command.rendererUrl);
    const capture = (this.#capture = new ResponseCapture(req, res, (cause) => {
      cancellation.abort(
        new SaveError(
          'renderer-aborted',
          'The image broke off before its end. Try again.',
          cause ?? undefined,
        ),
      );
    }));
    attachSave(res, {
      name: command.name,
      signal: cancellation.signal,
      refuse: (reason) => {
        const why = reason === undefined ? '' : `: ${reason}`;
        cancellation.abort(
          new SaveError(
            'renderer-refused',
            `Ask for another image: the server does not want this one saved${why}.`,
          ),
        );
      },
    });
    const failed = (cause: unknown): void => {
      cancellation.abort(
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

  #toFailure(error: SaveError): SaveFailure {
    this.#cancellation.abort(error);
    return { status: error.code === 'timeout' ? 'timeout' : 'failed', error };
  }

  #reply(outcome: SaveResult): void {
    const { res } = this.#request;
    this.#cancellation.dispose();
    this.#capture?.restore();
    // The response is as it would be without us when a client has left; so is what the renderer still does to it.
    if (outcome.status === 'failed' && outcome.error.code === 'client-disconnected') return;
    sendReply(res, outcome);
    this.#capture?.ignoreLateWrites();
  }

  async #report(outcome: SaveResult): Promise<void> {
    const { settings, req, arrival, command } = this.#request;
    const done = outcome.status === 'done' ? outcome : undefined;
    const error = outcome.status === 'done' ? undefined : outcome.error;
    try {
      await settings.onSave?.(
        {
          outcome: outcome.status,
          code: error?.code,
          name: command instanceof SaveError ? undefined : command.name,
          bytes: done?.length,
          pixels: done?.info.pixels,
          milliseconds: performance.now() - arrival,
          cause: error?.cause ?? this.#warning,
        },
        req,
      );
    } catch (error) {
      process.emitWarning(`onSave of imageSave failed: ${inspect(error)}`);
    }
  }
}

async function waitAtMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, timeout]);
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
function checkHead(head: ResponseHead, settings: Settings): void {
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
  const named = getFormatByName(name);
  if (named === 'any' || named === format) return;
  throw new SaveError(
    'wrong-extension',
    `Give the name an extension of ${format}, or ask for ${named}: the image is ${format}.`,
  );
}
