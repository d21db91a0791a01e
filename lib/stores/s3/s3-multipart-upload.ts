// An upload in parts, which becomes visible when it is completed.
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import type { ReadableBytes } from '../../bytes/image-bytes.js';
import type { S3ObjectFields } from './s3-object-fields.js';
import type { S3Settings } from './s3-options.js';
import { getErrorName } from './s3-errors.js';
import { S3Request } from './s3-request.js';
import { createPayload, type Payload } from './s3-upload-body.js';

/** (Amazon S3 User Guide, "Amazon S3 multipart upload limits".) */
const MAX_PARTS = 10_000;

/** How long one request after the save may delay the reply, in milliseconds: a HEAD of the object, an abort. */
export const FOLLOW_UP_TIMEOUT_MS = 2000;

/** How long to wait before a failed abort is repeated, in milliseconds. Doubled each time. */
const ABORT_RETRY_DELAY_MS = 1000;
const MAX_ABORT_ATTEMPTS = 12;

/** The fields that every request about an object has. */
export type ObjectLocation = S3ObjectFields & { readonly Bucket: string; readonly Key: string };

export class MultipartUpload {
  /** The store's own id of the upload, once it is created. */
  id: string | undefined;
  readonly #settings: S3Settings;
  readonly #location: ObjectLocation;
  readonly #signal: AbortSignal;
  /** Whether a part was aborted while it was sent. */
  #partAborted = false;
  #aborts = 0;

  constructor(settings: S3Settings, location: ObjectLocation, signal: AbortSignal) {
    this.#settings = settings;
    this.#location = location;
    this.#signal = signal;
  }

  /** Creates the upload. The signal does not abort this request: the upload would stay, and its id would be lost. */
  async create(object: S3ObjectFields & { readonly ContentType: string }): Promise<void> {
    const { client, answerTimeout } = this.#settings;
    const command = new CreateMultipartUploadCommand({
      ...object,
      ...this.#location,
      ChecksumAlgorithm: 'SHA256',
    });
    const { UploadId } = await client.send(command, { abortSignal: AbortSignal.timeout(answerTimeout) });
    this.id = UploadId;
  }

  /** Sends all parts, one after another. While one is sent, the checksum of the next is computed. */
  async send(bytes: ReadableBytes): Promise<CompletedPart[]> {
    const size = Math.max(this.#settings.partSize, Math.ceil(bytes.length / MAX_PARTS));
    const createPart = (start: number): Promise<Payload> =>
      createPayload(bytes, start, Math.min(start + size, bytes.length));
    const parts: CompletedPart[] = [];
    let next = createPart(0);
    for (let start = 0; start < bytes.length; start += size) {
      const payload = await next;
      if (start + size < bytes.length) next = createPart(start + size);
      // Awaited by the next turn, unless sending this part fails first.
      next.catch(() => undefined);
      parts.push(await this.#sendPart(parts.length + 1, payload));
    }
    return parts;
  }

  async #sendPart(number: number, payload: Payload): Promise<CompletedPart> {
    const command = new UploadPartCommand({ ...this.#location, UploadId: this.id, PartNumber: number });
    const request = new S3Request({ payload, signal: this.#signal });
    try {
      const { ETag } = await request.send(this.#settings.client, command);
      return { ETag, PartNumber: number, ChecksumSHA256: payload.sha256.toString('base64') };
    } catch (error) {
      this.#partAborted = true;
      throw error;
    }
  }

  /** Creates the upload and aborts it, which shows what the credentials may do. Leaves nothing, and rejects if it does. */
  async probe(object: S3ObjectFields): Promise<void> {
    await this.create({ ...object, ContentType: 'image/png' });
    await this.#sendAbort();
  }

  async #sendAbort(): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#location, UploadId: this.id });
    await this.#settings.client.send(command, { abortSignal: AbortSignal.timeout(FOLLOW_UP_TIMEOUT_MS) });
  }

  /** Removes all parts. If the store refuses or is unreachable, the request is repeated later. Never rejects. */
  async abort(): Promise<void> {
    this.#aborts += 1;
    try {
      await this.#sendAbort();
      // A part in transit can arrive after this. (Amazon S3 API Reference, AbortMultipartUpload.)
      if (!this.#partAborted || this.#aborts > 1) return;
    } catch (error) {
      if (getErrorName(error) === 'NoSuchUpload' || this.#aborts === MAX_ABORT_ATTEMPTS) return;
    }
    setTimeout(() => void this.abort(), ABORT_RETRY_DELAY_MS * 2 ** (this.#aborts - 1)).unref();
  }
}
