import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const PARENT = join(ROOT, 'test-results');
const TSC = join(ROOT, 'node_modules/.bin/tsc');

/** The examples of README.md, without their indentation. */
export const readmeBlocks: readonly string[] = [
  ...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^( *)```\w+\n(.*?)^ *```$/gms),
].map(([, indentation = '', text = '']) => text.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''));

/** The one that contains this. */
export function readmeBlock(part: string): string {
  const [block, ...others] = readmeBlocks.filter((text) => text.includes(part));
  if (block === undefined || others.length > 0) {
    throw new Error(`expected one block of README.md with ${part}, got ${others.length + (block ? 1 : 0)}`);
  }
  return block;
}

/** Somebody's folder with files of examples, which lies where this repository's packages are found. */
export class Examples {
  readonly directory: string;

  constructor() {
    mkdirSync(PARENT, { recursive: true });
    this.directory = mkdtempSync(join(PARENT, 'readme-'));
  }

  /** Writes an example as if it lay at the repository's root; answers where it is. */
  add(name: string, text: string): string {
    const file = join(this.directory, name);
    const root = relative(this.directory, ROOT);
    writeFileSync(file, text.replaceAll(/'\.\/(infra|shared)\//g, `'${root}/$1/`));
    return file;
  }

  /** Throws what the compiler has to say, with the settings that everything here has. */
  async check(): Promise<void> {
    const settings = { extends: join(ROOT, 'tsconfig.json'), include: ['*.ts'] };
    writeFileSync(join(this.directory, 'tsconfig.json'), JSON.stringify(settings));
    await promisify(execFile)(TSC, ['-p', this.directory], { cwd: ROOT }).catch(({ stdout }) => {
      throw new Error(`expected the examples to be right, got:\n${stdout}`);
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
