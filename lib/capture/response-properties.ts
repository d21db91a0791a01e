// Every property of a response that a save changes, with its behaviour in each phase. Look here first to find out
// what `res.<name>` does.
import { ServerResponse } from 'node:http';
import { EMITTER_METHODS } from './listener-set.js';
import {
  bodyMethod,
  bodyProperty,
  bodyPropertyNamed,
  headMethod,
  headProperty,
  method,
  type Override,
} from './property-overrides.js';
import {
  assignSocketAfterReply,
  assignSocketWhileCaptured,
  callLastArgument,
  emitAfterReply,
  emitWhileCaptured,
  falseOutsideEvents,
  finishedWhileCaptured,
  flushHeaders,
  getHeader,
  replyValue,
  send,
  sentHeader,
  setTimeoutAfterReply,
  socketAfterReply,
  socketWhileCaptured,
  writeHead,
} from './response-behaviour.js';

interface PropertyRule {
  readonly name: string;
  /**
   * An override replaces the property. `inherited` removes an own property, so that the prototype's applies.
   * `untouched` leaves the property to the renderer. `restore()` undoes all three.
   */
  readonly whileCaptured: Override | 'inherited' | 'untouched';
  /**
   * An override replaces the property. `as-captured` installs the first override again, so that late changes reach
   * the rendered response, which has ended. `restored` leaves the property as it was before the capture.
   */
  readonly afterReply: Override | 'as-captured' | 'restored';
}

/** Interim responses are not the image, so they are dropped. Their callbacks are called. */
const INFORMATIONAL = ['writeContinue', 'writeProcessing', 'writeEarlyHints', 'writeInformation'];

const RULES: readonly PropertyRule[] = [
  // Status and headers.
  ...rules(['statusCode', 'statusMessage'], headProperty, replyValue),
  ...rules(['_header'], sentHeader, 'restored'),
  ...rules(['headersSent'], 'inherited', 'restored'),
  ...rules(['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'], headMethod, 'as-captured'),
  ...rules(['addTrailers'], headMethod, 'as-captured'),
  ...rules(['getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader'], headMethod, 'restored'),
  ...rules(['getHeader'], method(getHeader), 'restored'),
  ...rules(['writeHead', 'writeHeader'], method(writeHead), 'as-captured'),
  ...rules(['flushHeaders'], method(flushHeaders), 'as-captured'),
  ...rules(INFORMATIONAL, method(callLastArgument), 'as-captured'),
  // Framing: fields that Node reads when it sends.
  ...rules(['sendDate', 'strictContentLength', 'shouldKeepAlive'], 'untouched', 'restored'),
  ...rules(['chunkedEncoding', 'useChunkedEncodingByDefault'], 'untouched', 'restored'),
  // The body and its state. Node's getters `writableEnded` and `closed` read `finished` and `_closed`.
  ...rules(['write', 'end', 'destroy', 'cork', 'uncork'], bodyMethod, 'as-captured'),
  ...rules(['destroyed', 'writableFinished'], bodyProperty, falseOutsideEvents),
  ...rules(['finished'], finishedWhileCaptured, 'restored'),
  // Node's own `write` and `end` get here when middleware calls them past the overrides, as some loggers do.
  ...rules(['_send'], method(send), 'restored'),
  ...rules(['_closed'], bodyPropertyNamed('closed'), falseOutsideEvents),
  ...rules(['writableEnded', 'closed'], 'inherited', falseOutsideEvents),
  ...rules(['errored', 'writableLength', 'writableHighWaterMark'], bodyProperty, 'restored'),
  ...rules(['writableNeedDrain', 'writableCorked'], bodyProperty, 'restored'),
  // The connection.
  ...rules(['socket', 'connection'], socketWhileCaptured, socketAfterReply),
  ...rules(['assignSocket'], method(assignSocketWhileCaptured), method(assignSocketAfterReply)),
  ...rules(['setTimeout'], 'inherited', method(setTimeoutAfterReply)),
  // Events.
  ...rules(['emit'], method(emitWhileCaptured), method(emitAfterReply)),
  ...rules(
    EMITTER_METHODS.filter((name) => name !== 'emit'),
    'inherited',
    'restored',
  ),
];

function rules(
  names: readonly string[],
  whileCaptured: PropertyRule['whileCaptured'],
  afterReply: PropertyRule['afterReply'],
): PropertyRule[] {
  return names.map((name) => ({ name, whileCaptured, afterReply }));
}

