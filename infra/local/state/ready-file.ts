import { readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { writeWhole } from './whole.ts';

/** A file that is there while the system serves and not otherwise, unless the system is killed: scripts wait for it. */
export class ReadyFile {
  readonly #file: string;
  #text: string | undefined;

  /** Removes what an earlier run has left behind. */
  constructor(file: string) {
    this.#file = resolve(file);
    this.#try(() => rmSync(this.#file, { force: true }));
  }

  write(text: string): void {
    this.#try(() => writeWhole(this.#file, text));
    this.#text = text;
    process.once('exit', () => this.remove());
  }

  /** Not if it is of another system by now. */
  remove(): void {
    try {
      if (readFileSync(this.#file, 'utf8') === this.#text) rmSync(this.#file);
    } catch {
      // Somebody has removed it, or what is above it.
    }
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : cause;
      throw new Error(
        `expected --ready-file to be a file that can be written, got ${this.#file} (${reason})`,
        {
          cause,
        },
      );
    }
  }
}
