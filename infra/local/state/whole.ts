import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file for its owner's eyes. It is renamed into place, so it is complete as soon as it is there. */
export function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.part`, text, { mode: 0o600 });
  renameSync(`${file}.part`, file);
}
