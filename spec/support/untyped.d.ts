// Types of what brings none of its own.
declare module 'on-headers' {
  import type { ServerResponse } from 'node:http';
  export default function onHeaders(res: ServerResponse, listener: (this: ServerResponse) => void): void;
}

// Express 4 beside Express 5: what is used of it here is the same.
declare module 'express4' {
  export { default } from 'express';
}
