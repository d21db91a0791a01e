// Thrown values that are hard to inspect.
import { inspect } from 'node:util';

/** Values that throw when they are inspected, each with a name for the title of a test. */
export function hostileErrors(): [string, unknown][] {
  const fail = (): never => {
    throw new Error('It must not be looked at');
  };
  const traps = { get: fail, has: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail, ownKeys: fail };
  return [
    [
      'an error with getters that throw',
      Object.defineProperties(new Error(), {
        code: { get: fail },
        stack: { get: fail },
        message: { get: fail },
      }),
    ],
    ['an error that cannot be inspected', Object.assign(new Error('x'), { [inspect.custom]: fail })],
    ['a proxy that throws', new Proxy(new Error('x'), traps)],
    ['an object without a prototype', Object.create(null)],
    ['nothing', undefined],
    ['null', null],
    ['a symbol', Symbol('x')],
  ];
}
