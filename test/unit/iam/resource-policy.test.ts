import { expect, it } from 'vitest';
import type { Statement } from '../../../infra/local/policy/policy.ts';
import { type Caller, compileResourcePolicies } from '../../../infra/local/policy/resource-policy.ts';

const ACCOUNT = 'arn:aws:iam::000000000000:root';
const ROLE = 'arn:aws:iam::000000000000:role/path/Worker';
const SESSION = 'arn:aws:sts::000000000000:assumed-role/Worker/function';

const role: Caller = { kind: 'role', arn: SESSION, roleArn: ROLE };
const root: Caller = { kind: 'root', arn: ACCOUNT };
const events: Caller = { kind: 'service', arn: 'events.amazonaws.com' };

const decide = (caller: Caller, Principal: unknown, Effect = 'Allow') =>
  compileResourcePolicies([{ Statement: { Effect, Principal, Action: 'sqs:SendMessage', Resource: '*' } }])(
    caller,
    {
      action: 'sqs:SendMessage',
      resource: 'arn:aws:sqs:us-east-1:000000000000:jobs',
    },
  );

it.each<[string, Caller, unknown, boolean]>([
  ['a role by its ARN', role, { AWS: ROLE }, true],
  ['a role by its session', role, { AWS: [SESSION] }, true],
  ['no other role', role, { AWS: `${ROLE}2` }, false],
  ['everybody', role, '*', true],
  ['everybody, the longer way', role, { AWS: '*' }, true],
  ['a service', events, { Service: 'events.amazonaws.com' }, true],
  ['one of several services', events, { Service: ['sns.amazonaws.com', 'events.amazonaws.com'] }, true],
  ['no other service', events, { Service: 'sns.amazonaws.com' }, false],
  ['a service where everybody is', events, { AWS: '*' }, true],
  ['no service where a role is', events, { AWS: ROLE }, false],
  ['the root user', root, { AWS: ACCOUNT }, true],
  ['the root user by the account', root, { AWS: '000000000000' }, true],
])('names %s', (_, caller, principal, expected) => {
  expect(decide(caller, principal)).toBe(expected ? 'allowed' : 'implicitly denied');
});

it('of an account leaves it to its roles’ own policies what they may do, and denies for all of them', () => {
  expect(decide(role, { AWS: ACCOUNT })).toBe('implicitly denied');
  expect(decide(role, { AWS: '000000000000' })).toBe('implicitly denied');
  expect(decide(role, { AWS: ACCOUNT }, 'Deny')).toBe('denied');
});

it.each<[string, Partial<Statement>]>([
  ['without a principal', {}],
  ['with NotPrincipal', { NotPrincipal: { AWS: ROLE } }],
])('%s is refused before anybody asks', (_, statement) => {
  const Statement = { Effect: 'Allow', Action: '*', Resource: '*', ...statement };
  expect(() => compileResourcePolicies([{ Statement }])).toThrow('Principal');
});
