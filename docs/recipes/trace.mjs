// A request trace: each save is a span, below the span of its request if the host traces requests.
import { SpanStatusCode, trace } from '@opentelemetry/api';
import express from 'express';
import { imageSave } from 'express-image-save';
import { renderer } from './renderer.mjs';

const tracer = trace.getTracer('express-image-save');

function traceSave(record) {
  const end = Date.now();
  const span = tracer.startSpan('image save', {
    startTime: new Date(end - record.milliseconds),
    attributes: {
      'image_save.outcome': record.outcome,
      'image_save.code': record.code,
      'image_save.name': record.name,
      'image_save.bytes': record.bytes,
      'image_save.pixels': record.pixels,
    },
  });
  if (record.cause instanceof Error) span.recordException(record.cause);
  if (record.outcome !== 'done') span.setStatus({ code: SpanStatusCode.ERROR, message: record.code });
  span.end(new Date(end));
}

const app = express();
app.use('/is/image', imageSave({ savePath: './saved', onSave: traceSave }), renderer);
app.listen(3000);
