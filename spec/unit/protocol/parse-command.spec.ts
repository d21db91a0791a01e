// Parsing a URL: ordinary requests, the save command, and the URL for the renderer.
import { hasSaveCommand, parseCommand, type SaveCommand } from '../../../lib/protocol/parse-command.js';
import { decode, parseQuery } from '../../../lib/protocol/query.js';
import { codeOf, refusalOf } from '../../support/refusal.js';

const SAVE = 'req=saveToFile';

function parse(url: string): SaveCommand {
  if (!hasSaveCommand(url)) throw new Error(`No command was found in ${url}`);
  return parseCommand(url);
}

const nameIn = (query: string): string => parse(`/shoe?${query}`).name;

/** The escapes of a character, both cases of its hexadecimal digits. */
function escapesOf(character: string): string[] {
  const hex = character.charCodeAt(0).toString(16);
  return [`%${hex.toLowerCase()}`, `%${hex.toUpperCase()}`];
}

/** All the ways to write one letter in a URL. */
function spellingsOf(letter: string): string[] {
  const cases = [letter.toLowerCase(), letter.toUpperCase()];
  return [...cases, ...cases.flatMap(escapesOf)];
}

/** The text with each letter in each spelling, and with all letters in the same spelling. */
function variantsOf(text: string): string[] {
  const letters = Array.from(text);
  const one = letters.flatMap((letter, at) =>
    spellingsOf(letter).map((spelling) => letters.with(at, spelling).join('')),
  );
  const ways = spellingsOf('a').length;
  const all = Array.from({ length: ways }, (_, way) =>
    letters.map((letter) => spellingsOf(letter)[way] ?? letter).join(''),
  );
  return [...one, ...all];
}

describe('a command', () => {
  it('is found in every spelling of its letters', () => {
    for (const value of variantsOf('saveToFile')) {
      for (const name of ['req', 'REQ', 'r%65q', '%72%45%71']) {
        expect(parse(`/shoe?wid=8&${name}=${value}&name=a.png`).name).toBe('a.png');
      }
    }
  });

  it('is found by the quick test in every query where the parser finds one', () => {
    const pieces = 'req=saveToFile name=a.png REQ=save%54ofile,text ( ) & ? = % $'.split(' ');
    // All the queries of up to four of these pieces.
    let queries = [''];
    for (let length = 0; length < 4; length++) {
      queries = queries.flatMap((query) => pieces.map((piece) => query + piece));
      for (const query of queries) {
        const isCommand = parseQuery(query).some(
          ({ name, rawValue }) =>
            name === 'req' && /^savetofile(?:,|$)/i.test(decode(rawValue.split(',', 1)[0] ?? '') ?? ''),
        );
        if (isCommand !== hasSaveCommand(`/shoe?${query}`)) throw new Error(`${query} was missed`);
      }
    }
  });
});

test.each([
  ['has no query', '/shoe'],
  ['has an empty query', '/shoe?'],
  ['asks for something else', '/shoe?req=img&name=a.png'],
  ['asks for something else first', '/shoe?req=img,saveToFile&name=a.png'],
  ['has the command in its path only', '/req=saveToFile&name=a.png'],
  ['has it in the name of a command', '/shoe?req=saveToFile2&name=a.png'],
  ['has it encoded twice', '/shoe?req=save%2554oFile&name=a.png'],
  ['has it as the value of something else', '/shoe?src=saveToFile&name=a.png'],
  ['has it in a comment', '/shoe?wid=8&.req=saveToFile&name=a.png'],
  ['has it behind an encoded equals sign', '/shoe?req%3DsaveToFile=&name=a.png'],
  ['has it behind an encoded ampersand', '/shoe?wid=8%26req=saveToFile&name=a.png'],
  ['has it with a space', '/shoe?req=+saveToFile&name=a.png'],
  ['has it with a malformed escape', '/shoe?req=saveToFile%4&name=a.png'],
  ['has it in a nested request', '/shoe?src=is(a?req=saveToFile&name=a.png)&wid=8'],
  ['has it in a nested request with an encoded bracket', `/shoe?src=(a?x=%29&${SAVE}&name=x)`],
  ['has it in an embedded request', '/shoe?src={a?req=saveToFile&name=a.png}&wid=8'],
  ['repeats its own commands', '/shoe?req=img&req=img&name=a&name=b&timeout=x'],
  ['has it as a name', '/shoe?saveToFile'],
  ['has a part of it', '/shoe?req=saveToFil'],
  ['has no path', ''],
])('an ordinary request is passed on if it %s', (_why, url) => {
  expect(hasSaveCommand(url)).toBe(false);
});

