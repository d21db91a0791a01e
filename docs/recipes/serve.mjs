// Serving what has been saved, as a folder of untrusted uploads.
import { extname } from 'node:path';
import express from 'express';
import { imageSave } from 'express-image-save';
import { renderer } from './renderer.mjs';

const saved = express.static('./saved', {
  dotfiles: 'ignore', // temporary files are hidden ones
  index: false,
  redirect: false,
  immutable: false, // a name can be saved again: let browsers ask
  maxAge: 0,
  setHeaders(res, path) {
    res.set('X-Content-Type-Options', 'nosniff');
    res.set('Content-Security-Policy', "default-src 'none'; sandbox");
    // The type that is registered for this extension is not the one that browsers know.
    if (extname(path).toLowerCase() === '.jfif') res.type('image/jpeg');
  },
});

const app = express();
app.use('/is/image', imageSave({ savePath: './saved' }), renderer);
app.use('/saved', saved);
app.listen(3000);
