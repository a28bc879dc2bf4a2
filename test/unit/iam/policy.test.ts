import { describe, expect, it } from 'vitest';
import {
  type AccessRequest,
  compilePolicies,
  evaluate,
  type PolicyDocument,
  type Statement,
} from '../../../infra/local/policy/policy.ts';

const TABLE = 'arn:aws:dynamodb:us-east-1:000000000000:table/Chat';
const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:jobs';
const RULE = 'arn:aws:events:us-east-1:000000000000:rule/bus/rule';

const policy = (...Statement: Partial<Statement>[]): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: Statement.map((each) => ({ Effect: 'Allow', Action: '*', Resource: '*', ...each })),
});
const get: AccessRequest = { action: 'dynamodb:GetItem', resource: TABLE };

describe('a policy', () => {
  it('denies what it does not speak of', () => {
    expect(evaluate([], get)).toBe('implicitly denied');
    expect(evaluate([policy({ Action: 'dynamodb:PutItem' })], get)).toBe('implicitly denied');
    expect(evaluate([policy({ Resource: QUEUE })], get)).toBe('implicitly denied');
  });

  it('is a list of statements or a single one, of lists or single texts', () => {
    const Statement = { Effect: 'Allow', Action: ['dynamodb:GetItem'], Resource: [QUEUE, TABLE] };
    expect(evaluate([{ Statement }], get)).toBe('allowed');
    expect(evaluate([policy({ Action: 'dynamodb:GetItem', Resource: TABLE })], get)).toBe('allowed');
  });

  it('denies whatever another allows, in either order', () => {
    const [allow, deny] = [policy({}), policy({ Effect: 'Deny', Action: 'dynamodb:Get*' })];
    expect(evaluate([allow, deny], get)).toBe('denied');
    expect(evaluate([deny, allow], get)).toBe('denied');
    expect(evaluate([deny, allow], { ...get, action: 'dynamodb:PutItem' })).toBe('allowed');
  });

  it.each([
    ['dynamodb:GetItem', true],
    ['DynamoDB:getitem', true],
    ['dynamodb:Get*', true],
    ['dynamodb:*Item', true],
    ['dynamodb:?etItem', true],
    ['*', true],
    ['dynamodb:Get', false],
    ['dynamodb:GetItems', false],
    ['dynamodb.GetItem', false],
    ['sqs:*', false],
  ])('with the action %s speaks of GetItem: %s', (Action, expected) => {
    expect(evaluate([policy({ Action })], get) === 'allowed').toBe(expected);
  });

  it.each([
    [TABLE, true],
    [`${TABLE}*`, true],
    ['arn:aws:dynamodb:*:*:table/Ch?t', true],
    ['arn:aws:dynamodb:*', true],
    [`${TABLE}/index/*`, false],
    [TABLE.toLowerCase(), false],
    [TABLE.replace('Chat', 'Cha'), false],
    ['arn.aws:dynamodb:us-east-1:000000000000:table/Chat', false],
  ])('with the resource %s speaks of the table: %s', (Resource, expected) => {
    expect(evaluate([policy({ Resource })], get) === 'allowed').toBe(expected);
  });

  it('may name what it does not speak of', () => {
    const others = policy({ Action: undefined as never, NotAction: ['dynamodb:DeleteTable', 'dynamodb:P*'] });
    expect(evaluate([others], get)).toBe('allowed');
    expect(evaluate([others], { ...get, action: 'dynamodb:PutItem' })).toBe('implicitly denied');
    const elsewhere = policy({ Effect: 'Deny', Resource: undefined as never, NotResource: QUEUE });
    expect(evaluate([policy({}), elsewhere], get)).toBe('denied');
    expect(evaluate([policy({}), elsewhere], { ...get, resource: QUEUE })).toBe('allowed');
  });
});

