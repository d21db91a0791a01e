// Every reason why a save is refused or fails: code, message for the client, and whether a retry helps.

/** Details that a message can mention. Each message also reads well without them. */
export interface ErrorDetails {
  /** A parameter of the query, without `=`. */
  readonly parameter?: string;
  /** Where it is not the value of {@link parameter}. */
  readonly urlPart?: string;
  /** The rule that a name breaks, as half a sentence. */
  readonly rule?: string;
  /** Of a name, with its dot. */
  readonly extension?: string;
  /** As in "a JPEG". */
  readonly namedFormat?: string;
  readonly imageFormat?: string;
  /** As the client wrote it. */
  readonly folder?: string;
  readonly maxFolders?: number;
  /** Of the rendered response. */
  readonly status?: number;
  /** Why the renderer does not want its image saved. */
  readonly reason?: string;
  readonly maxPixels?: number;
  /** Of different sizes. */
  readonly maxPages?: number;
  readonly compression?: string;
  readonly maxBytes?: number;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Seconds after which a retry may succeed. */
  readonly retryAfter?: number | undefined;
}

/** Tells the client what to do, and nothing of the server's inside. */
type Message = string | ((details: ErrorDetails) => string);

/** A message, or one that says that the same command may succeed later without any change by client or operator. */
export type ErrorEntry = Message | { readonly retry: Message };

const TRY_AGAIN_OR_TELL = 'Try again; if it fails again, tell the operator of this server.';

