// docs/recipes/saved-first-bucket.mjs, with a bucket in memory.
import { get } from '../../support/client.js';
import { useProject, type Program } from '../../support/project.js';
import { S3Server } from '../../support/s3-server.js';

const { start, run } = useProject(['@aws-sdk/s3-request-presigner']);
const RECIPE = 'saved-first-bucket.mjs';
let s3: S3Server;

beforeEach(async () => {
  s3 = await S3Server.start();
});
afterEach(() => s3.stop());

async function startSite(): Promise<Program> {
  const env = {
    BUCKET: 'renders',
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
  };
  return start(RECIPE, { env });
}

const puts = (): number => s3.requests.filter(({ line }) => line.startsWith('PUT ')).length;

describe('saved-first-bucket.mjs', () => {
  test('saves a missing image once for a hundred visitors, and sends each to a link that holds it', async () => {
    const { url } = await startSite();
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => get(`${url}/images/shoe.thumb.png`)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([302]));
    expect([...s3.objects.keys()]).toEqual(['/renders/shoe.thumb.png']);
    expect(puts()).toBe(1);
    const { location = '', 'cache-control': cacheControl } = answers[0]!.headers;
    expect(cacheControl).toBe('public, max-age=300');
    expect(location).toMatch(/[?&]X-Amz-Expires=600&.*X-Amz-Signature=[0-9a-f]{64}/);
    const image = await get(location);
    expect([image.status, image.headers['content-type']]).toEqual([200, 'image/png']);
    expect(image.body.readUInt32BE(16)).toBe(120);
  });

  test('asks the bucket for a saved image by one HEAD request, and renders nothing', async () => {
    const { url } = await startSite();
    await get(`${url}/images/shoe.thumb.png`);
    s3.requests.length = 0;
    expect((await get(`${url}/images/shoe.thumb.png`)).status).toBe(302);
    expect(s3.requests.map(({ line }) => line)).toEqual(['HEAD /renders/shoe.thumb.png']);
  });

  test('sends nobody to the bucket for a preset that is not in the table', async () => {
    const { url } = await startSite();
    expect((await get(`${url}/images/shoe.huge.png`)).status).toBe(404);
    expect(s3.requests).toEqual([]);
  });

  test('answers 503 while the bucket is out of order, and stores nothing', async () => {
    const { url } = await startSite();
    s3.intercept = () => 503;
    const { status, headers, body } = await get(`${url}/images/shoe.thumb.png`);
    expect([status, body.toString()]).toEqual([503, 'No image: store-unavailable']);
    expect(headers['cache-control']).toBe('no-store');
    expect(s3.objects.size).toBe(0);
  });

  test('does not start without a bucket', async () => {
    expect(await run(RECIPE, { env: { BUCKET: '' } })).toContain('Set BUCKET');
  });
});
