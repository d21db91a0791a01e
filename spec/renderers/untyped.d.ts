// Types of what brings none of its own.
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
