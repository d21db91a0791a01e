// Metrics: saves by outcome, their times and their bytes.
import express from 'express';
import { imageSave } from 'express-image-save';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { renderer } from './renderer.mjs';

// A registry of its own: names in the global one clash where a process has two such apps, as in tests.
const registers = [new Registry()];

const saves = new Counter({
  registers,
  name: 'image_saves_total',
  help: 'Save commands, by outcome and error code',
  labelNames: ['outcome', 'code'],
});
const seconds = new Histogram({
  registers,
  name: 'image_save_duration_seconds',
  help: 'From the command to its answer',
  labelNames: ['outcome'],
  buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
});
const stages = new Histogram({
  registers,
  name: 'image_save_stage_seconds',
  help: 'Each stage of a save',
  labelNames: ['stage'],
  buckets: [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});
const bytes = new Counter({ registers, name: 'image_saved_bytes_total', help: 'Bytes published' });

function countSave(record) {
  // Outcomes and codes are fixed lists. A name as a label would create a time series for each image.
  saves.inc({ outcome: record.outcome, code: record.code ?? 'none' });
  seconds.observe({ outcome: record.outcome }, record.milliseconds / 1000);
  for (const [stage, milliseconds] of Object.entries(record.stages)) {
    stages.observe({ stage }, milliseconds / 1000);
  }
  bytes.inc(record.bytes ?? 0);
}

const save = imageSave({ savePath: './saved', onSave: countSave });

new Gauge({
  registers,
  name: 'image_saves_running',
  help: 'Saves in progress',
  collect() {
    this.set(save.running);
  },
});
new Gauge({
  registers,
  name: 'image_saves_waiting',
  help: 'Saves that wait for their turn',
  collect() {
    this.set(save.waiting);
  },
});

const app = express();
app.use('/is/image', save, renderer);
app.get('/metrics', async (req, res) => {
  const [registry] = registers;
  res.type(registry.contentType).send(await registry.metrics());
});
app.listen(3000);
