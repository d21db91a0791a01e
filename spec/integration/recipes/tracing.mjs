// Preloaded into a recipe: an SDK that prints its spans as JSON, and a span for each request, as instrumentation makes.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Server } from 'node:http';
import { ROOT_CONTEXT, context, trace } from '@opentelemetry/api';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

const storage = new AsyncLocalStorage();
context.setGlobalContextManager({
  active: () => storage.getStore() ?? ROOT_CONTEXT,
  with: (active, work, self, ...rest) => storage.run(active, () => work.apply(self, rest)),
  bind: (_active, target) => target,
  enable: () => undefined,
  disable: () => undefined,
});

const show = (span) => ({
  name: span.name,
  id: span.spanContext().spanId,
  parent: span.parentSpanContext?.spanId,
  attributes: span.attributes,
  status: span.status,
  events: span.events.map((event) => event.name),
  seconds: span.duration[0] + span.duration[1] / 1e9,
});
const exporter = {
  export(spans, done) {
    for (const span of spans) console.log(JSON.stringify(show(span)));
    done({ code: 0 });
  },
  shutdown: async () => undefined,
};
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
);

const { emit } = Server.prototype;
Server.prototype.emit = function (event, ...args) {
  if (event !== 'request') return emit.call(this, event, ...args);
  const span = trace.getTracer('test').startSpan('request');
  args[1].once('close', () => span.end());
  return context.with(trace.setSpan(ROOT_CONTEXT, span), () => emit.call(this, event, ...args));
};
