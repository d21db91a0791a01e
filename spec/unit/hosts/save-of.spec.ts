// saveOf: the save that a renderer renders for.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type * as SaveOf from '../../../lib/hosts/save-of.js';
import { saveOf, attachSave } from '../../../lib/hosts/save-of.js';
import type { Save } from '../../../lib/save/exchange.js';

const response = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));
const save: Save = { name: 'a.png', signal: new AbortController().signal, refuse: () => undefined };

it('belongs to the captured response alone, and is undefined on others', () => {
  const res = response();
  attachSave(res, save);
  expect(saveOf(res)).toBe(save);
  expect(saveOf(response())).toBeUndefined();
});

it('is found by the other copies of this package in the process', () => {
  const res = response();
  attachSave(res, save);
  jest.isolateModules(() => {
    const copy = jest.requireActual<typeof SaveOf>('../../../lib/hosts/save-of.js');
    expect(copy.saveOf).not.toBe(saveOf);
    expect(copy.saveOf(res)).toBe(save);
    const other = response();
    copy.attachSave(other, save);
    expect(saveOf(other)).toBe(save);
  });
});

it('is hidden from code that lists or copies the response’s properties', () => {
  const res = response();
  const before = Reflect.ownKeys(Object.assign({}, res));
  attachSave(res, save);
  expect(Reflect.ownKeys(Object.assign({}, res))).toEqual(before);
});

it('is found through an object whose prototype is the response, and is the latest of two', () => {
  const res = response();
  attachSave(res, save);
  expect(saveOf(Object.create(res) as ServerResponse)).toBe(save);
  attachSave(res, { ...save, name: 'b.png' });
  expect(saveOf(res)?.name).toBe('b.png');
});
