// docs/hosts.md: Bun and Deno save in their own servers, small images in memory and large ones in a stream.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { installed, useProject } from '../../support/project.js';
import { list } from '../../support/temp-dir.js';

const PROGRAM = `
import sharp from 'sharp';
import { imageSave } from 'express-image-save/fetch';
async function renderer(request) {
  const width = Number(new URL(request.url).searchParams.get('wid'));
  const image = sharp(new Uint8Array(width * width), { raw: { width, height: width, channels: 1 } });
  return new Response(new Blob([await image.png({ compressionLevel: 0 }).toBuffer()]).stream());
}
const fetchHandler = imageSave(renderer, { savePath: './saved' });
const server = globalThis.Bun?.serve({ port: 0, fetch: fetchHandler }) ?? Deno.serve({ port: 0 }, fetchHandler);
for (const wid of [40, 1500]) {
  const url = \`http://localhost:\${server.port ?? server.addr.port}/shoe?wid=\${wid}\`;
  const saved = await (await fetch(\`\${url}&req=saveToFile&name=\${wid}.png\`)).text();
  console.log(/^status.*|^error.*/gm.exec(saved)[0], (await (await fetch(url)).bytes()).length > wid * wid);
}
process.exit();`;

const { file, cwd } = useProject();

test.each(['bun', 'deno'])('%s saves in its own server', (runtime) => {
  writeFileSync(file('serve.mjs'), PROGRAM);
  const run = ['run', ...(runtime === 'deno' ? ['--allow-all'] : []), file('serve.mjs')];
  const printed = execFileSync(installed(`.bin/${runtime}`), run, { cwd: cwd(), encoding: 'utf8' });
  expect(printed).toMatch(/status=done true\nstatus=done true\n$/);
  expect(list(cwd('saved'))).toEqual(['1500.png', '40.png']);
});