describe('command names', () => {
  it('are recognised in every spelling', () => {
    for (const name of variantsOf('name')) expect(nameIn(`${SAVE}&${name}=a.png`)).toBe('a.png');
    for (const timeout of variantsOf('timeout')) {
      expect(parse(`/shoe?${SAVE}&name=a&${timeout}=70`)).toEqual({
        name: 'a',
        timeout: 70,
        rendererUrl: '/shoe',
      });
    }
    for (const req of variantsOf('req')) expect(nameIn(`${req}=saveToFile&name=a.png`)).toBe('a.png');
  });

  it.each(['name%20=b', '+name=b', 'name%3D=b', '%256eame=b', 'name%=b', 'n=b', 'names=b'])(
    'that only resemble save commands stay with the renderer: %s',
    (other) => {
      expect(parse(`/shoe?${SAVE}&name=a&${other}`)).toMatchObject({
        name: 'a',
        rendererUrl: `/shoe?${other}`,
      });
    },
  );
});

test.each(['saveToFile,text', 'SAVETOFILE,TEXT', 'saveToFile%2Ctext', 'saveToFile%2ctex%74'])(
  'req=%s asks for a text reply, the only format',
  (value) => {
    expect(nameIn(`req=${value}&name=a`)).toBe('a');
  },
);

const REFUSALS: Record<string, readonly string[]> = {
  'unknown-req-option': ['xml', 'json', '', 'text,', 'text,text', ',text', '+text', '%EF%BC%8C'].map(
    (option) => `req=saveToFile,${option}&name=a`,
  ),
  'bad-escape': [
    ...['%', '%4', '%zz', 'a%2', '%C3', '%C3%28', '%FF', '%C0%AF', '%ED%A0%80', '\u00e9.png', '%u0041'].map(
      (name) => `${SAVE}&name=${name}`,
    ),
    `${SAVE}&name=a&timeout=%3`,
    'req=saveToFile,%zz&name=a',
  ],
  'name-missing': [SAVE, `${SAVE}&name`, `${SAVE}&name=`, `${SAVE}&.name=a`, `${SAVE}&x=(name=a)`],
  'timeout-invalid': [
    ...['', '0', '000', '-1', '%2B1', '+1', '1+', '1.5', '1e3', '0x10', '5s', 'Infinity', 'NaN', '1,000'].map(
      (timeout) => `${SAVE}&name=a&timeout=${timeout}`,
    ),
    `${SAVE}&name=a&timeout=%D9%A3`,
    `${SAVE}&name=a&timeout`,
    // A variable that is undefined, one whose value is another, and one that is defined later.
    `$t=70&${SAVE}&name=a&timeout=$u$`,
    `$t=$u$&$u=70&${SAVE}&name=a&timeout=$t$`,
    `${SAVE}&name=a&timeout=$t$&$t=70`,
    // The path is a number.
    `${SAVE}&name=a&timeout=$object$`,
  ],
  'repeated-command': [
    `${SAVE}&name=a&name=b`,
    `${SAVE}&name=a&name=a`,
    `${SAVE}&name=a&NAME=b`,
    `${SAVE}&name=a&n%61me=b`,
    `${SAVE}&name=a&name`,
    `${SAVE}&${SAVE}&name=a`,
    `${SAVE}&req=img&name=a`,
    `req=img&${SAVE}&name=a`,
    `${SAVE}&name=a&req`,
    `${SAVE}&name=a&timeout=5&timeout=5`,
    `${SAVE}&name=a&timeout=5&Timeout=6`,
  ],
};

