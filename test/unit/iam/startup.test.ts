import { expect, it } from 'vitest';
import { TemplateError } from '../../../infra/local/stack/stack.ts';
import { allow, iamOf, type Properties, role, roleWith, stackOf, trusting, worker } from './stack.ts';

const queue = { Type: 'AWS::SQS::Queue' };
const mapping = {
  Type: 'AWS::Lambda::EventSourceMapping',
  Properties: { EventSourceArn: { 'Fn::GetAtt': 'Jobs.Arn' }, FunctionName: { Ref: 'Worker' } },
};

/** What keeps a template from starting. */
function problemsOf(Resources: Properties): string[] {
  try {
    iamOf(stackOf(Resources));
    return [];
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return error.problems.map(({ logicalId, property, message }) => `${logicalId} ${property}: ${message}`);
  }
}

const USE_QUEUE = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'];

it('starts what AWS would create', () => {
  expect(
    problemsOf({ Role: roleWith(allow(USE_QUEUE)), Worker: worker, Jobs: queue, Mapping: mapping }),
  ).toEqual([]);
});

it('says all of it at once', () => {
  const problems = problemsOf({
    Role: roleWith(allow('*', { Condition: { IpAddress: { 'aws:SourceArn': '10.0.0.0/8' } } })),
    Policy: {
      Type: 'AWS::IAM::Policy',
      Properties: {
        PolicyName: 'p',
        Roles: [{ Ref: 'Role' }],
        PolicyDocument: allow('*', { Condition: { StringEquals: { 'dynamodb:LeadingKeys': 'a' } } }),
      },
    },
    Worker: worker,
    Jobs: queue,
    QueuePolicy: {
      Type: 'AWS::SQS::QueuePolicy',
      Properties: { Queues: [{ Ref: 'Jobs' }], PolicyDocument: allow('*') },
    },
  });
  expect(problems).toEqual([
    expect.stringMatching(
      /^Role Policies: expected a condition operator that works locally .*, got IpAddress$/,
    ),
    'Policy PolicyDocument: expected condition keys that requests have here, got dynamodb:LeadingKeys',
    'QueuePolicy PolicyDocument: expected Principal to name somebody, got undefined',
  ]);
});

it('refuses a managed policy that it does not know', () => {
  const arn = (name: string) => ({
    'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:iam::aws:policy/${name}`]],
  });
  const attached = role({
    ManagedPolicyArns: [arn('service-role/AWSLambdaBasicExecutionRole'), arn('PowerUserAccess')],
  });
  expect(problemsOf({ Role: attached, Worker: worker })).toEqual([
    expect.stringMatching(/^Role ManagedPolicyArns: .*, got arn:aws:iam::aws:policy\/PowerUserAccess$/),
  ]);
});

it('refuses a role that Lambda or Scheduler may not assume', () => {
  const problems = problemsOf({
    Role: role({ AssumeRolePolicyDocument: trusting('scheduler.amazonaws.com') }),
    Worker: worker,
    Other: role(),
    Schedule: {
      Type: 'AWS::Scheduler::Schedule',
      Properties: {
        ScheduleExpression: 'rate(1 minute)',
        FlexibleTimeWindow: { Mode: 'OFF' },
        Target: { Arn: { 'Fn::GetAtt': 'Worker.Arn' }, RoleArn: { 'Fn::GetAtt': 'Other.Arn' } },
      },
    },
  });
  expect(problems).toEqual([
    'Worker Role: expected a role that lambda.amazonaws.com may assume, got arn:aws:iam::000000000000:role/App-Role',
    'Schedule Target.RoleArn: expected a role that scheduler.amazonaws.com may assume, ' +
      'got arn:aws:iam::000000000000:role/App-Other',
  ]);
});

it.each(USE_QUEUE)('refuses a mapping whose function lacks %s, as Lambda does', (missing) => {
  const actions = USE_QUEUE.filter((action) => action !== missing);
  expect(
    problemsOf({ Role: roleWith(allow(actions)), Worker: worker, Jobs: queue, Mapping: mapping }),
  ).toEqual([
    `Mapping FunctionName: The function execution role does not have permissions to call ${missing.slice(4)} on SQS`,
  ]);
});

it('takes policies from wherever a role has them', () => {
  const [receive, remove, look] = USE_QUEUE.map((action) => allow(action));
  const Roles = [{ Ref: 'Role' }];
  const attachedTo = { Type: 'AWS::IAM::ManagedPolicy', Properties: { PolicyDocument: remove, Roles } };
  const named = { Type: 'AWS::IAM::ManagedPolicy', Properties: { PolicyDocument: look } };
  expect(
    problemsOf({
      Role: role({
        Policies: [{ PolicyName: 'p', PolicyDocument: receive }],
        ManagedPolicyArns: [{ Ref: 'Named' }],
      }),
      Attached: attachedTo,
      Named: named,
      Worker: worker,
      Jobs: queue,
      Mapping: mapping,
    }),
  ).toEqual([]);
});
