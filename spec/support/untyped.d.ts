// Types for packages that have none.
declare module 'on-headers' {
  import type { ServerResponse } from 'node:http';
  export default function onHeaders(res: ServerResponse, listener: (this: ServerResponse) => void): void;
}

// Express 4 beside Express 5: the specs use only the common part.
declare module 'express4' {
  export { default } from 'express';
}
