import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type Assembly, synthesise } from '../../infra/local/stack/synth.ts';
import { until } from './until.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Says where the assemblies of a test run are. */
const VARIABLE = 'FANWIRE_TEST_ASSEMBLIES';

/** For vitest, once around all test files, which run in processes of their own. */
export default function setup(project: Pick<TestProject, 'onTestsRerun'>): () => void {
  const directory = temporary();
  process.env[VARIABLE] = directory;
  // The code may be another one by then.
  project.onTestsRerun(async () => {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
  });
  return () => rmSync(directory, { recursive: true, force: true });
}

const made = new Map<string, Promise<Assembly>>();

/** An app's assembly (a path from the repository's root, or an absolute one), synthesised once for all who ask for it: those of a test run, or of this process. */
export function assemblyOf(app: string): Promise<Assembly> {
  const known = made.get(app);
  if (known) return known;
  const shared = process.env[VARIABLE];
  const assembly = shared === undefined ? makeForProcess(app) : makeForAll(app, shared);
  made.set(app, assembly);
  return assembly;
}

/** Beforehand, where no test has to wait for it. */
export async function synthesiseAll(...apps: readonly string[]): Promise<void> {
  await Promise.all(apps.map(assemblyOf));
}

function makeForProcess(app: string): Promise<Assembly> {
  const directory = temporary();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return synthesise(resolve(ROOT, app), directory);
}

type Made = { readonly assembly: Assembly } | { readonly problem: string };

/** Whoever comes first makes it. */
async function makeForAll(app: string, shared: string): Promise<Assembly> {
  const directory = join(shared, app.replaceAll(/\W/g, '_'));
  const file = `${directory}.json`;
  if (isFirst(directory)) {
    const result: Made = await synthesise(resolve(ROOT, app), directory).then(
      (assembly) => ({ assembly }),
      (error: unknown) => ({ problem: String(error) }),
    );
    writeFileSync(`${file}.part`, JSON.stringify(result));
    renameSync(`${file}.part`, file);
  }
  await until(() => existsSync(file));
  const result = JSON.parse(readFileSync(file, 'utf8')) as Made;
  if ('problem' in result) throw new Error(result.problem);
  return result.assembly;
}

function isFirst(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

const temporary = (): string => mkdtempSync(join(tmpdir(), 'fanwire-test-'));
