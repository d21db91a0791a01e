// Finds and starts the browser of these specs.

import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const USUAL_NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** @throws Error There is no browser. The message says how to install one. */
export async function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: FLAGS });
}

function findChromium(): string {
  const named = process.env['CHROMIUM'];
  const candidates = named
    ? [named]
    : (process.env['PATH'] ?? '')
        .split(path.delimiter)
        .flatMap((folder) => USUAL_NAMES.map((name) => path.join(folder, name)));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    (named ? `CHROMIUM names no program: ${named}. ` : 'These tests need Chromium, and there is none. ') +
      'Install it (Debian and Ubuntu: apt-get install chromium), or name it: ' +
      'CHROMIUM=/path/to/chromium npm run test:browser',
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
