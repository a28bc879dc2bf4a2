import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boot, type Runtime, type RuntimeOptions } from '../infra/local/runtime.ts';
import { type Assembly, synthesise } from '../infra/local/synth.ts';

export interface LocalOptions
  extends Partial<
    Pick<RuntimeOptions, 'dataDir' | 'clock' | 'faults' | 'limits' | 'log' | 'deny' | 'onUse'>
  > {
  readonly app?: string;
  /** Changes the template that the app has made, before it is booted. */
  readonly edit?: (resources: TemplateResources) => void;
}

/** By logical id, which begins with the path in the app: `FanwireIngestPolicyFA5A7E9D`. */
// biome-ignore lint/suspicious/noExplicitAny: a test knows what it changes, and fails if it does not
export type TemplateResources = Record<string, { Type: string; Properties: any }>;

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
export async function bootLocal({
  app = 'infra/app.ts',
  edit,
  ...options
}: LocalOptions = {}): Promise<Runtime> {
  const made = await assemblyOf(app);
  const assembly = edit ? edited(made, edit) : made;
  return boot({ assembly, port: 0, files: new Map(), log: () => {}, ...options });
}

function edited(assembly: Assembly, edit: (resources: TemplateResources) => void): Assembly {
  const template = structuredClone(assembly.template) as { readonly Resources: TemplateResources };
  edit(template.Resources);
  return { ...assembly, template };
}