describe.each(Object.entries(REFUSALS))('the code %s', (code, queries) => {
  test.each(queries)('refuses %j', async (query) => {
    expect(await codeOf(() => parseCommand(`/70?${query}`))).toBe(code);
  });
});

test.each([
  ['1', 1],
  ['5000', 5000],
  ['0005', 5],
  ['%35', 5],
  ['4294967296', 4294967296],
  ['9'.repeat(30), 1e30],
  ['9'.repeat(400), Infinity],
  ['$t$', 70, '$t=70'],
  ['$t$', 70, '$t=70', '$t=5'],
  // A variable like any other where it is defined.
  ['$object$', 70, '$object=70'],
])('timeout=%s is %d whole milliseconds', (value, timeout, ...definitions) => {
  const [before = 'x=1', after = 'y=1'] = definitions;
  expect(parse(`/shoe?${before}&${SAVE}&name=a&timeout=${value}&${after}`)).toEqual({
    name: 'a',
    timeout,
    rendererUrl: `/shoe?${before}&${after}`,
  });
});

test.each([
  ['src=is(a?req=img&name=x)', 'a request in parentheses'],
  ['src={a?req=img&name=x&timeout=1}', 'a request in braces'],
  ['src=is(a?src=is(b?name=x)&name=y)', 'one in another'],
  ['src=is{a?src=ir(b?name=x)&name=y}', 'one in another of the other kind'],
  ['a=()&b={}', 'empty ones'],
  ['a=(name=x)(name=y){name=z}', 'several in a row'],
  ['(name=x)', 'one that is a command by itself'],
  ['a=({name=x)name=y}', 'brackets that cross: the outer pair counts, the rest is plain'],
  ['a=(((name=x)', 'openers too many inside one value'],
  ['a={x)&name=x}', 'a closer of the other kind in a pair'],
  ['a=)&b=(name=x)', 'a closer without an opener before it'],
  ...['(8', '8)', '{8', '8}', '(8}', '{8)', ')8(', '((', '}}{{'].map((value) => [
    `wid=${value}`,
    'an unmatched bracket',
  ]),
])('the nested request %s is left as it is: %s', (nested) => {
  const queries = [
    `${nested}&${SAVE}&name=a.png&timeout=5`,
    `${SAVE}&${nested}&name=a.png&timeout=5`,
    `${SAVE}&name=a.png&timeout=5&${nested}`,
  ];
  for (const query of queries) {
    expect(parse(`/shoe?${query}`)).toEqual({ name: 'a.png', timeout: 5, rendererUrl: `/shoe?${nested}` });
  }
});

