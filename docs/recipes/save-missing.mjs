// For both recipes "saved first": a handler that has a missing image rendered and saved before it is sent.
import express from 'express';
import { parseReply } from 'express-image-save';
import { renderer } from './renderer.mjs';

// The only sizes there are. If sizes came from the URL, one visitor could fill the disk.
const presets = new Map([
  ['thumb', 'wid=120'],
  ['page', 'wid=800'],
]);

/**
 * @param save The middleware, with `overwrite: false`: what exists is not rendered again.
 * @param sendSaved Sends a saved image: `(name, req, res, next)`.
 */
export function saveMissing(save, sendSaved) {
  // On a port of its own, so that visitors cannot reach the renderer.
  const internal = express().use('/is/image', save, renderer).listen(0, '127.0.0.1');
  // The saves in progress, by name: all visitors who want the same image wait for the same save.
  const saves = new Map();

  async function sendCommand(picture, preset, name) {
    const query = `${presets.get(preset)}&req=saveToFile&timeout=20000&name=${encodeURIComponent(name)}`;
    const response = await fetch(`http://127.0.0.1:${internal.address().port}/is/image/${picture}?${query}`);
    return { reply: parseReply(await response.text()), retryAfter: response.headers.get('retry-after') };
  }

  function saveOnce(picture, preset, name) {
    if (!saves.has(name)) {
      const saving = sendCommand(picture, preset, name).finally(() => saves.delete(name));
      saves.set(name, saving);
    }
    return saves.get(name);
  }

  return async (req, res, next) => {
    const [name, picture, preset] = req.params.file.match(/^([a-z0-9-]{1,100})\.([a-z]+)\.png$/) ?? [];
    if (!presets.has(preset)) return next();
    const { reply, retryAfter } = await saveOnce(picture, preset, name);
    const code = reply.error?.code;
    // Another process may have saved it meanwhile.
    if (reply.status === 'done' || code === 'file-exists') return sendSaved(name, req, res, next);
    if (retryAfter) res.set('Retry-After', retryAfter);
    res.set('Cache-Control', 'no-store');
    res.status(reply.error.retry ? 503 : 502).send(`No image: ${code}`);
  };
}
