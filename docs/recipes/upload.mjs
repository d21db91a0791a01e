// Saves uploads: multer reads the form, and the image is checked and published like a rendered one.
import express from 'express';
import { SaveError, createImageSaver } from 'express-image-save';
import multer from 'multer';

const save = createImageSaver({ savePath: './saved', overwrite: false });
const upload = multer({ storage: multer.memoryStorage(), limits: { fileSize: 20_000_000 } });

const app = express();
// Decide who may upload before this route: `authorize` judges requests of the middleware alone.
app.post('/upload/:name', upload.single('image'), async (req, res, next) => {
  if (req.file === undefined) return res.status(400).json({ message: 'Send the image in the field "image"' });
  try {
    res.json(await save(req.file.buffer, { name: req.params.name, timeout: 20_000 }));
  } catch (error) {
    if (!(error instanceof SaveError)) return next(error);
    const { code, message, retry } = error;
    res.status(retry ? 503 : 422).json({ code, message });
  }
});
app.listen(3000);