describe('name=', () => {
  test.each([
    ['a+b.png', 'a b.png', 'a plus is a space'],
    ['a%2Bb.png', 'a+b.png', 'an encoded plus is a plus'],
    ['a%20b.png', 'a b.png', 'an encoded space is a space'],
    ['a%2520b.png', 'a%20b.png', 'decoded once, not twice'],
    ['a%252Bb', 'a%2Bb', 'nor is a plus decoded twice'],
    ['%C3%A9t%c3%a9.png', 'été.png', 'UTF-8'],
    ['%F0%9F%91%9F.png', '👟.png', 'UTF-8 beyond the basic plane'],
    ['\u00c3\u00a9.png', 'é.png', 'UTF-8 in raw bytes, as Node hands them on'],
    ['\u00f0\u009f\u0091\u009f%F0%9F%91%9F', '👟👟', 'raw bytes and escapes mixed'],
    ['\u00c3%A9', 'é', 'a character half raw, half escaped'],
    ['a=b=c', 'a=b=c', 'only the first = divides'],
    ['a%26b', 'a&b', 'an encoded ampersand does not divide'],
    ['shoes/red%2Fa.png', 'shoes/red/a.png', 'a slash, encoded or not'],
    ['a%28b', 'a(b', 'an encoded bracket opens nothing'],
    ['shoe(1).png', 'shoe(1).png', 'a nested request may stand in it'],
    ['shoe(1.png', 'shoe(1.png', 'or half of one'],
    ['shoe{a%26b&c}.png', 'shoe{a&b&c}.png', 'or one with ampersands'],
    ['a?b', 'a?b', 'a second question mark'],
  ])('%s is %j: %s', (value, name) => {
    expect(nameIn(`${SAVE}&name=${value}`)).toBe(name);
  });

  test.each([
    ['$id=shoe', '$id$.png', 'shoe.png', '$id$ is replaced'],
    ['$id=shoe', 'a/$id$-$id$.png', 'a/shoe-shoe.png', 'everywhere'],
    ['$a=1&$b=2', '$a$$b$.png', '12.png', 'also side by side'],
    ['$id=one&$id=two', '$id$', 'two', 'by the latest of its commands'],
    ['$ID=shoe', '$id$', 'shoe', 'whatever the case of the command'],
    ['$id=shoe', '$Id$', 'shoe', 'whatever the case of the use'],
    ['$id=caf%C3%A9+1', '$id$', 'café 1', 'by the decoded value'],
    ['%24id=shoe', '$id$', 'shoe', 'where the command’s $ is encoded'],
    ['$id=shoe', '%24id%24', 'shoe', 'where its own $ is encoded'],
    ['$i%64=shoe', '$%69d$', 'shoe', 'where its letters are encoded'],
    ['$my+id=shoe', '$my+id$', 'shoe', 'with a space in it'],
    ['$caf%C3%A9=x', '$caf%c3%a9$', 'x', 'with UTF-8 in it'],
    ['$a=$b$&$b=x', '$a$', '$b$', 'in one pass, without nesting'],
    ['$a=x$&$b=y', '$a$b$', 'x$b$', 'and what was put in begins no other'],
    ['$id=early', '$id$', 'early', 'but not by a later command', '$id=late'],
    ['x=1', '$id$', '$id$', 'nor by one alone', '$id=late'],
    ['$object=hat', '$object$', 'hat', 'also one named object'],
    ['x=1', '$object$', 'shoe', 'which is the path before its definition', '$object=hat'],
    ['$id=shoe', 'a$b.png', 'a$b.png', 'but a single $ is a $'],
    ['$id=shoe', '$no$.png', '$no$.png', 'but an undefined one stays'],
    ['$id=shoe', '$no$id$', '$noshoe', 'and its second $ may begin the next'],
    ['$id=shoe', '$$id$$', '$shoe$', 'and the one in between two $ is found'],
    ['$=x', '$$', '$$', 'but one without a name is none'],
    ['id=shoe', '$id$', '$id$', 'but not by a command without the $'],
    ['$id$=shoe', '$id$', '$id$', 'but not by one with two'],
    ['$id=', 'a$id$.png', 'a.png', 'by nothing, where nothing was given'],
    ['$id=a=b', '$id$', 'a=b', 'by all that follows the first ='],
    ['src=(a?$id=x)', '$id$', '$id$', 'but not by what a nested request defines'],
    ['.$id=x', '$id$', '$id$', 'but not by a comment'],
    [
      '$constructor=1',
      '$constructor$ $__proto__$',
      '1 $__proto__$',
      'by what was given, and nothing built in',
    ],
  ])('%s&name=%s gives %j: %s', (definitions, value, name, _why, later = 'y=1') => {
    expect(parse(`/shoe?${definitions}&${SAVE}&name=${value}&${later}`)).toMatchObject({
      name,
      rendererUrl: `/shoe?${definitions}&${later}`,
    });
  });

  test.each(['name=$id$', 'name=a&timeout=$id$'])(
    'refuses a malformed variable only where its value is needed: %s',
    async (use) => {
      const { code, message } = await refusalOf(() => parseCommand(`/?$id=%zz&${SAVE}&${use}`));
      expect(code).toBe('bad-escape');
      expect(message).toContain('$id=');
      expect(nameIn(`$id=%zz&${SAVE}&name=a`)).toBe('a');
    },
  );

  test.each([
    ['name-invalid', '/', `name=${'$a$'.repeat(4000)}`],
    ['timeout-invalid', '/', `name=a&timeout=${'$a$'.repeat(4000)}`],
    ['name-invalid', `/${'1'.repeat(4000)}`, `name=${'$object$'.repeat(4000)}`],
  ])('does not let a short query become megabytes: %s at %.2s', async (code, path, use) => {
    expect(await codeOf(() => parseCommand(`${path}?$a=${'1'.repeat(4000)}&${SAVE}&${use}`))).toBe(code);
  });

  test.each([
    ['/cat/shoe', '$object$.png', 'cat/shoe.png', 'is the path without its leading slash'],
    ['/cat/shoe', 'a/$OBJECT$-$object$', 'a/cat/shoe-cat/shoe', 'is replaced in any case, everywhere'],
    ['/a%20b+c%C3%A9', '$object$', 'a b+cé', 'is decoded, and a plus stays a plus'],
    ['/\u00c3\u00a9', '$object$', 'é', 'is decoded from raw bytes'],
    ['/cat%2Fshoe', '$object$', 'cat/shoe', 'is decoded once, the slash too'],
    ['/a%2541', '$object$', 'a%41', 'is not decoded twice'],
    ['/', 'a$object$.png', 'a.png', 'is empty where the path is'],
    ['', 'a$object$.png', 'a.png', 'is empty where there is no path'],
    ['//shoe', '$object$', '/shoe', 'keeps a second slash'],
    ['/cat/', '$object$', 'cat/', 'keeps a slash at the end'],
    ['/a$object$', '$object$', 'a$object$', 'is not searched for variables'],
    ['http://host:80/cat/shoe', '$object$', 'cat/shoe', 'is the path of an absolute URL'],
    ['/shoe', '$objects$', '$objects$', 'is no part of another variable'],
  ])('at %j, %s is %j: it %s', (path, name, expected) => {
    expect(parse(`${path}?${SAVE}&name=${name}`)).toMatchObject({ name: expected, rendererUrl: path });
  });

  it('refuses a path with malformed escapes, and only if the name needs the path', async () => {
    for (const path of ['/%', '/%zz', '/a%C3', '/%C0%AF', '/%FF']) {
      const url = (name: string): string => `${path}?${SAVE}&name=${name}`;
      const { code, message } = await refusalOf(() => parseCommand(url('$object$')));
      expect([path, code]).toEqual([path, 'bad-escape']);
      expect(message).toContain('path');
      expect(message).toContain('%25');
      expect(parse(url('a')).name).toBe('a');
      expect(parse(`${path}?$object=b&${SAVE}&name=$object$`).name).toBe('b');
    }
  });
});

