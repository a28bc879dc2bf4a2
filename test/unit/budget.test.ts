import { expect, it } from 'vitest';
import { liftBudget } from '../../infra/local/fanwire/budget.ts';

it('lifts the budget of requests where there is one, and leaves everything else as it is', () => {
  const template = {
    Resources: {
      Worker: { Properties: { Environment: { Variables: { REQUESTS_PER_SECOND_MAX: '8000', A: 'a' } } } },
      Other: { Properties: { Environment: { Variables: { A: 'a' } } } },
      Queue: { Type: 'AWS::SQS::Queue' },
    },
  };
  const before = structuredClone(template);
  expect(liftBudget(template)).toEqual({
    Resources: {
      ...template.Resources,
      Worker: { Properties: { Environment: { Variables: { REQUESTS_PER_SECOND_MAX: '1000000', A: 'a' } } } },
    },
  });
  expect(template).toEqual(before);
});