// docs/errors.md lists the codes in this order, with causes and remedies.
export const ERRORS = {
  // The command
  'method-not-allowed': 'Send the save command by GET or POST.',
  'cross-site': 'Send the save command from a page of the same site, or not from a browser.',
  'repeated-command': ({ parameter = 'each parameter' }) =>
    `Write ${parameter}= only once, so that its value is certain.`,
  'bad-escape': ({
    parameter,
    urlPart = parameter === undefined ? 'each value' : `the value of ${parameter}=`,
  }) => `Encode ${urlPart} as UTF-8 with %XX; a plain % is %25.`,
  'unknown-req-option': 'Write req=saveToFile or req=saveToFile,text: the reply has no other form.',
  'name-missing': 'Say where to save the image, as in name=shoe.jpg.',
  'name-invalid': ({ rule }) =>
    rule === undefined ? 'Choose another name.' : `Choose another name: ${rule}.`,
  'unknown-extension': ({ extension }) =>
    'End the name in the extension of an image, as in shoe.jpg, or use no extension' +
    (extension === undefined ? '.' : `: "${extension}" belongs to no format that can be saved.`),
  'timeout-invalid': 'Give timeout= in whole milliseconds, 1 or more, as in timeout=5000.',
  'not-authorized': 'Not authorised to save under this name. Use the rights that this server asks for.',
  // Admission
  'too-busy': {
    retry: ({ retryAfter }) =>
      'The server is saving as much as it can. Try again' +
      (retryAfter === undefined ? ' later.' : ` in ${retryAfter} s.`),
  },
  // The target
  'saving-disabled': 'This server saves no images. Its operator can set a save folder.',
  'save-path-missing': 'The save folder of this server does not exist. Tell its operator.',
  'folder-missing': ({ folder, maxFolders }) =>
    (maxFolders === undefined
      ? 'Name a folder that exists, because saving creates none'
      : `Name a folder that exists, or at most ${maxFolders} in a row that can be created`) +
    (folder === undefined ? '.' : `: there is no folder "${folder}".`),
  'outside-save-path': 'Name a folder that is really inside the save folder.',
  'not-writable': 'The server may not write there. Save to another folder, or have it made writable.',
  'not-a-file': 'Choose another name: something that is not a file has this one.',
  'file-exists': 'Choose another name: a file has this one, and existing files are kept.',
  'folder-changed': { retry: 'The folder was moved or removed during the save. Try again.' },
  // The renderer
  'renderer-failed': 'The server could not make the image. Check what was asked for.',
  'renderer-status': ({ status }) => describeStatus(status),
  'renderer-aborted': { retry: 'The image ended before its last byte. Try again.' },
  'renderer-refused': ({ reason }) =>
    `Ask for another image: the server does not want this one saved${reason === undefined ? '' : `: ${reason}`}.`,
  'length-mismatch': { retry: 'The image arrived shorter or longer than announced. Try again.' },
  'unknown-encoding':
    'The image arrived in an encoding that cannot be undone. Tell the operator of this server.',
  'broken-encoding': { retry: 'The image arrived damaged. Try again.' },
  // The image
  'not-an-image':
    'The rendered response is no image that can be saved. Ask for a JPEG, PNG, WebP, GIF, TIFF or AVIF image.',
  'wrong-extension': ({
    extension = 'the extension of the image',
    namedFormat = 'that format',
    imageFormat = 'of another',
  }) => `End the name in ${extension}, or ask for ${namedFormat}: the image is ${imageFormat}.`,
  'broken-image':
    'The image is damaged or cannot be decoded. Ask for another, or tell the operator of this server.',
  'incomplete-image': { retry: 'The image ends before its last pixel. Try again.' },
  'unsupported-compression': ({ compression }) =>
    `This server cannot decode this kind of image${compression === undefined ? '' : ` (${compression})`}. ` +
    'Ask for another format, or for a TIFF of LZW, Deflate or JPEG.',
  'too-many-pixels': ({ maxPixels, maxPages }) => {
    if (maxPages !== undefined) return `Ask for fewer pages: no more than ${maxPages} may differ in size.`;
    return maxPixels === undefined
      ? 'Ask for a smaller image: this one has too many pixels, all pages together.'
      : `Ask for a smaller image: no more than ${maxPixels} pixels are saved, all pages together.`;
  },
  'too-many-bytes': ({ maxBytes }) =>
    'Ask for a smaller image: ' +
    (maxBytes === undefined ? 'this one has too many bytes.' : `no more than ${maxBytes} bytes are saved.`),
  // Publishing
  'disk-full': { retry: 'The server has no room for the image. Try again when it has more.' },
  'too-many-open-files': { retry: 'The server is saving too much at once. Try again.' },
  'out-of-resources': {
    retry: 'The server has too little memory or too few threads for the image now. Try again.',
  },
  'file-in-use': { retry: 'Another program is using the file of this name. Try again.' },
  'no-hard-links': 'The save folder cannot promise to keep existing files. Tell the operator of this server.',
  'no-temp-folder':
    'The server has no folder for a large image on its way. Tell the operator of this server.',
  'write-failed': { retry: `The server could not write the image. ${TRY_AGAIN_OR_TELL}` },
  // The store
  'store-missing': 'The store of images does not exist. Tell the operator of this server.',
  'store-denied': 'The store does not let this server save there. Save elsewhere, or tell its operator.',
  'store-unavailable': {
    retry: 'The store of images cannot be reached or is out of order. Nothing was changed: try again.',
  },
  'store-no-response': {
    retry: 'The store has not confirmed the image. Check whether it was saved, or try again.',
  },
  // Time
  timeout: {
    retry: ({ timeout }) =>
      `The image was not saved ${timeout === undefined ? 'in time' : `within ${timeout} ms`}. ` +
      'Try again, or allow more with timeout=.',
  },
  'client-disconnected': 'The client disconnected before the image was published.',
  // The middleware
  'internal-error': 'The server failed to save the image. Tell its operator.',
} as const satisfies Record<string, ErrorEntry>;

/** Statuses with which a renderer, or a proxy before it, asks to come again. (RFC 9110, 15; RFC 6585, 4; RFC 8470.) */
const RETRYABLE_STATUSES = new Set([408, 425, 429, 502, 503, 504]);

/** Whether a renderer that replied with this status may make the image later. */
export function isRetryableStatus(status: number | undefined): boolean {
  return status !== undefined && RETRYABLE_STATUSES.has(status);
}

function describeStatus(status: number | undefined): string {
  if (isRetryableStatus(status))
    return `The server cannot make the image now: it replied with status ${status}. Try again later.`;
  if (status === undefined) return 'The server did not reply with an image. Check what was asked for.';
  return status >= 500
    ? `The server could not make the image: it replied with status ${status}. If this happens again, tell the server's operator.`
    : `Check what was asked for: the server replied with status ${status}, not 200.`;
}
