// Serves the saved images as untrusted uploads.
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
    // Browsers do not know the registered type of this extension.
    if (extname(path).toLowerCase() === '.jfif') res.type('image/jpeg');
  },
});

const app = express();
app.use('/is/image', imageSave({ savePath: './saved' }), renderer);
app.use('/saved', saved);
app.listen(3000);
