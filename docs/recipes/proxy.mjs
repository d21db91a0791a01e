// In front of any image server: imgproxy, thumbor, imagor, Cantaloupe, a hosted one.
import express from 'express';
import { imageSave } from 'express-image-save';
import { createProxyMiddleware } from 'http-proxy-middleware';

// Scheme, host and port, and no path, as in http://localhost:8080
const target = process.env.IMAGE_SERVER;
if (!target) throw new Error('Set IMAGE_SERVER to the address of the image server');

const proxy = createProxyMiddleware({
  target,
  changeOrigin: true,
  on: {
    // Byte by byte. The proxy itself joins slashes and encodes quotes, and then a signature is wrong.
    proxyReq(proxyReq, req) {
      proxyReq.path = req.url;
    },
    // Version 3 itself leaves the response open when the image breaks off.
    proxyRes(proxyRes, req, res) {
      proxyRes.once('error', () => res.destroy());
    },
  },
});

const app = express();
app.use(imageSave({ savePath: './saved' }), proxy);
app.listen(3000);
