import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Fanwire } from '../../infra/fanwire.ts';
import type { FanwireSettings } from '../../infra/settings.ts';

// biome-ignore lint/suspicious/noExplicitAny: a template is plain JSON
export type Json = any;

/** A stack of an app of its own with nothing in it but a Fanwire. `given` may need things of that stack. */
export function synthesised(
  given: FanwireSettings | ((stack: Stack) => FanwireSettings) = {},
  stackName = 'Stack',
) {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'fanwire-stack-')) });
  const stack = new Stack(app, 'Stack', { stackName });
  const fanwire = new Fanwire(stack, 'Fanwire', typeof given === 'function' ? given(stack) : given);
  const template = Template.fromStack(stack);
  /** Every resource of a type, with its logical id as `id`; `Properties` are beside it. */
  const resources = (type: string): Json[] =>
    Object.entries(template.findResources(type)).map(([id, { Properties, ...rest }]) => ({
      id,
      ...rest,
      ...Properties,
    }));
  return { app, stack, fanwire, template, resources };
}