test.each([
  ['/shoe?<1>&<2>&<3>', '/shoe', 'the ? goes with the last command'],
  ['/shoe?<1>&<2>&<3>&', '/shoe', 'also where an empty command is all there is'],
  ['/shoe?wid=8&<1>&<2>&<3>', '/shoe?wid=8', 'before them'],
  ['/shoe?<1>&<2>&<3>&wid=8', '/shoe?wid=8', 'after them'],
  ['/shoe?a&<1>&b&<2>&c&<3>&d', '/shoe?a&b&c&d', 'between them'],
  ['/shoe?&&<1>&&<2>&<3>&&', '/shoe?&&&&', 'empty commands stay'],
  ['/shoe?<1>&<2>&<3>&=', '/shoe?=', 'nameless ones, too'],
  ['/shoe?<1>&<2>&<3>&a=1&a=2&b&c=', '/shoe?a=1&a=2&b&c=', 'repeated and valueless ones, too'],
  ['/shoe?x=%2b+%2B%zz&<1>&<2>&<3>', '/shoe?x=%2b+%2B%zz', 'escapes as they were written'],
  ['/shoe?<1>&<2>&<3>&.a+comment', '/shoe?.a+comment', 'comments'],
  [
    '/shoe?.req=img&.name=b&<1>&<2>&<3>&.timeout=x',
    '/shoe?.req=img&.name=b&.timeout=x',
    'comments on our commands',
  ],
  ['/shoe?<1>&<2>&<3>&src=is(a?req=img&name=b)', '/shoe?src=is(a?req=img&name=b)', 'nested requests'],
  ['/shoe?<1>&<2>&<3>&a?b=?', '/shoe?a?b=?', 'further question marks'],
  ['/a%20b/../c;v=1?<1>&<2>&<3>', '/a%20b/../c;v=1', 'a path of any form'],
  ['http://host/shoe?<1>&<2>&<3>&wid=8', 'http://host/shoe?wid=8', 'an absolute address'],
  ['?<1>&<2>&<3>', '', 'no path'],
  ...['wid=%', 'x=%zz&%=%', '%zz', 'bgc=%C0%AF', 'q=\u00e9', '\u00e9=\u00ff', '$unused=%zz', 'a=%u0041'].map(
    (others) => [`/shoe?${others}&<1>&<2>&<3>`, `/shoe?${others}`, 'malformed escapes and raw bytes'],
  ),
  [
    '/shoe?wid=%28&<1>&<2>&<3>&b=)',
    '/shoe?wid=%28&b=)',
    'an encoded bracket, which begins no nested request',
  ],
  ['/shoe?wid=%7B&<1>&<2>&<3>&b=}', '/shoe?wid=%7B&b=}', 'an encoded brace, which begins none either'],
  // The brace is not closed within the parentheses, so the text after them is at the top level.
  ['/shoe?a=(x{y)&<1>&<2>&<3>&c=}', '/shoe?a=(x{y)&c=}', 'brackets that cross the end of a nested request'],
])('the renderer gets %s as %s: %s', (pattern, rendererUrl) => {
  const ours = ['', SAVE, 'name=a', 'timeout=5'];
  const url = pattern.replace(/<(\d)>/g, (_all, digit: string) => ours[Number(digit)]!);
  expect(parse(url)).toEqual({ name: 'a', timeout: 5, rendererUrl });
});

