import type { Clock } from '../clock.ts';
import { functionSettings, mappingSettings } from '../stack/resources.ts';
import type { Stack } from '../stack/stack.ts';
import { Meter } from './meter.ts';
import { shortNames } from './names.ts';

const TYPES = [
  'AWS::Lambda::Function',
  'AWS::DynamoDB::Table',
  'AWS::SQS::Queue',
  'AWS::Events::EventBus',
  'AWS::Scheduler::Schedule',
];

/** A meter that knows the resources of a stack by name. */
export function createMeter(stack: Stack, clock: Clock): Meter {
  return new Meter({
    clock,
    functions: functionSettings(stack, () => ({})),
    polledQueues: new Set(mappingSettings(stack).map(({ queueArn }) => queueArn.split(':').at(-1) ?? '')),
    names: new Map(TYPES.flatMap((type) => [...shortNames(stack, type)])),
  });
}
