import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';

/**
 * Whether a file of that size can be written. Only writing one tells: a quota, or a limit of the process, is not in what
 * the file system says is free. Its content is nothing that a file system could compress.
 */
export function hasRoomFor(file: string, bytes: number): boolean {
  try {
    writeFileSync(file, randomBytes(bytes));
    return true;
  } catch {
    return false;
  } finally {
    rmSync(file, { force: true });
  }
}
