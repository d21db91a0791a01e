// The project's Markdown files: code blocks, links, headings, tables.
import { readFileSync, readdirSync } from 'node:fs';
// With slashes on every system, as in the documents.
import { join } from 'node:path/posix';

/** Every Markdown file of the project, by its path from the root. */
export function markdownFiles(folder = '.'): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || ['node_modules', 'dist', 'coverage'].includes(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

export function read(file: string): string {
  return readFileSync(file, 'utf8');
}

export interface Block {
  /** The word after the fence, such as `js` or `console`; empty without one. */
  readonly language: string;
  readonly text: string;
  /** The text between the block before and this one. */
  readonly before: string;
}

/** The fenced blocks of a document, in order. */
export function blocks(document: string): Block[] {
  const found: Block[] = [];
  let end = 0;
  for (const match of document.matchAll(/^```(.*)\n([^]*?)^```$/gm)) {
    const [whole, language = '', text = ''] = match;
    found.push({ language, text, before: document.slice(end, match.index) });
    end = match.index + whole.length;
  }
  return found;
}

/** A document without its fenced blocks. */
export function prose(document: string): string {
  return document.replace(/^```.*\n[^]*?^```$/gm, '');
}

/** Inline code of the running text. */
export function codeSpans(document: string): string[] {
  return [...prose(document).matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);
}

/** The rows of a document's tables, as cells; without the lines under the headings. */
export function tableRows(document: string): string[][] {
  return [...prose(document).matchAll(/^\|(.+)\|$/gm)]
    .map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
    .filter((cells) => !cells.every((cell) => /^:?-+:?$/.test(cell)));
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchors(document: string): Set<string> {
  const made = new Set<string>();
  for (const [, heading = ''] of prose(document).matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    let anchor = slug;
    for (let copy = 1; made.has(anchor); copy++) anchor = `${slug}-${copy}`;
    made.add(anchor);
  }
  return made;
}

/** The targets of a document's links, except those in code. */
export function links(document: string): string[] {
  const text = prose(document).replace(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)].map(([, target = '']) => target);
}
