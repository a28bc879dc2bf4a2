import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Code } from './code.ts';
import type { Codes } from './rollout.ts';

/** What an upgrade comes from. It has an `assemble` in every service. */
export const OLD_COMMIT = '60fe7915cc8fd522d62b673346c2260e93c7ed32';

const ROOT = join(import.meta.dirname, '../..');
/** Inside the project, so that what is imported from there finds its packages. */
const FOLDER = join(ROOT, '.fanwire/simulation');
const SOURCES = ['services', 'shared'];
const CODE = 'test/simulation/code.ts';
/** How the functions of `OLD_COMMIT` are made, whose history has no `CODE` yet. */
const OLD_CODE = 'test/simulation/old-code.ts';

/** Where the code of `OLD_COMMIT` waits in real time. Here that takes none: the same seed would not be the same world. */
const WAITING = ['shared/data/dynamo.ts', 'shared/queues/bus.ts', 'shared/queues/queues.ts'];
const WAIT = "import { setTimeout as delay } from 'node:timers/promises';";
const NO_WAIT = 'const delay = async (_ms: number): Promise<void> => {};';

/** A text that stands in a source file once, and what is put in its place. */
export interface Plant {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Answers with the folder of the sources at `OLD_COMMIT`; undefined where the history does not reach back to it. */
export function oldSources(): string | undefined {
  const folder = join(FOLDER, OLD_COMMIT.slice(0, 12));
  if (!hasCommit()) return undefined;
  if (!existsSync(folder)) checkOut(folder);
  // Always anew: it is of this commit, not of the old one.
  place(OLD_CODE, folder);
  for (const file of WAITING) {
    const path = join(folder, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace(WAIT, NO_WAIT));
  }
  return folder;
}

/** The source with the bug. */
export function withPlant({ file, find, replace }: Plant): string {
  const source = readFileSync(join(ROOT, file), 'utf8');
  const places = source.split(find).length - 1;
  if (places !== 1) throw new Error(`expected ${file} to have the text to change once, got ${places} times`);
  return source.replace(find, () => replace);
}

/** Answers with the folder of a copy of the sources that has the bug. */
export function plantedSources(plant: Plant): string {
  const source = withPlant(plant);
  mkdirSync(FOLDER, { recursive: true });
  const folder = mkdtempSync(join(FOLDER, 'planted-'));
  // That of the client extends the project's, which vitest reads where it loads the copy.
  for (const name of [...SOURCES, 'tsconfig.json'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  place(CODE, folder);
  writeFileSync(join(folder, plant.file), source);
  return folder;
}

/** Removes a copy of sources. */
export const removeSources = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** Where code is loaded from; without a folder of its own, from here. */
export interface Sources {
  readonly current?: string | undefined;
  readonly old?: string | undefined;
}

/** Loads what is made of sources. */
export async function load({ current = ROOT, old }: Sources): Promise<Codes> {
  return { current: await codeIn(current), ...(old !== undefined && { old: await codeIn(old) }) };
}

const codeIn = async (folder: string): Promise<Code> =>
  (await import(pathToFileURL(join(folder, CODE)).href)) as Code; // a copy of that file, or made to be alike

function place(file: string, folder: string): void {
  const path = join(folder, CODE);
  mkdirSync(join(path, '..'), { recursive: true });
  cpSync(join(ROOT, file), path);
}

const git = (args: readonly string[], env: NodeJS.ProcessEnv = process.env): string =>
  execFileSync('git', args, { cwd: ROOT, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

function hasCommit(): boolean {
  try {
    git(['cat-file', '-e', `${OLD_COMMIT}^{commit}`]);
    return true;
  } catch {
    return false; // a tarball, a shallow clone, or no git
  }
}

/** All or nothing, whoever else does the same at the same time. */
function checkOut(folder: string): void {
  mkdirSync(FOLDER, { recursive: true });
  const made = mkdtempSync(`${folder}-`);
  const env = { ...process.env, GIT_INDEX_FILE: join(made, 'index') };
  for (const name of SOURCES) git(['read-tree', `--prefix=${name}/`, `${OLD_COMMIT}:${name}`], env);
  git(['checkout-index', '--all', `--prefix=${made}/`], env);
  try {
    renameSync(made, folder);
  } catch (error) {
    removeSources(made);
    if (!existsSync(folder)) throw error;
  }
}
