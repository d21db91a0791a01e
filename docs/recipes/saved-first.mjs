// Saved first: sends the saved file. If it is missing, it is rendered once, saved, and then sent.
import express from 'express';
import { imageSave } from 'express-image-save';
import { saveMissing } from './save-missing.mjs';

const save = imageSave({ savePath: './saved', overwrite: false });
const saved = express.static('./saved', { index: false, redirect: false, maxAge: '1 hour' });

const app = express();
app.use('/images', saved);
app.get(
  '/images/:file',
  saveMissing(save, (name, req, res, next) => next()),
);
app.use('/images', saved);
app.listen(3000);