interface Overrides {
  readonly accessors: Readonly<PropertyDescriptorMap>;
  readonly methods: Readonly<Record<string, unknown>>;
}

const captured = selectOverrides((rule) => rule.whileCaptured);
const closed = selectOverrides((rule) =>
  rule.afterReply === 'as-captured' ? rule.whileCaptured : rule.afterReply,
);

/** The overrides of one phase, without the methods that this version of Node does not have. */
function selectOverrides(choose: (rule: PropertyRule) => Override | string): Overrides {
  const accessors: PropertyDescriptorMap = {};
  const methods: Record<string, unknown> = {};
  for (const rule of RULES) {
    const override = choose(rule);
    if (typeof override === 'string') continue;
    const descriptor = override(rule.name);
    if (descriptor.get !== undefined) accessors[rule.name] = descriptor;
    else if (rule.name in ServerResponse.prototype) methods[rule.name] = descriptor.value;
  }
  return { accessors, methods };
}

const OVERRIDDEN = new Set(RULES.map(({ name }) => name));
/** Own properties that are deleted first, so that the override, or the prototype's property, applies. */
const SHADOWING = new Set(
  RULES.filter(
    ({ name, whileCaptured }) => whileCaptured !== 'untouched' && !(name in captured.accessors),
  ).map(({ name }) => name),
);
// prettier-ignore
const NEEDED_FOR_REPLY = new Set(['removeHeader', 'setHeader', 'writeHead', 'end', 'headersSent', 'statusCode', 'statusMessage']);

/** Own property descriptors by name. A missing name means: inherited. */
export type OwnProperties = Map<string, PropertyDescriptor>;

/**
 * Installs the overrides of the captured phase.
 *
 * @returns The own properties that the overrides replace.
 * @throws Error Earlier middleware has made one of them read-only. The response is then untouched.
 */
export function overrideWhileCaptured(res: ServerResponse): OwnProperties {
  const own: OwnProperties = new Map();
  for (const name of Object.getOwnPropertyNames(res)) {
    const descriptor = OVERRIDDEN.has(name) ? Object.getOwnPropertyDescriptor(res, name) : undefined;
    if (descriptor === undefined) continue;
    if (descriptor.configurable === false && (name in captured.accessors || name in captured.methods)) {
      throw new Error(`A middleware before imageSave has made "${name}" of the response unchangeable`);
    }
    own.set(name, descriptor);
  }
  for (const name of own.keys()) if (SHADOWING.has(name)) Reflect.deleteProperty(res, name);
  // This order, with the methods by assignment, is the fastest way to add so many properties.
  Object.defineProperties(res, captured.accessors);
  for (const name in captured.methods) assignMethod(res, name, captured.methods[name]);
  return own;
}

/**
 * Restores every property.
 *
 * @throws Error Later middleware has made one read-only that the reply needs.
 */
export function restoreProperties(res: ServerResponse, own: OwnProperties): void {
  const unchangeable: string[] = [];
  for (const name of OVERRIDDEN) {
    const descriptor = own.get(name);
    const restored =
      descriptor === undefined
        ? Reflect.deleteProperty(res, name)
        : Reflect.defineProperty(res, name, descriptor);
    if (!restored && NEEDED_FOR_REPLY.has(name)) unchangeable.push(name);
  }
  if (unchangeable.length === 0) return;
  throw new Error(
    `A middleware after imageSave has made "${unchangeable.join('", "')}" of the response unchangeable`,
  );
}

/**
 * Closes a response that carries the reply.
 *
 * @returns The own properties that the accessors replace.
 */
export function overrideAfterReply(res: ServerResponse): OwnProperties {
  const own: OwnProperties = new Map();
  for (const [name, accessor] of Object.entries(closed.accessors)) {
    const descriptor = Object.getOwnPropertyDescriptor(res, name);
    if (descriptor !== undefined) own.set(name, descriptor);
    Reflect.defineProperty(res, name, accessor);
  }
  for (const name in closed.methods) {
    if (Object.hasOwn(res, name)) Reflect.deleteProperty(res, name);
    assignMethod(res, name, closed.methods[name]);
  }
  return own;
}

/** Does nothing if middleware has made the property read-only. */
function assignMethod(res: ServerResponse, name: string, value: unknown): void {
  try {
    (res as unknown as Record<string, unknown>)[name] = value;
  } catch {
    // `restoreProperties` reports it if the reply needs the property.
  }
}