describe('hostile queries', () => {
  // So long that an algorithm of quadratic time would exceed the test's timeout.
  const MANY = 300_000;
  const end = `&${SAVE}&name=a.png`;

  test.each([
    ['opening brackets', '('.repeat(MANY)],
    ['closing brackets', ')'.repeat(MANY)],
    ['opening brackets of both kinds', '({'.repeat(MANY / 2)],
    ['openers, then closers of the other kind', '('.repeat(MANY / 2) + '}'.repeat(MANY / 2)],
    ['openers of both kinds, then closers of one', '({'.repeat(MANY / 2) + ')'.repeat(MANY)],
    ['nested brackets', '('.repeat(MANY / 2) + ')'.repeat(MANY / 2)],
    ['crossing brackets', '({)}'.repeat(MANY / 4)],
    ['empty commands', '&'.repeat(MANY)],
    ['commands', 'a=b&'.repeat(MANY / 4)],
    ['names of variables', '$a=b&'.repeat(MANY / 5)],
    ['escapes', `x=${'%41'.repeat(MANY / 3)}`],
    ['almost commands', '=saveToFil'.repeat(MANY / 10)],
    ['almost commands of escapes', '=%73%61%76%65%54%6f%46%69%6c'.repeat(MANY / 28)],
  ])('of %s take time in proportion to their length', (_what, hostile) => {
    expect(hasSaveCommand(`/?${hostile}${end}`)).toBe(true);
    expect(nameIn(hostile + end)).toBe('a.png');
  });

  it('with a name of dollars take time in proportion to their length', async () => {
    expect(nameIn(`$a=&${SAVE}&name=${'$a$'.repeat(MANY / 3)}`)).toBe('');
    for (const name of ['$'.repeat(MANY), '$no'.repeat(MANY / 3)])
      expect(await codeOf(() => parseCommand(`/?${SAVE}&name=${name}`))).toBe('name-invalid');
  });
});
