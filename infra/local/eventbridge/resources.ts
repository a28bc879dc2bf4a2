import { documentOf, type Grant } from '../policy/grant.ts';
import type { PolicyDocument, Statement } from '../policy/policy.ts';
import { arnOf, type Facts, named, nameOf, textOf } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import { encryption, honoured, ignored, label, matching, monitoring, tags } from '../stack/rules.ts';
import type { Resource, Stack } from '../stack/stack.ts';
import type { RuleDefinition } from './buses.ts';

/** Every account has one. */
export const DEFAULT_BUS = 'default';

/** What CloudFormation has of EventBridge's buses. */
export const eventBridgeTypes: ResourceTypes = {
  'AWS::Events::EventBus': {
    rules: {
      ...tags,
      Name: matching(/^[\w.-]{1,256}$/, '1 to 256 letters, digits and "_.-"'),
      Description: label,
      KmsKeyIdentifier: encryption,
      LogConfig: monitoring,
      Policy: honoured,
    },
    naming: {
      ...named('Name', 256),
      arn: ({ name, region, accountId }) => `arn:aws:events:${region}:${accountId}:event-bus/${name}`,
      attributes: { Arn: arnOf, Name: nameOf },
    },
  },
  'AWS::Events::Rule': {
    rules: {
      ...tags,
      Name: matching(/^[\w.-]{1,64}$/, '1 to 64 letters, digits and "_.-"'),
      Description: label,
      EventBusName: honoured,
      EventPattern: honoured,
      ScheduleExpression: honoured,
      State: matching(/^(ENABLED|DISABLED)$/, '"ENABLED" or "DISABLED"'),
      RoleArn: ignored('It is for targets that are event buses.'),
      'Targets.Id': honoured,
      'Targets.Arn': matching(/^arn:aws:(lambda|sqs):/, 'a Lambda function or an SQS queue'),
      'Targets.Input': honoured,
      'Targets.InputPath': honoured,
      'Targets.SqsParameters': honoured,
      'Targets.DeadLetterConfig': honoured,
      'Targets.RetryPolicy': honoured,
      'Targets.RoleArn': honoured,
    },
    naming: {
      ...named('Name', 64),
      arn: (rule) => `arn:aws:events:${rule.region}:${rule.accountId}:rule/${rulePath(rule, '/')}`,
      ref: (rule) => rulePath(rule, '|'), // not documented; seen in go-to-k/cdk-real-drift#973
      attributes: { Arn: arnOf },
    },
  },
};

/** `orders` from `arn:aws:events:eu-west-1:000000000000:event-bus/orders`: a bus goes by either. */
export const busNameOf = (nameOrArn: string): string => nameOrArn.replace(/^arn:.*:event-bus\//, '');

/** A rule of the default bus goes by its name alone. */
function rulePath({ name, properties }: Facts, separator: string): string {
  const bus = busNameOf(textOf(properties, 'EventBusName', DEFAULT_BUS));
  return bus === DEFAULT_BUS ? name : `${bus}${separator}${name}`;
}

/** The buses of a stack. */
export const busNames = (stack: Stack): string[] =>
  stack.ofType('AWS::Events::EventBus').map(({ logicalId }) => stack.physicalName(logicalId));

/** What a rule says, of whichever kind it is. */
export const ruleDefinition = (stack: Stack, { logicalId, properties }: Resource): RuleDefinition => {
  const { EventBusName, EventPattern, State, Targets } = properties as {
    EventBusName?: string;
    EventPattern?: unknown;
    State?: RuleDefinition['state'];
    Targets?: RuleDefinition['targets'];
  };
  return {
    name: stack.physicalName(logicalId),
    arn: stack.arn(logicalId),
    busName: EventBusName ?? DEFAULT_BUS,
    eventPattern: EventPattern,
    state: State ?? 'ENABLED',
    targets: Targets ?? [],
  };
};

/** The rules of a stack with a schedule: these are schedules of the older kind. They may have a pattern besides. */
export function scheduledRules(stack: Stack): Resource[] {
  const rules = stack
    .ofType('AWS::Events::Rule')
    .filter(({ properties }) => properties.ScheduleExpression !== undefined);
  for (const rule of rules) {
    const { name, busName } = ruleDefinition(stack, rule);
    if (busNameOf(busName) === DEFAULT_BUS) continue;
    throw new Error(`rule ${name}: ScheduleExpression is supported only on the default event bus.`);
  }
  return rules;
}

/** The rules of a stack that wait for events. */
export const ruleDefinitions = (stack: Stack): RuleDefinition[] =>
  stack
    .ofType('AWS::Events::Rule')
    .filter(
      ({ properties }) =>
        properties.EventPattern !== undefined || properties.ScheduleExpression === undefined,
    )
    .map((rule) => ruleDefinition(stack, rule));

/** The policies that buses have as a property of their own: a whole document or a single statement. */
export function* busGrants(stack: Stack): Generator<Grant> {
  for (const resource of stack.ofType('AWS::Events::EventBus')) {
    const given = resource.properties.Policy as PolicyDocument | Statement | undefined;
    if (!given) continue;
    yield { arn: stack.arn(resource.logicalId), resource, property: 'Policy', document: documentOf(given) };
  }
}
