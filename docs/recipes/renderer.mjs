// The renderer of the recipes: it draws a square. Put yours in its place.
import sharp from 'sharp';

export async function renderer(req, res, next) {
  const width = Math.round(Number(req.query.wid ?? 400));
  if (!(width >= 1 && width <= 2000)) return res.status(400).send('wid must be from 1 to 2000');
  const image = sharp({ create: { width, height: width, channels: 3, background: 'teal' } });
  try {
    res.type('png').send(await image.png().toBuffer());
  } catch (error) {
    next(error);
  }
}
