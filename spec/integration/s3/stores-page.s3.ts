// The program that docs/stores.md shows for a bucket, run as the page shows it.
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocks, read as readPage } from '../../docs/markdown.js';
import { makeProject, startProgram, stopPrograms } from '../../support/project.js';
import { get } from '../../support/client.js';
import { removeTempDirs } from '../../support/temp-dir.js';
import { gateway, objectsIn, owner, read } from './gateway.js';

const [program = ''] = blocks(readPage('docs/stores.md'))
  .filter(({ language }) => language === 'js')
  .map(({ text }) => text);

/** The parts of the program that the page omits. */
const BEFORE = `
  import express from 'express';
  import sharp from 'sharp';
  const app = express();`;
const AFTER = `
  app.get('/is/image/:picture', (req, res) => {
    const create = { width: 30, height: 20, channels: 3, background: 'teal' };
    sharp({ create }).png().pipe(res.type('png'));
  });
  app.listen(3000);`;

afterEach(stopPrograms);
afterAll(removeTempDirs);

test('the program of docs/stores.md saves to the bucket, under the prefix', async () => {
  await owner.send(new CreateBucketCommand({ Bucket: 'renders' }));
  const project = makeProject([]);
  const file = join(project, 'program.mjs');
  writeFileSync(file, `${BEFORE}\n${program}\n${AFTER}\n`);
  const { accessKey, secretKey } = gateway.users.find(({ name }) => name === 'owner')!;
  const { url } = await startProgram(file, {
    cwd: project,
    env: {
      AWS_ENDPOINT_URL_S3: gateway.endpoint,
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
    },
  });
  const { reply } = await get(`${url}/is/image/shoe?req=saveToFile&name=shoe.png`);
  expect(reply).toMatchObject({ status: 'done', name: 'shoe.png', pixelsTotal: 600 });
  expect(await objectsIn('renders')).toEqual(['saved/shoe.png']);
  const ordinary = await get(`${url}/is/image/shoe`);
  expect((await read('renders', 'saved/shoe.png'))?.equals(ordinary.body)).toBe(true);
});
