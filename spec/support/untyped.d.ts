// Types for packages that have none.
declare module 'on-headers' {
  import type { ServerResponse } from 'node:http';
  export default function onHeaders(res: ServerResponse, listener: (this: ServerResponse) => void): void;
}

// Express 4 beside Express 5: the specs use only the common part.
declare module 'express4' {
  export { default } from 'express';
}

declare module 'polka' {
  import type { IncomingMessage, ServerResponse } from 'node:http';
  type Handler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => unknown;
  interface Polka {
    use(...handlers: Handler[]): this;
    get(path: string, ...handlers: Handler[]): this;
    readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  }
  export default function polka(): Polka;
}
