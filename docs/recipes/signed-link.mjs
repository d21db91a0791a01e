// Only a client with a URL that this server has signed may save: this picture, under this name, until it expires.
import express from 'express';
import { imageSave } from 'express-image-save';
import { createSigner } from 'express-image-save/sign';
import { renderer } from './renderer.mjs';

const signer = createSigner({ keys: (process.env.LINK_KEYS ?? '').split(',') });

const app = express();
const onSave = ({ code, name, cause }) => code && console.warn(code, name, cause?.message);
app.use('/is/image', imageSave({ savePath: './saved', authorize: signer.authorize, onSave }), renderer);
app.listen(3000);

const expires = Date.now() + 10 * 60_000;
console.log(signer.sign('http://localhost:3000/is/image/shoe?wid=800', { name: 'shoe.png', expires }));
