import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boot, type Runtime, type RuntimeOptions } from '../infra/local/runtime.ts';
import { type Assembly, synthesise } from '../infra/local/synth.ts';

export interface LocalOptions extends Partial<Pick<RuntimeOptions, 'dataDir' | 'clock' | 'fault'>> {
  readonly app?: string;
}

/** Synthesised once for all tests of a file. */
const assemblies = new Map<string, Promise<Assembly>>();

function assemblyOf(app: string): Promise<Assembly> {
  const made = assemblies.get(app);
  if (made) return made;
  const directory = mkdtempSync(join(tmpdir(), 'fanwire-test-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const assembly = synthesise(join(import.meta.dirname, '..', app), directory);
  assemblies.set(app, assembly);
  return assembly;
}

/** Boots the system inside the test's own process, for tests that reach into it. */
export async function bootLocal({ app = 'infra/app.ts', ...options }: LocalOptions = {}): Promise<Runtime> {
  const assembly = await assemblyOf(app);
  return boot({ assembly, port: 0, files: new Map(), log: () => {}, ...options });
}
