// A row for each saved image, in SQLite: it is there before the client learns of the image. Needs Node 22.13 or later.
import { DatabaseSync } from 'node:sqlite';
import express from 'express';
import { imageSave } from 'express-image-save';
import { renderer } from './renderer.mjs';

const database = new DatabaseSync('./images.db');
database.exec(`CREATE TABLE IF NOT EXISTS images (
  name TEXT PRIMARY KEY, type TEXT, width INTEGER, height INTEGER, bytes INTEGER, saved_at INTEGER
)`);
const write = database.prepare(`INSERT OR REPLACE INTO images (name, type, width, height, bytes, saved_at)
  VALUES (?, ?, ?, ?, ?, ?)`);
const readAll = database.prepare('SELECT * FROM images ORDER BY name');

const writeRow = ({ name, type, width, height, bytes }) =>
  void write.run(name, type, width, height, bytes, Date.now());

// The image is saved in any case. What failed here can be repeated from this line.
const onSave = ({ name, warning }) => warning && console.error(`No row for ${name}:`, warning.message);

const app = express();
app.use('/is/image', imageSave({ savePath: './saved', onPublished: writeRow, onSave }), renderer);
app.get('/images', (req, res) => res.json(readAll.all()));
app.listen(3000);
