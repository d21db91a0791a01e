import { Template } from '../../../../lib/batch/jobs/template.js';

it('fills its places', () => {
  const template = new Template('/{picture}?wid={wid}&again={picture}');
  expect(template.names).toEqual(['picture', 'wid', 'picture']);
  expect(template.fill((name) => name.toUpperCase())).toBe('/PICTURE?wid=WID&again=PICTURE');
});

it('leaves brackets that are no places as they are', () => {
  const text = '/x?src={cat/y?wid=3}&a={}&b={ c }';
  expect(new Template(text).names).toEqual([]);
  expect(new Template(text).fill(() => '!')).toBe(text);
});

it('puts a value in as it is, whatever it holds', () => {
  expect(new Template('{a}{b}').fill((name) => (name === 'a' ? '{b}$&' : '2'))).toBe('{b}$&2');
});

it('names a place that is not known', () => {
  const check = (): void => {
    new Template('{a}{c}').check('--name', ['a', 'b'], (place) => `Give ${place}.`);
  };
  expect(check).toThrow('--name has the place {c}. Give c.');
});

it('takes the name of a column for a place, whatever it looks like', () => {
  expect(new Template('/{Artikel Nr.}{x y}', ['Artikel Nr.']).fill(() => '!')).toBe('/!{x y}');
});
