// An upload in parts, which becomes visible when it is completed.
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import type { ReadableBytes } from '../../bytes/image-bytes.js';
import { readError } from './s3-bucket.js';
import type { S3Object, S3Settings } from './s3-options.js';
import { createPayload, S3Request, sendsChecksums, type Payload } from './s3-request.js';

/** (Amazon S3 User Guide, "Amazon S3 multipart upload limits".) */
const MAX_PARTS = 10_000;

/** How long one request after the save may delay the reply: a HEAD of the object, an abort. */
export const FOLLOW_UP_TIMEOUT_MS = 2000;

/** How long to wait before an abort is repeated. Doubled each time. */
const ABORT_RETRY_DELAY_MS = 1000;
const MAX_ABORT_ATTEMPTS = 12;

export class MultipartUpload {
  private allSent = false;

  /** @param input That of all its requests. */
  private constructor(
    private readonly settings: S3Settings,
    readonly input: S3Object & { readonly UploadId: string | undefined },
    private readonly hasChecksums: boolean,
  ) {}

  /** No signal aborts this request: the upload would stay, and its id would be lost. */
  static async create(settings: S3Settings, object: S3Object): Promise<MultipartUpload> {
    const { client, answerTimeout } = settings;
    const hasChecksums = await sendsChecksums(client);
    const input = { ...object, ...(hasChecksums && { ChecksumAlgorithm: 'SHA256' as const }) };
    const abortSignal = AbortSignal.timeout(answerTimeout);
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(input), { abortSignal });
    return new MultipartUpload(settings, { ...object, UploadId }, hasChecksums);
  }

  /** Sends all parts, one after another. While one is sent, the checksum of the next is computed. */
  async sendParts(bytes: ReadableBytes, signal: AbortSignal): Promise<CompletedPart[]> {
    const size = Math.max(this.settings.partSize, Math.ceil(bytes.length / MAX_PARTS));
    const createPart = (start: number): Promise<Payload> =>
      createPayload(bytes, start, Math.min(start + size, bytes.length));
    const parts: CompletedPart[] = [];
    let next = createPart(0);
    for (let start = 0; start < bytes.length; start += size) {
      const payload = await next;
      if (start + size < bytes.length) next = createPart(start + size);
      // Awaited by the next turn, unless sending this part fails first.
      next.catch(() => undefined);
      const PartNumber = parts.length + 1;
      const command = new UploadPartCommand({ ...this.input, PartNumber });
      const { ETag } = await new S3Request(this.settings, signal, payload).send(command);
      const checksum = this.hasChecksums && { ChecksumSHA256: payload.sha256.toString('base64') };
      parts.push({ ETag, PartNumber, ...checksum });
    }
    this.allSent = true;
    return parts;
  }

  /** Removes all parts. */
  async abort(): Promise<void> {
    const abortSignal = AbortSignal.timeout(FOLLOW_UP_TIMEOUT_MS);
    await this.settings.client.send(new AbortMultipartUploadCommand(this.input), { abortSignal });
  }

  /**
   * Removes all parts, later if the store refuses or is unreachable now. Never rejects. A part in transit may arrive
   * after the first abort, so that it takes a second one. (Amazon S3 API Reference, AbortMultipartUpload.)
   */
  async remove(attempt = 1): Promise<void> {
    try {
      await this.abort();
      if (this.allSent || attempt > 1) return;
    } catch (error) {
      if (readError(error).name === 'NoSuchUpload' || attempt === MAX_ABORT_ATTEMPTS) return;
    }
    const delay = ABORT_RETRY_DELAY_MS * 2 ** (attempt - 1);
    setTimeout(() => void this.remove(attempt + 1), delay).unref();
  }
}
