import { describe, expect, it } from 'vitest';
import { dynamodb } from '../../../infra/local/dynamodb/rights.ts';
import { events } from '../../../infra/local/eventbridge/rights.ts';
import { accessesOf, type TargetService } from '../../../infra/local/http/rights.ts';
import { arnOfSecret } from '../../../infra/local/secretsmanager/resources.ts';
import { secretsManager } from '../../../infra/local/secretsmanager/rights.ts';
import { sqs } from '../../../infra/local/sqs/rights.ts';

const ACCOUNT = { region: 'us-east-1', accountId: '000000000000' };
const table = (name: string) => `arn:aws:dynamodb:us-east-1:000000000000:table/${name}`;
const queue = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
const bus = (name: string) => `arn:aws:events:us-east-1:000000000000:event-bus/${name}`;

const secret = (name: string) => arnOfSecret(name, ACCOUNT);

type Row = [operation: string, input: object, ...accesses: [action: string, resource: string][]];

const DYNAMODB: Row[] = [
  ['GetItem', { TableName: 'A' }, ['GetItem', table('A')]],
  ['PutItem', { TableName: table('A') }, ['PutItem', table('A')]],
  ['Query', { TableName: 'A' }, ['Query', table('A')]],
  ['Query', { TableName: 'A', IndexName: 'byUser' }, ['Query', `${table('A')}/index/byUser`]],
  ['Scan', { TableName: 'A', IndexName: 'byUser' }, ['Scan', `${table('A')}/index/byUser`]],
  [
    'BatchGetItem',
    { RequestItems: { A: {}, B: {} } },
    ['BatchGetItem', table('A')],
    ['BatchGetItem', table('B')],
  ],
  ['BatchWriteItem', { RequestItems: { A: [] } }, ['BatchWriteItem', table('A')]],
  [
    'TransactWriteItems',
    {
      TransactItems: [
        { Put: { TableName: 'A' } },
        { Put: { TableName: 'A' } },
        { Update: { TableName: 'A' } },
        { Delete: { TableName: 'B' } },
        { ConditionCheck: { TableName: 'B' } },
      ],
    },
    ['PutItem', table('A')],
    ['UpdateItem', table('A')],
    ['DeleteItem', table('B')],
    ['ConditionCheckItem', table('B')],
  ],
  ['TransactGetItems', { TransactItems: [{ Get: { TableName: 'A' } }] }, ['GetItem', table('A')]],
  ['ListTagsOfResource', { ResourceArn: table('A') }, ['ListTagsOfResource', table('A')]],
  ['ListTables', {}, ['ListTables', '*']],
];
const SQS: Row[] = [
  ['SendMessage', { QueueUrl: 'http://localhost:4566/000000000000/jobs' }, ['SendMessage', queue('jobs')]],
  ['SendMessageBatch', { QueueUrl: 'http://x/000000000000/jobs' }, ['SendMessage', queue('jobs')]],
  ['DeleteMessageBatch', { QueueUrl: 'http://x/000000000000/jobs' }, ['DeleteMessage', queue('jobs')]],
  [
    'ChangeMessageVisibilityBatch',
    { QueueUrl: 'http://x/000000000000/jobs' },
    ['ChangeMessageVisibility', queue('jobs')],
  ],
  ['GetQueueUrl', { QueueName: 'jobs' }, ['GetQueueUrl', queue('jobs')]],
  ['ListQueues', {}, ['ListQueues', '*']],
];
const EVENTS: Row[] = [
  [
    'PutEvents',
    { Entries: [{ EventBusName: 'a' }, { EventBusName: bus('a') }, {}, { EventBusName: 'b' }] },
    ['PutEvents', bus('a')],
    ['PutEvents', bus('default')],
    ['PutEvents', bus('b')],
  ],
  ['PutEvents', {}, ['PutEvents', '*']],
  ['ListRules', {}, ['ListRules', '*']],
];

const OTHERS = 'arn:aws:secretsmanager:us-east-1:111111111111:secret:app/key-abcdef';
const SECRETS: Row[] = [
  ['GetSecretValue', { SecretId: secret('app/key') }, ['GetSecretValue', secret('app/key')]],
  ['GetSecretValue', { SecretId: secret('app/key').slice(0, -7) }, ['GetSecretValue', secret('app/key')]],
  ['PutSecretValue', { SecretId: 'app/key' }, ['PutSecretValue', secret('app/key')]],
  ['DescribeSecret', { SecretId: OTHERS }, ['DescribeSecret', OTHERS]],
  ['ListSecrets', {}, ['ListSecrets', '*']],
];

describe.each<{ service: TargetService; rows: Row[] }>([
  { service: dynamodb, rows: DYNAMODB },
  { service: sqs, rows: SQS },
  { service: events, rows: EVENTS },
  { service: secretsManager, rows: SECRETS },
])('$service.name', ({ service, rows }) => {
  it.each(rows)('%s %j', (operation, input, ...accesses) => {
    expect(accessesOf(service, operation, { ...input }, ACCOUNT)).toEqual(
      accesses.map(([action, resource]) => ({
        action: `${service.name}:${action}`,
        resource,
        ...(service === events && resource !== '*' && { context: {} }),
      })),
    );
  });
});

it('an event brings its source and its detail type into the context', () => {
  const Entries = [{ Source: 'my.shop', DetailType: 'sold', Detail: '{}' }];
  expect(accessesOf(events, 'PutEvents', { Entries }, ACCOUNT)).toEqual([
    {
      action: 'events:PutEvents',
      resource: bus('default'),
      context: { 'events:source': 'my.shop', 'events:detail-type': 'sold' },
    },
  ]);
});

it.each<{ service: TargetService; operation: string; input: object }>([
  {
    service: dynamodb,
    operation: 'TransactWriteItems',
    input: { TransactItems: [null, { Put: null }, 'x'] },
  },
  { service: dynamodb, operation: 'BatchGetItem', input: { RequestItems: [1] } },
  { service: dynamodb, operation: 'GetItem', input: { TableName: { a: 1 } } },
  { service: sqs, operation: 'SendMessage', input: { QueueUrl: 7 } },
  { service: events, operation: 'PutEvents', input: { Entries: 'x' } },
  { service: secretsManager, operation: 'GetSecretValue', input: { SecretId: 7 } },
])('a malformed $service.name:$operation still needs a right', ({ service, operation, input }) => {
  expect(accessesOf(service, operation, { ...input }, ACCOUNT).length).toBeGreaterThan(0);
});
