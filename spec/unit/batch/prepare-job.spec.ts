import { prepareJob } from '../../../lib/batch/prepare-job.js';
import { InvalidJob, UsageError } from '../../../lib/batch/types.js';

const defaults = { server: 'http://host', timeout: undefined };
const prepare = (job: unknown): unknown => prepareJob({ where: 'jobs.txt:3', job }, defaults);

it('takes the url, the name and the timeout of a job, and leaves other fields alone', () => {
  const prepared = prepare({ url: '/x', name: 'a.jpg', timeout: 5, status: 'failed', at: 'then' });
  expect(prepared).toEqual({
    job: { url: '/x', name: 'a.jpg', timeout: 5 },
    request: { origin: 'http://host', path: '/x?req=saveToFile&name=a.jpg&timeout=5', timeout: 5 },
  });
});

it.each<[unknown, RegExp]>([
  [null, /an object/],
  ['/x a.jpg', /an object/],
  [{ name: 'a' }, /no url/],
  [{ url: 3, name: 'a' }, /no url/],
  [{ url: '/x' }, /no name/],
  [{ url: '/x', name: '' }, /no name/],
  [{ url: '/x', name: 'a', timeout: 0 }, /whole milliseconds/],
  [{ url: '/x', name: 'a', timeout: '5' }, /whole milliseconds/],
  [{ url: 'x', name: 'a' }, /must start with/],
])('says what is wrong with %j', (job, reason) => {
  const invalid = prepare(job);
  expect(invalid).toBeInstanceOf(InvalidJob);
  expect(invalid).toMatchObject({ where: 'jobs.txt:3', reason: expect.stringMatching(reason) as string });
});

it('takes a URL and a name of 65,536 characters, and none that are longer', () => {
  expect(prepare({ url: '/x', name: 'a'.repeat(65_534) })).not.toBeInstanceOf(InvalidJob);
  expect(prepare({ url: '/x', name: 'a'.repeat(65_535) })).toMatchObject({
    reason: 'its url and name are longer than 65536 characters',
  });
});

it('does not blame one job for a server that is missing for all', () => {
  expect(() =>
    prepareJob({ where: 'x', job: { url: '/x', name: 'a' } }, { ...defaults, server: undefined }),
  ).toThrow(UsageError);
});
