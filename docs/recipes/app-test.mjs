// Tests an app by its save commands: node --test app-test.mjs
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import express from 'express';
import sharp from 'sharp';
import request from 'supertest';
import { imageSave, parseReply } from 'express-image-save';

const records = [];
let folder, save, app;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'saved-'));
  save = imageSave({ savePath: folder, onSave: (record) => void records.push(record) });
  app = express().use(save, async (req, res) => {
    const image = sharp({ create: { width: 40, height: 30, channels: 3, background: 'teal' } });
    res.type('png').send(await image.png().toBuffer());
  });
});
after(() => rm(folder, { recursive: true }));

test('saves the rendered image', async () => {
  const response = await request(app).get('/shoe').query({ req: 'saveToFile', name: 'shoe.png' }).expect(200);
  assert.equal(parseReply(response.text).pixelsTotal, 1200);
  assert.equal((await sharp(await readFile(join(folder, 'shoe.png'))).metadata()).format, 'png');
  await save.idle();
  assert.equal(records.at(-1).outcome, 'done');
});

test('refuses a folder that does not exist', async () => {
  const response = await request(app)
    .get('/shoe')
    .query({ req: 'saveToFile', name: 'no/shoe.png' })
    .expect(403);
  assert.equal(parseReply(response.text).error.code, 'folder-missing');
});
