import { describe, expect, it } from 'vitest';
import { ruleDefinitions } from '../../infra/local/eventbridge/resources.ts';
import { scheduleSettings } from '../../infra/local/scheduler/resources.ts';
import { stackOf } from './iam/stack.ts';

const stackWith = (Properties: object) =>
  stackOf({
    Bus: { Type: 'AWS::Events::EventBus', Properties: { Name: 'shop' } },
    Rule: { Type: 'AWS::Events::Rule', Properties: { Name: 'orders', ...Properties } },
  });

describe('a rule', () => {
  it('with a pattern and a schedule is both', () => {
    const Targets = [{ Id: 'a', Arn: 'arn:aws:lambda:eu-west-1:000000000000:function:a' }];
    const stack = stackWith({
      EventPattern: { source: ['web'] },
      ScheduleExpression: 'rate(1 hour)',
      Targets,
    });
    expect(ruleDefinitions(stack)).toMatchObject([{ name: 'orders' }]);
    expect(scheduleSettings(stack)).toMatchObject([{ expression: 'rate(1 hour)' }]);
  });

  it('with neither is no schedule, so that the bus refuses it', () => {
    const stack = stackWith({});
    expect(ruleDefinitions(stack)).toMatchObject([{ name: 'orders', eventPattern: undefined }]);
    expect(scheduleSettings(stack)).toEqual([]);
  });

  it('has a schedule on the default bus only', () => {
    const schedule = { ScheduleExpression: 'rate(1 hour)' };
    expect(() => scheduleSettings(stackWith({ ...schedule, EventBusName: { Ref: 'Bus' } }))).toThrow(
      'rule orders: ScheduleExpression is supported only on the default event bus.',
    );
    expect(scheduleSettings(stackWith({ ...schedule, EventBusName: 'default' }))).toEqual([]);
  });
});
