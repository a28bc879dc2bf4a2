import { expect, it } from 'vitest';
import { Access } from '../../../infra/local/iam/access.ts';
import { readResourcePolicies } from '../../../infra/local/iam/grants.ts';
import { PolicyProblems } from '../../../infra/local/iam/policy-problems.ts';
import { Principals } from '../../../infra/local/iam/principals.ts';
import { grantsIn } from '../../../infra/local/services.ts';
import { type Properties, role, stackOf, worker } from './stack.ts';

const ACCOUNT = { region: 'us-east-1', accountId: '000000000000' };
const KEYS = { KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }] };
const TABLE = { ...KEYS, AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }] };

const document = (Action: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'friend.amazonaws.com' }, Action, Resource: '*' }],
});

/** Whoever has no policy of their own may do what a resource's policy says. */
it.each<[string, string, Properties]>([
  [
    'a queue',
    'sqs:SendMessage',
    {
      Mine: { Type: 'AWS::SQS::Queue', Properties: {} },
      Policy: {
        Type: 'AWS::SQS::QueuePolicy',
        Properties: { Queues: [{ Ref: 'Mine' }], PolicyDocument: document('sqs:SendMessage') },
      },
    },
  ],
  [
    'a function',
    'lambda:InvokeFunction',
    {
      Role: role(),
      Mine: worker,
      Permission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          Action: 'lambda:InvokeFunction',
          FunctionName: { Ref: 'Mine' },
          Principal: 'friend.amazonaws.com',
        },
      },
    },
  ],
  [
    'a table',
    'dynamodb:GetItem',
    {
      Mine: {
        Type: 'AWS::DynamoDB::Table',
        Properties: { ...TABLE, ResourcePolicy: { PolicyDocument: document('dynamodb:GetItem') } },
      },
    },
  ],
  [
    'a bus',
    'events:PutEvents',
    {
      Mine: {
        Type: 'AWS::Events::EventBus',
        Properties: { Name: 'mine', Policy: document('events:PutEvents') },
      },
    },
  ],
])('the policy of %s allows what it says, and nothing else', (_, action, resources) => {
  const stack = stackOf(resources);
  const problems = new PolicyProblems([]);
  const resourcePolicies = readResourcePolicies(grantsIn(stack), problems);
  expect(problems.found).toEqual([]);
  const access = new Access({ ...ACCOUNT, resourcePolicies });
  const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'secret' };
  const friend = new Principals({ ...ACCOUNT, credentials, policies: new Map() }).service(
    'friend.amazonaws.com',
  );
  const check = (asked: string) => access.check(friend, { action: asked, resource: stack.arn('Mine') });
  expect(check(action)).toBeUndefined();
  expect(check(`${action}Else`)?.reason).toBe('no resource-based policy');
});
