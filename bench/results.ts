// The results that stay: between two marks in the bench's README, with where and how they were measured.
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { format, resolveConfig } from 'prettier';

const BEGIN = '<!-- results: written by the bench -->';
const END = '<!-- end of the results -->';

/** The machine, as far as it decides how fast things are. */
export function machine(folder: string): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  // Linux statfs(2): EXT2_SUPER_MAGIC is also that of ext4.
  const names: Record<number, string> = {
    0xef53: 'ext4',
    0x1021994: 'tmpfs',
    0x58465342: 'xfs',
    0x9123683e: 'btrfs',
  };
  const fileSystem = names[statfsSync(folder).type] ?? 'another file system';
  return [
    `${cpus().length} × ${cpu?.model.trim() ?? 'unknown processor'}, ${memory} GiB`,
    `${type()} ${release()}, ${fileSystem}, Node ${process.version}`,
  ].join('; ');
}

/** Replaces what is between the marks of a text. */
export function between(text: string, results: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error('The marks for the results are missing');
  return `${text.slice(0, begin + BEGIN.length)}\n\n${results}\n\n${text.slice(end)}`;
}

/** Writes the results as the formatter would have them. */
export async function writeResults(file: string, results: string): Promise<void> {
  const text = between(readFileSync(file, 'utf8'), results);
  const style = await resolveConfig(file);
  writeFileSync(file, await format(text, { ...style, parser: 'markdown' }));
}
