// Metrics: how many saves ended in which way, how long they took, and how much they wrote.
import express from 'express';
import { imageSave } from 'express-image-save';
import { Counter, Histogram, register } from 'prom-client';
import { renderer } from './renderer.mjs';

const saves = new Counter({
  name: 'image_saves_total',
  help: 'Save commands, by outcome and error code',
  labelNames: ['outcome', 'code'],
});
const seconds = new Histogram({
  name: 'image_save_duration_seconds',
  help: 'From the command to its answer',
  labelNames: ['outcome'],
  buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
});
const bytes = new Counter({ name: 'image_saved_bytes_total', help: 'Bytes published' });

function countSave(record) {
  // Outcomes and codes are closed lists. A name is not: as a label it would make a time series for each image.
  saves.inc({ outcome: record.outcome, code: record.code ?? 'none' });
  seconds.observe({ outcome: record.outcome }, record.milliseconds / 1000);
  bytes.inc(record.bytes ?? 0);
}

const app = express();
app.use('/is/image', imageSave({ savePath: './saved', onSave: countSave }), renderer);
app.get('/metrics', async (req, res) => {
  res.type(register.contentType).send(await register.metrics());
});
app.listen(3000);
