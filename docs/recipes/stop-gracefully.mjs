// Stop gracefully: on SIGTERM, saves that run are finished, saves that wait are refused, and then the process exits.
import express from 'express';
import { imageSave, SaveError } from 'express-image-save';
import onHeaders from 'on-headers';
import { renderer } from './renderer.mjs';

// Less than what the process manager waits before it kills: 30 s in Kubernetes, 10 s in Docker.
const limit = Number(process.env.STOP_SECONDS ?? 25) * 1000;
let stopping = false;

const save = imageSave({
  // Called when it is a save's turn. The client reads too-busy and Retry-After, and tries again elsewhere.
  savePath() {
    if (stopping) throw new SaveError('too-busy', { retryAfter: 1 });
    return './saved';
  },
  onSave: ({ outcome, code, name }) => console.log(outcome, name, code ?? ''),
});

const app = express();
app.use((req, res, next) => {
  // Also on replies to requests that came before the signal: their clients are not to send another one.
  onHeaders(res, () => stopping && res.set('Connection', 'close'));
  next();
});
app.use('/is/image', save, renderer);
const server = app.listen(3000);

process.once('SIGTERM', async () => {
  stopping = true;
  setTimeout(() => process.exit(1), limit);
  // Accepts no more connections; calls back when the last one has ended.
  await new Promise((resolve) => server.close(resolve));
  // The last temporary file is removed, and the last onSave has ended.
  await save.idle();
  process.exit(0);
});
