// The renderer that the recipes stand in front of: it draws a square. Put yours in its place.
import sharp from 'sharp';

export function renderer(req, res) {
  const width = Math.min(Number(req.query.wid ?? 400), 2000);
  const image = sharp({ create: { width, height: width, channels: 3, background: 'teal' } });
  image.png().pipe(res.type('png'));
}
