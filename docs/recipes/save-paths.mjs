// Prints the SavePath of each catalog, from Image Serving's .ini files: node save-paths.mjs FOLDER
import { readdirSync, readFileSync } from 'node:fs';
import { join, parse } from 'node:path';

const folder = process.argv[2];
const savePaths = [];
for (const file of readdirSync(folder).filter((name) => /\.ini$/i.test(name))) {
  // `attribute::` may be left out, case does not matter, and the last line counts.
  const line = /^[ \t]*(?:attribute(?:::|\.))?(SavePath|RootId)[ \t]*=[ \t]*(.*?)[ \t]*$/gim;
  const found = {};
  for (const [, key, value] of readFileSync(join(folder, file), 'utf8').matchAll(line)) {
    found[key.toLowerCase()] = value;
  }
  const { savepath, rootid } = found;
  // A catalog that does not set it inherits that of the default catalog.
  if (savepath !== undefined) savePaths.push([rootid || parse(file).name, savepath.replace(/\/+$/, '')]);
}
console.log(JSON.stringify(savePaths, null, 2));
