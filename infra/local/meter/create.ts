import type { Clock } from '../clock.ts';
import { functionSettings, mappingSettings } from '../lambda/resources.ts';
import { secretDefinitions } from '../secretsmanager/resources.ts';
import type { Names } from '../stack/names.ts';
import type { Stack } from '../stack/stack.ts';
import { Meter } from './meter.ts';

/** A meter for the resources of a stack. */
export function createMeter(stack: Stack, names: Names, clock: Clock): Meter {
  return new Meter({
    clock,
    functions: functionSettings(stack, () => ({})),
    polledQueues: new Set(mappingSettings(stack).map(({ queueArn }) => queueArn.split(':').at(-1) ?? '')),
    secrets: secretDefinitions(stack).map(({ name }) => name),
    names,
  });
}
