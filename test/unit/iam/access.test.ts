import { expect, it } from 'vitest';
import { Access } from '../../../infra/local/iam/access.ts';
import type { Principal } from '../../../infra/local/iam/principals.ts';
import { compilePolicies } from '../../../infra/local/policy/policy.ts';

const ACCOUNT = '123456789012';
const roleArn = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`;

/** Both may do everything, if they are the publisher. */
const policy = compilePolicies([
  {
    Statement: {
      Effect: 'Allow',
      Action: '*',
      Resource: '*',
      Condition: { StringEquals: { 'aws:PrincipalArn': roleArn('publisher') } },
    },
  },
]);
const principal = (name: string): Principal => ({
  caller: { kind: 'role', arn: `arn:aws:sts::${ACCOUNT}:assumed-role/${name}/s`, roleArn: roleArn(name) },
  policy,
});

it('looks at who asks, however they take turns', () => {
  const access = new Access({ region: 'us-east-1', accountId: ACCOUNT, resourcePolicies: new Map() });
  const [publisher, reader] = [principal('publisher'), principal('reader')];
  const request = { action: 'events:PutEvents', resource: 'arn:aws:events:us-east-1:1:event-bus/b' };
  const reasons = [publisher, reader, publisher].map((who) => access.check(who, request)?.reason);
  expect(reasons).toEqual([undefined, 'no identity-based policy', undefined]);
});
