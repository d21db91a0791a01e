// A readiness probe: 200 while images can be saved, otherwise 503 with the reason.
import express from 'express';
import { imageSave } from 'express-image-save';
import { renderer } from './renderer.mjs';

const save = imageSave({ savePath: './saved' });

const app = express();
app.use('/is/image', save, renderer);
app.get('/ready', async (req, res) => {
  res.set('Cache-Control', 'no-store').type('text');
  try {
    await save.check();
    res.send('ready');
  } catch (error) {
    // The code is for everyone; the cause may hold paths.
    console.error(error.code, error.cause?.message);
    res.status(503).send(error.code);
  }
});
app.listen(3000);
