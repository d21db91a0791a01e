// What lib/save-of.ts tells a renderer of the save that it renders for.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type * as SaveOf from '../../../lib/save/save-context.js';
import { saveOf, attachSave, type Save } from '../../../lib/save/save-context.js';

const response = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));
const save: Save = { name: 'a.png', signal: new AbortController().signal, refuse: () => undefined };

it('is nothing on an ordinary request', () => {
  expect(saveOf(response())).toBeUndefined();
});

it('is the save that the response is held for, and no other response’s', () => {
  const res = response();
  attachSave(res, save);
  expect(saveOf(res)).toBe(save);
  expect(saveOf(response())).toBeUndefined();
});

it('is found by the other copies of this package in the process', () => {
  const res = response();
  attachSave(res, save);
  jest.isolateModules(() => {
    const copy = jest.requireActual<typeof SaveOf>('../../../lib/save/save-context.js');
    expect(copy.saveOf).not.toBe(saveOf);
    expect(copy.saveOf(res)).toBe(save);
    const other = response();
    copy.attachSave(other, save);
    expect(saveOf(other)).toBe(save);
  });
});

it('is not in the way of whoever lists or copies a response’s properties', () => {
  const res = response();
  const before = Reflect.ownKeys(Object.assign({}, res));
  attachSave(res, save);
  expect(Reflect.ownKeys(Object.assign({}, res))).toEqual(before);
});

it('is found by way of an object that stands before the response', () => {
  const res = response();
  attachSave(res, save);
  expect(saveOf(Object.create(res) as ServerResponse)).toBe(save);
});

it('is the latest where one response is held twice', () => {
  const res = response();
  attachSave(res, save);
  attachSave(res, { ...save, name: 'b.png' });
  expect(saveOf(res)?.name).toBe('b.png');
});
