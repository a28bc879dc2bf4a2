/** A function's line for the terminal: a structured one is cut down to what a person reads. */
export function toTerminalLine(source: string, line: string): string | undefined {
  const entry = parse(line);
  if (!entry) return `${source}  ${line}`;
  if (QUIET_LEVELS.has(entry.level)) return undefined;
  const { level, message, error } = entry;
  const because = error?.message ? `: ${error.name ?? 'Error'}: ${error.message}` : '';
  return `${source}  ${level}  ${message}${because}`;
}

/** What is normal is no news. */
const QUIET_LEVELS = new Set(['TRACE', 'DEBUG', 'INFO']);

interface Entry {
  readonly level: string;
  readonly message: string;
  readonly error?: { readonly name?: string; readonly message?: string };
}

function parse(line: string): Entry | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(line) as Partial<Entry>;
    return typeof value.level === 'string' && typeof value.message === 'string'
      ? (value as Entry)
      : undefined;
  } catch {
    return undefined; // a line that only looks like JSON is printed as it is
  }
}
