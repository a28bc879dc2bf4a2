import { boot, type Runtime, type RuntimeOptions } from '../../infra/local/runtime.ts';
import type { Assembly } from '../../infra/local/stack/synth.ts';
import { OPEN_APP } from './apps.ts';
import { assemblyOf } from './assemblies.ts';

export interface LocalOptions
  extends Partial<
    Pick<
      RuntimeOptions,
      'allowedOrigins' | 'dataDir' | 'clock' | 'faults' | 'latency' | 'limits' | 'log' | 'deny' | 'onUse'
    >
  > {
  readonly app?: string;
  /** Changes the template that the app has made, before it is booted. */
  readonly edit?: (resources: TemplateResources) => void;
  /**
   * Runs what the app has scheduled. The sweep runs first when the system starts, waits half a minute if it sees a
   * connection that is just coming or going, and makes a stop wait.
   */
  readonly schedules?: boolean;
}

/** By logical id, which begins with the path in the app: `FanwireIngestPolicyFA5A7E9D`. */
// biome-ignore lint/suspicious/noExplicitAny: a test knows what it changes, and fails if it does not
export type TemplateResources = Record<string, { Type: string; Properties: any }>;

/** The environment variables of a function of Fanwire's, by the id of its construct, to be changed. */
export function variablesOf(resources: TemplateResources, id: string): Record<string, string> {
  const [name = ''] = Object.keys(resources).filter((key) => key.startsWith(`Fanwire${id}Function`));
  return resources[name]?.Properties.Environment.Variables;
}

/** `FANWIRE_TEST_LATENCY=aws npx vitest run test/integration/history.test.ts`: any of the tests as if it ran on AWS. */
const latency: Pick<LocalOptions, 'latency'> =
  process.env.FANWIRE_TEST_LATENCY === 'aws' ? { latency: { profile: 'aws', seed: 1 } } : {};

/** Boots the system inside the test's own process, for tests that reach into it. */
export async function bootLocal({
  app = OPEN_APP,
  edit,
  schedules = false,
  ...options
}: LocalOptions = {}): Promise<Runtime> {
  const assembly = edited(await assemblyOf(app), (resources) => {
    if (!schedules) disableSchedules(resources);
    edit?.(resources);
  });
  return boot({ assembly, port: 0, files: new Map(), log: () => {}, ...latency, ...options });
}

function disableSchedules(resources: TemplateResources): void {
  for (const { Type, Properties } of Object.values(resources)) {
    if (Type === 'AWS::Scheduler::Schedule') Properties.State = 'DISABLED';
  }
}

function edited(assembly: Assembly, edit: (resources: TemplateResources) => void): Assembly {
  const template = structuredClone(assembly.template) as { readonly Resources: TemplateResources };
  edit(template.Resources);
  return { ...assembly, template };
}
