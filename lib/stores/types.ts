// The store interface: what the middleware needs from a folder, a bucket or any other place for images.
import type { ReadableBytes, TempFile } from '../bytes/image-bytes.js';
import type { ImageInfo } from '../image/types.js';

/**
 * Decides whether a name can be saved to, and publishes one whole image under it in a single step. The middleware checks
 * names, inspects images and replies to commands.
 *
 * @typeParam HostRequest What a store that differs per tenant reads: Node's request, or one of the Fetch API.
 */
export interface ImageStore<HostRequest = unknown> {
  /**
   * Prepares a save before the image is rendered. Refuse a name here if a cheap check shows that it cannot be saved.
   *
   * @param name A checked name: relative, with `/` between its segments. No segment is empty, `.` or `..`, or starts
   * with a dot.
   * @throws SaveError The name cannot be saved to. Any other error is reported as `internal-error`.
   */
  prepare(name: string, options: PrepareOptions<HostRequest>): Promise<SaveTarget>;

  /**
   * Checks that images can be saved, for a readiness probe: tries what a save needs, and leaves nothing behind.
   *
   * @param req The request that the operator gave to `check()`, if any.
   * @param options How saves will be published. The middleware always gives them.
   * @throws SaveError No image can be saved now. Any other error is reported as `internal-error`.
   */
  check?(req?: HostRequest, options?: CheckOptions): Promise<void>;
}

/** How images are published. */
export interface CheckOptions {
  /** `true`: replace an image of that name. `false`: refuse with `file-exists`. */
  readonly overwrite: boolean;
  /** Whether a published image must survive a power cut. */
  readonly durable: boolean;
}

export interface PrepareOptions<HostRequest = unknown> extends CheckOptions {
  /** The client's request with the save command; undefined from code. */
  readonly req: HostRequest;
  /** Whether to create the folders of the name that are missing, in a store that has folders. */
  readonly createFolders?: boolean;
  /** Aborts when the save ends early: deadline, disconnected client, refused image. Its reason is a `SaveError`. */
  readonly signal: AbortSignal;
}

/** The target of one save. */
export interface SaveTarget {
  /**
   * The file that collects an image too large for memory. Without one, the middleware uses a private file in the
   * system's temporary folder.
   */
  readonly tempFile?: TempFile;

  /**
   * Publishes an image in a single step: at any moment, readers see the old image or the new one, whole.
   *
   * @throws SaveError The old image is untouched. Any other error is reported as `internal-error`.
   */
  publish(image: InspectedImage, options: PublishOptions): Promise<PublishResult>;

  /**
   * Called once when the save has ended, done or not, and no other call is running. That may be after the reply.
   * A rejection becomes a process warning.
   */
  close?(): Promise<void>;
}

export interface PublishOptions {
  /**
   * The point of no return, to be called right before the step that publishes. It throws if the save is no longer
   * wanted: then nothing may change, nothing may stay behind, and `publish` rejects with that error. After it has
   * returned, nothing stops the save, and `publish` must report the real outcome. More calls do no harm.
   */
  readonly commit: () => void;
  /**
   * Takes {@link commit} back, for a store that tries its last step again: the step has failed, and nothing has
   * changed. The deadline and a disconnected client end the save again, until the next `commit`, which throws if they
   * have. The middleware always gives this function.
   */
  readonly rollback?: () => void;
}

/** An image that passed inspection. */
export interface InspectedImage extends ImageInfo {
  readonly bytes: ReadableBytes;
}

export interface PublishResult {
  /** When the image was published, by the store's own clock: whole milliseconds since 1970. */
  readonly lastUpdated: number;
  /** An error that happened after the image was published, for the operator. */
  readonly warning?: unknown;
}
