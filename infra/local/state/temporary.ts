import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'fanwire-code-';
const NAME = new RegExp(`^${PREFIX}(\\d+)-`);

/**
 * A directory that is gone when this process ends. Not in the project: code in it would find the project's packages,
 * which it will not find on Lambda. What processes left behind that were killed is removed, too.
 */
export function makeCodeDirectory(
  parent = tmpdir(),
  isRunning: (pid: number) => boolean = isProcess,
): string {
  for (const name of readdirSync(parent)) {
    const [, pid] = NAME.exec(name) ?? [];
    if (pid !== undefined && !isRunning(Number(pid))) remove(join(parent, name));
  }
  const directory = mkdtempSync(join(parent, `${PREFIX}${process.pid}-`));
  process.once('exit', () => remove(directory));
  return directory;
}

function remove(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // Another user's, or in use on Windows: it is only space that is wasted.
  }
}

function isProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // somebody else's process is one
  }
}
