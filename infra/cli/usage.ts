import { readFile } from 'node:fs/promises';
import { USAGE_PATH } from '../local/meter/control.ts';
import type { Usage } from '../local/meter/meter.ts';
import { ArgumentError } from './arguments.ts';

const PARTS = ['functions', 'tables', 'queues', 'buses', 'stages', 'schedules', 'secrets'] as const;

/** The usage of a running system by its URL, or one that was saved in a file. */
export async function loadUsage(from: string): Promise<Usage> {
  const text = /^https?:/.test(from) ? await fetchText(new URL(USAGE_PATH, from)) : await readText(from);
  return parseUsage(text, from);
}

export function parseUsage(text: string, from: string): Usage {
  const usage = parseJson(text, from);
  const missing = PARTS.filter((part) => typeof usage[part] !== 'object' || usage[part] === null);
  if (missing.length > 0 || typeof usage.seconds !== 'number') {
    throw new ArgumentError(
      `expected what GET ${USAGE_PATH} answers in ${from}, got no ${missing[0] ?? 'seconds'}`,
    );
  }
  return usage as unknown as Usage;
}

function parseJson(text: string, from: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Not JSON: told below, like JSON that is no object.
  }
  throw new ArgumentError(`expected JSON from ${from}, got ${JSON.stringify(text.slice(0, 40))}`);
}

async function fetchText(url: URL): Promise<string> {
  try {
    const response = await fetch(url);
    if (response.ok) return await response.text();
    throw new ArgumentError(`expected 200 from ${url}, got ${response.status}`);
  } catch (cause) {
    if (cause instanceof ArgumentError) throw cause;
    throw new ArgumentError(`expected a Fanwire at ${url.origin}, got no answer: is npm start running?`, {
      cause,
    });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ArgumentError(`expected a file, got ${file}, which cannot be read`, { cause });
  }
}
