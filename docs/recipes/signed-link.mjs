// Only a client with a link that this server has signed may save, under one name and until it expires.
import { createHmac, timingSafeEqual } from 'node:crypto';
import express from 'express';
import { imageSave } from 'express-image-save';
import { renderer } from './renderer.mjs';

const secret = process.env.LINK_SECRET;
if (!secret) throw new Error('Set LINK_SECRET to a long random text');

const sign = (name, expires) => createHmac('sha256', secret).update(`${expires}\n${name}`).digest('hex');

function signedLink(imageUrl, name, seconds) {
  const expires = Math.floor(Date.now() / 1000) + seconds;
  const signature = sign(name, expires);
  return `${imageUrl}&${new URLSearchParams({ req: 'saveToFile', name, expires, signature })}`;
}

// onSave gets the error as its cause. The client gets only `not-authorized`.
function authorize(req, { name }) {
  const { expires, signature } = req.query;
  if (typeof expires !== 'string' || typeof signature !== 'string') throw new Error('The link is not signed');
  const expected = Buffer.from(sign(name, expires));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Error('The signature is not that of this name and time');
  }
  if (!(Date.now() / 1000 < Number(expires))) throw new Error('The link has expired');
  return true;
}

const onSave = ({ code, name, cause }) => code && console.warn(code, name, cause?.message);

const app = express();
app.use('/is/image', imageSave({ savePath: './saved', authorize, onSave }), renderer);
app.listen(3000);
console.log(signedLink('http://localhost:3000/is/image/shoe?wid=800', 'shoe.png', 600));
