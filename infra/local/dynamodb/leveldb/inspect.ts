import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Cursor } from './cursor.ts';
import { DamageError } from './damage.ts';
import { recordsOf } from './log.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { checkTable } from './table.ts';

/** The number of its first write, in eight bytes, and how many there are. */
const SEQUENCE_BYTES = 8;
const COUNT_BYTES = 4;

/**
 * Reads a database before LevelDB opens it and answers whether all writes are there, one after the other, that its logs
 * should have. Throws a DamageError if no start can go on with what is left.
 *
 * LevelDB has a checksum for everything, and looks at few of them: it passes over what is damaged in a log and goes on
 * behind it, and hands out what is damaged in a table. Its options that would change this are not to be had in Node.
 *
 * What is not seen here is a log that ends early: so does that of a process that was killed in the middle of a write.
 * The number of its writes tells (`state/mark.ts`).
 */
export function inspect(directory: string): boolean {
  // Where it does not find this one LevelDB begins a new database, with what it finds of logs.
  if (!existsSync(join(directory, 'CURRENT'))) return !existsSync(directory) || !hasWrites(directory);
  const manifest = parseManifest(read(directory, currentOf(directory)));
  for (const [number, size] of manifest.tables) inspectTable(directory, number, size);
  return areLogsWhole(directory, manifest);
}

const hasWrites = (directory: string): boolean =>
  readdirSync(directory).some((name) => /^\d+\.(log|ldb)$/.test(name));

function currentOf(directory: string): string {
  const [, name] = /^(MANIFEST-\d+)\n$/.exec(read(directory, 'CURRENT').toString('latin1')) ?? [];
  if (name === undefined)
    throw new DamageError('expected the name of a manifest in CURRENT, got something else');
  return name;
}

function inspectTable(directory: string, number: number, size: number): void {
  const name = `${String(number).padStart(6, '0')}.ldb`;
  const table = read(directory, name);
  try {
    if (table.length !== size) throw new DamageError(`expected ${size} bytes, got ${table.length}`);
    checkTable(table);
  } catch (error) {
    throw ofFile(name, error);
  }
}

function read(directory: string, name: string): Buffer {
  try {
    return readFileSync(join(directory, name));
  } catch (error) {
    throw ofFile(name, error);
  }
}

const ofFile = (name: string, error: unknown): DamageError =>
  new DamageError(`${name}: ${error instanceof Error ? error.message : error}`);

function areLogsWhole(directory: string, { logNumber, lastSequence }: Manifest): boolean {
  const logs = logsIn(directory)
    .filter((name) => Number.parseInt(name, 10) >= logNumber)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  let next: number | undefined;
  try {
    for (const log of logs) {
      for (const record of recordsOf(read(directory, log))) {
        const cursor = new Cursor(record);
        const sequence = cursor.fixed(SEQUENCE_BYTES);
        if (next === undefined ? sequence > lastSequence + 1 : sequence !== next) return false;
        next = sequence + cursor.fixed(COUNT_BYTES);
      }
    }
    return true;
  } catch (error) {
    if (error instanceof DamageError) return false;
    throw error;
  }
}

const logsIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => /^\d+\.log$/.test(name));

/** What is in no table yet. */
export const logBytes = (directory: string): number =>
  logsIn(directory).reduce((bytes, name) => bytes + statSync(join(directory, name)).size, 0);
