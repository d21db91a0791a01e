// Builds the properties that replace those of a captured response. All captured responses share them: each property
// finds its own capture by `this`.
import type { ServerResponse } from 'node:http';
import type { ResponseCapture } from './response-capture.js';

/** The key under which a captured response stores its {@link ResponseCapture}. */
export const kCapture = Symbol('ResponseCapture');

export interface CapturedResponse extends ServerResponse {
  [kCapture]: ResponseCapture;
}

export type Method = (this: CapturedResponse, ...args: never[]) => unknown;

/** The method that the host, or Node, gives to every response: without wrappers by middleware. */
export function inheritedMethod(res: ServerResponse, name: string): (...args: never[]) => unknown {
  return Reflect.get(Object.getPrototypeOf(res) as object, name) as (...args: never[]) => unknown;
}

/** One descriptor for each name. */
export type Override = (name: string) => PropertyDescriptor;

/** Reads and sets a property through its capture. Without `set`, setting the property has no effect. */
export function accessor(
  get: (capture: ResponseCapture, name: string) => unknown,
  set: (capture: ResponseCapture, name: string, value: unknown) => void = () => undefined,
): Override {
  return (name) => ({
    configurable: true,
    get(this: CapturedResponse): unknown {
      return get(this[kCapture], name);
    },
    set(this: CapturedResponse, value: unknown) {
      set(this[kCapture], name, value);
    },
  });
}

export function method(value: Method): Override {
  return () => ({ value });
}

/** The property of the head or the body, under the same name unless another is given. */
function delegateProperty(part: 'detachedResponse' | 'body', source?: string): Override {
  return accessor(
    (capture, name) => Reflect.get(capture[part], source ?? name) as unknown,
    (capture, name, value) => {
      Reflect.set(capture[part], source ?? name, value);
    },
  );
}

/** The method of the head or the body. Where that returns its own object, the response is returned. */
function delegateMethod(part: 'detachedResponse' | 'body'): Override {
  return (name) => ({
    value: function (...args: unknown[]) {
      const { res, [part]: target } = this[kCapture];
      const delegate = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      const result = Reflect.apply(delegate, target, args);
      return result === target ? res : result;
    } satisfies Method,
  });
}

export const headProperty = delegateProperty('detachedResponse');
export const bodyProperty = delegateProperty('body');
export const bodyPropertyNamed = (source: string): Override => delegateProperty('body', source);
export const headMethod = delegateMethod('detachedResponse');
export const bodyMethod = delegateMethod('body');