describe('a condition', () => {
  const source = { 'aws:SourceArn': RULE, 'aws:SecureTransport': 'true' };
  const holds = (Condition: Statement['Condition'], context: Record<string, string> = source) =>
    evaluate([policy({ Condition: Condition ?? {} })], { ...get, context }) === 'allowed';

  it.each<[string, Statement['Condition'], boolean]>([
    ['StringEquals', { StringEquals: { 'aws:SourceArn': RULE } }, true],
    ['StringEquals, key in another case', { StringEquals: { 'AWS:sourcearn': RULE } }, true],
    ['StringEquals, one of several', { StringEquals: { 'aws:SourceArn': ['a', RULE] } }, true],
    ['StringEquals, with a wildcard', { StringEquals: { 'aws:SourceArn': 'arn:*' } }, false],
    ['StringEqualsIgnoreCase', { StringEqualsIgnoreCase: { 'aws:SourceArn': RULE.toUpperCase() } }, true],
    ['StringNotEquals', { StringNotEquals: { 'aws:SourceArn': 'a' } }, true],
    ['StringNotEquals, none of several', { StringNotEquals: { 'aws:SourceArn': ['a', RULE] } }, false],
    ['StringLike', { StringLike: { 'aws:SourceArn': 'arn:*:rule/*' } }, true],
    ['StringNotLike', { StringNotLike: { 'aws:SourceArn': 'arn:*' } }, false],
    ['ArnEquals', { ArnEquals: { 'aws:SourceArn': RULE } }, true],
    ['ArnLike', { ArnLike: { 'aws:SourceArn': 'arn:aws:events:*:*:rule/bus/*' } }, true],
    ['ArnLike, part by part', { ArnLike: { 'aws:SourceArn': 'arn:*:rule/bus/rule' } }, false],
    ['ArnNotLike', { ArnNotLike: { 'aws:SourceArn': 'arn:aws:sqs:*:*:*' } }, true],
    ['Bool', { Bool: { 'aws:SecureTransport': true as never } }, true],
    ['Bool, the other', { Bool: { 'aws:SecureTransport': 'false' } }, false],
    ['a key that is not there', { StringEquals: { 'aws:PrincipalTag/team': 'a' } }, false],
    ['a key that is not there, negated', { StringNotEquals: { 'aws:PrincipalTag/team': 'a' } }, true],
    ['a key that is not there, IfExists', { StringEqualsIfExists: { 'aws:PrincipalTag/team': 'a' } }, true],
    ['a key that is there, IfExists', { StringEqualsIfExists: { 'aws:SourceArn': 'a' } }, false],
    ['Null, and it is', { Null: { 'aws:PrincipalTag/team': 'true' } }, true],
    ['Null, and it is not', { Null: { 'aws:SourceArn': 'true' } }, false],
    ['not Null', { Null: { 'aws:SourceArn': 'false' } }, true],
  ])('%s', (_, condition, expected) => {
    expect(holds(condition)).toBe(expected);
  });

  it('has to hold with all its operators and keys', () => {
    const both = {
      ArnLike: { 'aws:SourceArn': 'arn:aws:events:*:*:rule/*' },
      Bool: { 'aws:SecureTransport': 'true' },
    };
    expect(holds(both)).toBe(true);
    expect(holds(both, { ...source, 'aws:SecureTransport': 'false' })).toBe(false);
  });
});

it.each<[string, Partial<Statement>, string]>([
  [
    'an operator that is not known',
    { Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } },
    'got IpAddress',
  ],
  [
    'an operator on sets',
    { Condition: { 'ForAllValues:StringEquals': { 'dynamodb:Attributes': 'a' } } },
    'got ForAllValues:StringEquals',
  ],
  ['an effect that is none', { Effect: 'allow' }, 'expected Effect to be Allow or Deny, got "allow"'],
  ['no action', { Action: undefined as never }, 'expected a statement with Action or NotAction, got neither'],
  [
    'two kinds of resources',
    { NotResource: TABLE },
    'expected a statement with Resource or NotResource, got both',
  ],
  ['a variable', { Resource: `home/\${aws:username}` }, `got home/\${aws:username}`],
])('a policy with %s is refused before anybody asks', (_, statement, message) => {
  expect(() => compilePolicies([policy(statement)])).toThrow(message);
});
