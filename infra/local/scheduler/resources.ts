import { ruleDefinition, scheduledRules } from '../eventbridge/resources.ts';
import { arnOf, named, textOf } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import { encryption, honoured, ignored, label, matching, only } from '../stack/rules.ts';
import type { Stack } from '../stack/stack.ts';
import type { ScheduleSettings } from './schedule.ts';

/** What CloudFormation has of EventBridge Scheduler. */
export const schedulerTypes: ResourceTypes = {
  'AWS::Scheduler::Schedule': {
    rules: {
      Name: matching(/^[\w.-]{1,64}$/, '1 to 64 letters, digits and "_.-"'),
      GroupName: only('default'),
      Description: label,
      ScheduleExpression: honoured,
      ScheduleExpressionTimezone: matching(/^(Etc\/)?UTC$/, 'UTC', 'Schedules run in UTC here.'),
      State: matching(/^(ENABLED|DISABLED)$/, '"ENABLED" or "DISABLED"'),
      FlexibleTimeWindow: ignored('The moment itself is within every window.'),
      'Target.Arn': matching(/^arn:aws:lambda:/, 'a Lambda function'),
      'Target.Input': honoured,
      'Target.RetryPolicy': ignored('After a run that fails comes the next one.'),
      'Target.RoleArn': honoured,
      KmsKeyArn: encryption,
    },
    naming: {
      ...named('Name', 64),
      arn: ({ name, region, accountId, properties }) =>
        `arn:aws:scheduler:${region}:${accountId}:schedule/${textOf(properties, 'GroupName', 'default')}/${name}`,
      attributes: { Arn: arnOf },
    },
  },
};

/** Schedules of EventBridge Scheduler, and the older kind: rules with a schedule in place of a pattern. */
export function scheduleSettings(stack: Stack): ScheduleSettings[] {
  const schedules = stack.ofType('AWS::Scheduler::Schedule').map(({ logicalId, properties }) => {
    const { ScheduleExpression, State, Target } = properties as {
      ScheduleExpression: string;
      State?: ScheduleSettings['state'];
      Target: { Arn: string; Input?: string; RoleArn?: string };
    };
    return toSchedule(stack, logicalId, ScheduleExpression, State, Target);
  });
  const rules = scheduledRules(stack).flatMap((rule) =>
    ruleDefinition(stack, rule).targets.map((target) =>
      toSchedule(
        stack,
        rule.logicalId,
        rule.properties.ScheduleExpression as string,
        ruleDefinition(stack, rule).state,
        target,
      ),
    ),
  );
  return [...schedules, ...rules];
}

const toSchedule = (
  stack: Stack,
  logicalId: string,
  expression: string,
  state: ScheduleSettings['state'] = 'ENABLED',
  { Arn, Input, RoleArn }: { readonly Arn: string; readonly Input?: string; readonly RoleArn?: string },
): ScheduleSettings => ({
  name: stack.physicalName(logicalId),
  arn: stack.arn(logicalId),
  expression,
  state,
  target: {
    arn: Arn,
    ...(Input !== undefined && { input: Input }),
    ...(RoleArn !== undefined && { roleArn: RoleArn }),
  },
});
