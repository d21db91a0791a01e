// Numbers and texts as people read them.

/** `1234567` → `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 job`, `2 jobs`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Three digits: `0.12`, `1.23`, `12.3`, `123`. */
function digits(value: number): string {
  return value >= 99.95 ? formatCount(Math.round(value)) : value.toFixed(value < 9.995 ? 2 : 1);
}

export function formatRate(perSecond: number): string {
  return `${digits(perSecond)}/s`;
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? formatCount(value) : digits(value)} ${units[unit]}`;
}

/** `0.4 s`, `5 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** An argument as a shell takes it; on Windows, as cmd does. */
export function quote(argument: string, platform = process.platform): string {
  if (/^[\w@+=:,./-]+$/.test(argument)) return argument;
  if (platform === 'win32') return `"${argument.replaceAll('"', String.raw`\"`)}"`;
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`;
}

/** Text of others, without what could steer a terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '\uFFFD');
}
