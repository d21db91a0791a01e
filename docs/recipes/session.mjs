// Only a logged-in user may save, from a page that has the session's token.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import express from 'express';
import { imageSave } from 'express-image-save';
import session from 'express-session';
import { renderer } from './renderer.mjs';

const { SESSION_SECRET: secret, EDITOR_PASSWORD: password } = process.env;
if (!secret || !password) throw new Error('Set SESSION_SECRET and EDITOR_PASSWORD');

const digest = (text) => createHash('sha256').update(String(text)).digest();
const isSame = (a, b) => timingSafeEqual(digest(a), digest(b));

const app = express();
const cookie = { sameSite: 'strict', httpOnly: true, secure: 'auto' };
app.use(session({ secret, resave: false, saveUninitialized: false, cookie }));

app.post('/login', express.json(), (req, res, next) => {
  if (!isSame(req.body?.password, password)) return res.status(401).json({ error: 'Wrong password' });
  // A new session, so that an id from before the login is useless.
  req.session.regenerate((error) => {
    if (error) return next(error);
    req.session.token = randomBytes(16).toString('hex');
    res.json({ token: req.session.token });
  });
});

// A browser sends the cookie by itself, but not the header. So other pages cannot save for the editor.
function authorize(req) {
  const { token } = req.session;
  return token !== undefined && isSame(req.get('x-save-token'), token);
}

app.use('/is/image', imageSave({ savePath: './saved', authorize }), renderer);
app.listen(3000);
