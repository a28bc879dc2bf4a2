import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack as CdkStack, CfnOutput, Duration } from 'aws-cdk-lib';
import { WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Dashboard, GraphWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Architecture, Function as CdkFunction, Code, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { httpApiSettings } from '../../infra/local/apigateway/http/resources.ts';
import { gatewaySettings } from '../../infra/local/apigateway/resources.ts';
import { mappingSettings } from '../../infra/local/lambda/resources.ts';
import { resourceTypes } from '../../infra/local/services.ts';
import { readStack, type Stack, type StackOptions, TemplateError } from '../../infra/local/stack/stack.ts';

type Sections = Readonly<Record<string, unknown>>;

const ASSETS = {
  files: {
    aaa: {
      source: { path: 'asset.aaa', packaging: 'zip' },
      destinations: { here: { bucketName: 'assets', objectKey: 'aaa.zip' } },
    },
    bbb: {
      source: { path: 'Chat.template.json', packaging: 'file' },
      destinations: { here: { bucketName: 'assets', objectKey: 'bbb.json' } },
    },
  },
};

const PLACE = {
  types: resourceTypes,
  name: 'Chat',
  region: 'eu-west-1',
  accountId: '000000000000',
  endpoint: 'http://localhost:4566',
};

function read(resources: Sections, sections: Sections = {}, options: Partial<StackOptions> = {}): Stack {
  const template = { Resources: resources, ...sections };
  return readStack({ template, assets: ASSETS, directory: '/app/cdk.out', ...PLACE, ...options });
}

const queue = (properties: Sections = {}) => ({ Type: 'AWS::SQS::Queue', Properties: properties });
const api = { Type: 'AWS::ApiGatewayV2::Api', Properties: { ProtocolType: 'WEBSOCKET' } };
const lambda = (properties: Sections = {}) => ({
  Type: 'AWS::Lambda::Function',
  Properties: { Handler: 'index.handler', Runtime: 'nodejs24.x', Code: { S3Key: 'aaa.zip' }, ...properties },
});
const variables = (values: Sections) => lambda({ Environment: { Variables: values } });

/** What a value becomes in a template that has `Queue` and these other sections. */
function resolved(value: unknown, sections: Sections = {}): unknown {
  const stack = read({ Worker: variables({ value }), Queue: queue() }, sections);
  return environmentOf(stack, 'Worker')?.value;
}

function environmentOf(stack: Stack, logicalId: string): Record<string, unknown> | undefined {
  const environment = stack.resources.get(logicalId)?.properties.Environment as {
    Variables: Record<string, unknown>;
  };
  return environment?.Variables;
}

function errorOf(task: () => unknown): TemplateError | undefined {
  try {
    task();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  return undefined;
}

const messageOf = (task: () => unknown) => errorOf(task)?.message;

const problemsOf = (task: () => unknown) => errorOf(task)?.problems ?? [];

/** The problems, each as `LogicalId Property: message`. */
const complaints = (task: () => unknown) =>
  problemsOf(task).map(({ logicalId, property, message }) => `${logicalId} ${property ?? ''}: ${message}`);

describe('intrinsic functions', () => {
  const ARN = 'arn:aws:sqs:eu-west-1:000000000000:Chat-Queue';
  const URL = 'http://localhost:4566/000000000000/Chat-Queue';

  it.each<[string, unknown, unknown]>([
    ['Ref', { Ref: 'Queue' }, URL],
    ['Fn::GetAtt', { 'Fn::GetAtt': ['Queue', 'Arn'] }, ARN],
    ['Fn::GetAtt with a dot', { 'Fn::GetAtt': 'Queue.Arn' }, ARN],
    ['Fn::Join', { 'Fn::Join': ['/', ['a', { Ref: 'AWS::Region' }, 1, true]] }, 'a/eu-west-1/1/true'],
    ['Fn::Join of a computed list', { 'Fn::Join': ['.', { 'Fn::Split': ['-', 'a-b'] }] }, 'a.b'],
    ['Fn::Split', { 'Fn::Split': [':', { 'Fn::GetAtt': ['Queue', 'Arn'] }] }, ARN.split(':')],
    ['Fn::Select', { 'Fn::Select': ['1', ['a', { Ref: 'Queue' }]] }, URL],
    [
      'Fn::Select of a split',
      { 'Fn::Select': [5, { 'Fn::Split': [':', { 'Fn::GetAtt': ['Queue', 'Arn'] }] }] },
      'Chat-Queue',
    ],
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the syntax of Fn::Sub
    ['Fn::Sub', { 'Fn::Sub': '${AWS::StackName}: ${Queue} ${Queue.Arn}' }, `Chat: ${URL} ${ARN}`],
    [
      'Fn::Sub with variables',
      { 'Fn::Sub': ['${a}-${Queue.QueueName}', { a: { Ref: 'AWS::Partition' } }] },
      'aws-Chat-Queue',
    ],
    ['Fn::Sub with a literal', { 'Fn::Sub': '${!Queue}' }, '${Queue}'],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the syntax of Fn::Sub
  ])('%s', (_, value, expected) => {
    expect(resolved(value)).toEqual(expected);
  });

  it.each([
    ['AWS::AccountId', '000000000000'],
    ['AWS::Partition', 'aws'],
    ['AWS::Region', 'eu-west-1'],
    ['AWS::StackName', 'Chat'],
    ['AWS::URLSuffix', 'amazonaws.com'],
    [
      'AWS::StackId',
      expect.stringMatching(/^arn:aws:cloudformation:eu-west-1:000000000000:stack\/Chat\/[0-9a-f-]{36}$/),
    ],
  ])('Ref of %s', (name, expected) => {
    expect(resolved({ Ref: name })).toEqual(expected);
  });

  it('Fn::FindInMap', () => {
    const sections = { Mappings: { Sizes: { 'eu-west-1': { large: 9 } } } };
    expect(resolved({ 'Fn::FindInMap': ['Sizes', { Ref: 'AWS::Region' }, 'large'] }, sections)).toBe(9);
  });

  it('AWS::NoValue removes a property, and an item of a list', () => {
    const noValue = { Ref: 'AWS::NoValue' };
    const stack = read({ Queue: queue({ QueueName: noValue, Tags: [noValue, 'kept'] }) });
    expect(stack.resources.get('Queue')?.properties).toEqual({ Tags: ['kept'] });
  });

  it('leave a value alone that only looks like one', () => {
    const value = { Ref: 'Queue', other: 1 };
    expect(resolved(value)).toEqual(value);
  });

  it.each<[unknown, RegExp]>([
    [{ 'Fn::Cidr': [] }, /expected one of Ref, .*, got Fn::Cidr$/],
    [{ Ref: 'Quue' }, /expected the name of a parameter or the logical id of a resource, got "Quue"$/],
    [
      { 'Fn::GetAtt': ['Queue', 'StreamArn'] },
      /expected Arn, QueueName, QueueUrl of Queue .*, got StreamArn$/,
    ],
    [{ 'Fn::Join': ['-'] }, /expected Fn::Join to have 2 arguments, got \["-"\]$/],
    [{ 'Fn::Join': ['-', [{}]] }, /expected a value of Fn::Join to be a text, got \{\}$/],
    [{ 'Fn::Select': [2, ['a']] }, /expected Fn::Select to have a value at 2, got \["a"\]$/],
    [{ 'Fn::If': ['IsProd', 1, 2] }, /expected the name of a condition, got "IsProd"$/],
    [{ 'Fn::FindInMap': ['Sizes', 'a', 'b'] }, /expected the name of a mapping, got "Sizes"$/],
  ])('%j is a problem of the property where it stands', (value, message) => {
    const problems = problemsOf(() => resolved(value));
    expect(problems).toEqual([
      expect.objectContaining({
        logicalId: 'Worker',
        property: 'Environment',
        message: expect.stringMatching(message),
      }),
    ]);
  });
});

describe('parameters', () => {
  const parameter = (Type: string, Default?: unknown) => ({ Parameters: { Stage: { Type, Default } } });

  it('have their default', () => {
    expect(resolved({ Ref: 'Stage' }, parameter('String', 'beta'))).toBe('beta');
  });

  it.each(['CommaDelimitedList', 'List<Number>'])('of type %s are lists', (type) => {
    expect(resolved({ Ref: 'Stage' }, parameter(type, '1, 2'))).toEqual(['1', '2']);
  });

  it('without a default are a problem where they are used', () => {
    const sections = parameter('String');
    expect(complaints(() => resolved({ Ref: 'Stage' }, sections))).toEqual([
      'Worker Environment: expected the parameter Stage to have a default, got none',
    ]);
    expect(resolved('unused', sections)).toBe('unused');
  });

  it('of the SSM Parameter Store may be there, as the version of the CDK bootstrap is, but have no value', () => {
    const sections = {
      Parameters: {
        BootstrapVersion: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/cdk-bootstrap/version' },
      },
      Rules: {
        Check: { Assertions: [{ Assert: { 'Fn::Contains': [['1'], { Ref: 'BootstrapVersion' }] } }] },
      },
    };
    expect(resolved('fine', sections)).toBe('fine');
    expect(complaints(() => resolved({ Ref: 'BootstrapVersion' }, sections))).toEqual([
      'Worker Environment: expected a parameter with a value of its own, got BootstrapVersion, which is kept in SSM',
    ]);
  });
});

describe('conditions', () => {
  const sections = {
    Parameters: { Stage: { Type: 'String', Default: 'prod' } },
    Conditions: {
      Prod: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] },
      Beta: { 'Fn::Equals': [{ Ref: 'Stage' }, 'beta'] },
      Either: { 'Fn::Or': [{ Condition: 'Prod' }, { Condition: 'Beta' }] },
      Both: { 'Fn::And': [{ Condition: 'Prod' }, { Condition: 'Beta' }] },
      NotBeta: { 'Fn::Not': [{ Condition: 'Beta' }] },
    },
  };

  it.each([
    ['Prod', true],
    ['Beta', false],
    ['Either', true],
    ['Both', false],
    ['NotBeta', true],
  ])('%s is %s for Fn::If', (name, holds) => {
    const value = { 'Fn::If': [name, { Ref: 'Queue' }, 'no'] };
    expect(resolved(value, sections)).toBe(holds ? 'http://localhost:4566/000000000000/Chat-Queue' : 'no');
  });

  it('leave out resources and outputs', () => {
    const stack = read(
      { Always: queue(), Beta: { ...queue(), Condition: 'Beta' }, Prod: { ...queue(), Condition: 'Prod' } },
      {
        ...sections,
        Outputs: { No: { Value: 'no', Condition: 'Beta' }, Yes: { Value: 'yes', Condition: 'Prod' } },
      },
    );
    expect([...stack.resources.keys()]).toEqual(['Always', 'Prod']);
    expect(stack.outputs).toEqual({ Yes: 'yes' });
  });

  it('make a reference to what is left out a problem, unless another condition leaves it out too', () => {
    const beta = { ...queue(), Condition: 'Beta' };
    const choice = (condition: string) =>
      variables({ URL: { 'Fn::If': [condition, { Ref: 'Beta' }, 'none'] } });
    expect(complaints(() => read({ Beta: beta, Worker: choice('Prod') }, sections))).toEqual([
      'Worker Environment: expected a resource that exists, got Beta, whose condition does not hold',
    ]);
    expect(environmentOf(read({ Beta: beta, Worker: choice('Beta') }, sections), 'Worker')).toEqual({
      URL: 'none',
    });
  });

  it('that need themselves are a problem', () => {
    const circle = { A: { 'Fn::Not': [{ Condition: 'B' }] }, B: { 'Fn::Not': [{ Condition: 'A' }] } };
    expect(complaints(() => read({ Queue: { ...queue(), Condition: 'A' } }, { Conditions: circle }))).toEqual(
      ['Queue : expected no circle of references, got A -> B -> A'],
    );
  });
});

describe('references', () => {
  const redrive = (logicalId: string) =>
    queue({ RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': [logicalId, 'Arn'] } } });

  it('work in any order', () => {
    const stack = read({ First: redrive('Second'), Second: redrive('Third'), Third: queue() });
    expect([...stack.resources.keys()]).toEqual(['First', 'Second', 'Third']);
    expect(stack.resources.get('First')?.properties).toEqual({
      RedrivePolicy: { deadLetterTargetArn: 'arn:aws:sqs:eu-west-1:000000000000:Chat-Second' },
    });
  });

  it('in a circle are a problem, as on AWS', () => {
    expect(complaints(() => read({ A: redrive('B'), B: redrive('C'), C: redrive('A') }))).toEqual([
      'C RedrivePolicy: expected no circle of references, got A -> B -> C -> A',
    ]);
    expect(complaints(() => read({ A: { ...queue(), DependsOn: ['B'] }, B: redrive('A') }))).toEqual([
      'B RedrivePolicy: expected no circle of references, got A -> B -> A',
    ]);
  });

  it('of DependsOn lead somewhere', () => {
    expect(complaints(() => read({ A: { ...queue(), DependsOn: 'B' } }))).toEqual([
      'A DependsOn: expected the name of a parameter or the logical id of a resource, got "B"',
    ]);
  });
});

describe('the identity of a resource', () => {
  const arn = (service: string, rest: string) => `arn:aws:${service}:eu-west-1:000000000000:${rest}`;
  const iam = (rest: string) => `arn:aws:iam::000000000000:${rest}`;
  const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);

  it.each<[type: string, properties: Sections, ref: unknown, attributes: Sections]>([
    ['AWS::ApiGatewayV2::Integration', {}, expect.stringMatching(/^[0-9a-z]{7}$/), {}],
    ['AWS::ApiGatewayV2::Route', {}, expect.stringMatching(/^[0-9a-z]{7}$/), {}],
    ['AWS::ApiGatewayV2::Stage', { StageName: 'prod' }, 'prod', {}],
    ['AWS::DynamoDB::Table', {}, 'Chat-It', { Arn: arn('dynamodb', 'table/Chat-It') }],
    ['AWS::Events::EventBus', { Name: 'bus' }, 'bus', { Arn: arn('events', 'event-bus/bus'), Name: 'bus' }],
    ['AWS::Events::Rule', {}, 'Chat-It', { Arn: arn('events', 'rule/Chat-It') }],
    ['AWS::Events::Rule', { EventBusName: 'bus' }, 'bus|Chat-It', { Arn: arn('events', 'rule/bus/Chat-It') }],
    ['AWS::Events::Rule', { EventBusName: arn('events', 'event-bus/bus') }, 'bus|Chat-It', {}],
    ['AWS::IAM::Policy', { PolicyName: 'may' }, 'may', {}],
    ['AWS::IAM::ManagedPolicy', {}, iam('policy/Chat-It'), { PolicyArn: iam('policy/Chat-It') }],
    ['AWS::IAM::Role', { Path: '/app/' }, 'Chat-It', { Arn: iam('role/app/Chat-It') }],
    ['AWS::Lambda::EventSourceMapping', {}, uuid, { Id: uuid }],
    ['AWS::Lambda::Function', {}, 'Chat-It', { Arn: arn('lambda', 'function:Chat-It') }],
    ['AWS::Logs::LogGroup', {}, 'Chat-It', { Arn: arn('logs', 'log-group:Chat-It:*') }],
    [
      'AWS::SQS::Queue',
      {},
      'http://localhost:4566/000000000000/Chat-It',
      { Arn: arn('sqs', 'Chat-It'), QueueName: 'Chat-It' },
    ],
    ['AWS::Scheduler::Schedule', {}, 'Chat-It', { Arn: arn('scheduler', 'schedule/default/Chat-It') }],
    [
      'AWS::SecretsManager::Secret',
      { Name: 'app/key' },
      expect.stringMatching(/^arn:aws:secretsmanager:eu-west-1:000000000000:secret:app\/key-[0-9a-z]{6}$/),
      { Id: expect.stringMatching(/:secret:app\/key-[0-9a-z]{6}$/) },
    ],
  ])('of type %s with %j is that of CloudFormation', (type, properties, ref, attributes) => {
    const values = Object.keys(attributes).map((name) => [name, { 'Fn::GetAtt': ['It', name] }]);
    const stack = read({
      It: { Type: type, Properties: properties },
      Worker: variables({ ref: { Ref: 'It' }, ...Object.fromEntries(values) }),
    });
    expect(environmentOf(stack, 'Worker')).toEqual({ ref, ...attributes });
  });

  it('has a name that the template gives, or else one of its own that stays the same', () => {
    const resources = { Given: queue({ QueueName: { 'Fn::Join': ['-', ['my', 'queue']] } }), Made: queue() };
    for (const stack of [read(resources), read(resources)]) {
      expect([stack.physicalName('Given'), stack.physicalName('Made')]).toEqual(['my-queue', 'Chat-Made']);
    }
  });

  it('has a name that is cut to the length that AWS allows, and is still no other one', () => {
    const [one, two] = [`${'Q'.repeat(90)}1`, `${'Q'.repeat(90)}2`];
    const stack = read({ [one]: queue(), [two]: queue() });
    expect(stack.physicalName(one)).toMatch(/^Chat-Q{66}-[0-9a-f]{8}$/);
    expect(stack.physicalName(two)).toHaveLength(80);
    expect(stack.physicalName(two)).not.toBe(stack.physicalName(one));
  });

  it('has an id like those of AWS if it is an API', () => {
    const stack = read({ One: api, Two: api });
    expect(stack.physicalName('One')).toMatch(/^[0-9a-z]{10}$/);
    expect(stack.physicalName('Two')).not.toBe(stack.physicalName('One'));
    expect(read({ One: api }).physicalName('One')).toBe(stack.physicalName('One'));
  });
});

describe('the addresses of the APIs of the stack', () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the syntax of Fn::Sub
  const host = '${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}';
  it.each([
    ['https', { 'Fn::Sub': `https://${host}/prod` }, 'http://localhost:4566/prod'],
    ['wss', { 'Fn::Sub': `wss://${host}/prod` }, 'ws://localhost:4566/prod'],
    ['the API endpoint', { 'Fn::GetAtt': ['Api', 'ApiEndpoint'] }, 'ws://localhost:4566'],
    ['one within a text', { 'Fn::Sub': `{"url":"https://${host}"}` }, '{"url":"http://localhost:4566"}'],
  ])('become the local endpoint: %s', (_, value, expected) => {
    const stack = read({ Api: api, Worker: variables({ value }) }, { Outputs: { Url: { Value: value } } });
    expect(environmentOf(stack, 'Worker')).toEqual({ value: expected });
    expect(stack.outputs).toEqual({ Url: expected });
  });
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the syntax of Fn::Sub

  it('do not when they only resemble one', () => {
    const others = {
      foreign: 'https://abcdefghij.execute-api.eu-west-1.amazonaws.com/prod',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of Fn::Sub
      longer: { 'Fn::Sub': 'https://${Api}.execute-api.eu-west-1.amazonaws.com.cn' },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of Fn::Sub
      host: { 'Fn::Sub': '${Api}.execute-api.eu-west-1.amazonaws.com' },
    };
    const stack = read({ Api: api, Worker: variables(others) });
    const id = stack.physicalName('Api');
    expect(environmentOf(stack, 'Worker')).toEqual({
      foreign: others.foreign,
      longer: `https://${id}.execute-api.eu-west-1.amazonaws.com.cn`,
      host: `${id}.execute-api.eu-west-1.amazonaws.com`,
    });
  });
});

describe('a stack', () => {
  const stack = read({
    Worker: { ...lambda(), Metadata: { 'aws:cdk:path': 'Chat/Worker/Resource' } },
    Queue: queue(),
    Log: { Type: 'AWS::Logs::LogGroup' },
    Api: api,
  });

  it('gives its resources by type', () => {
    expect(stack.ofType('AWS::Lambda::Function')).toEqual([
      {
        logicalId: 'Worker',
        type: 'AWS::Lambda::Function',
        path: 'Chat/Worker/Resource',
        properties: lambda().Properties,
      },
    ]);
    expect(stack.ofType('AWS::Logs::LogGroup')).toEqual([
      { logicalId: 'Log', type: 'AWS::Logs::LogGroup', properties: {} },
    ]);
    expect(stack.ofType('AWS::DynamoDB::Table')).toEqual([]);
  });

  it('knows what a resource is called, and where the code of a function is', () => {
    expect(stack.physicalName('Queue')).toBe('Chat-Queue');
    expect(stack.ref('Queue')).toBe('http://localhost:4566/000000000000/Chat-Queue');
    expect(stack.arn('Queue')).toBe('arn:aws:sqs:eu-west-1:000000000000:Chat-Queue');
    expect(stack.codeDirectory('Worker')).toBe('/app/cdk.out/asset.aaa');
  });

  it('refuses what does not exist', () => {
    expect(() => stack.physicalName('Quue')).toThrow('expected a logical id of Chat, got Quue');
    expect(() => stack.arn('Api')).toThrow('expected a resource that has an ARN, got Api');
    expect(() => stack.codeDirectory('Queue')).toThrow('expected a function, got Queue');
  });
});

describe('what cannot run locally', () => {
  it('is said all at once, in words for people', () => {
    const resources = {
      Bucket: { Type: 'AWS::S3::Bucket', Properties: { AccessControl: 'Private' } },
      Worker: {
        ...lambda({
          Runtime: 'python3.12',
          VpcConfig: {},
          Environment: { Variables: { BUCKET: { Ref: 'Bucket' } } },
        }),
        Metadata: { 'aws:cdk:path': 'Chat/Worker/Resource' },
      },
      Table: {
        Type: 'AWS::DynamoDB::Table',
        Properties: {
          GlobalSecondaryIndexes: [{ IndexName: 'byUser', Colour: 'red' }],
          Arn: { Ref: 'Nobody' },
        },
      },
      Global: { Type: 'AWS::DynamoDB::GlobalTable' },
    };
    const sections = { Outputs: { Url: { Value: { 'Fn::GetAtt': 'Bucket.WebsiteURL' } } } };
    expect(messageOf(() => read(resources, sections))).toBe(
      `Stack Chat cannot run locally: 6 problems.

Table (AWS::DynamoDB::Table)
  - Arn: expected the name of a parameter or the logical id of a resource, got "Nobody"
  - GlobalSecondaryIndexes.Colour: not supported locally

Bucket (AWS::S3::Bucket)
  - resources of this type do not run locally
    Move it to another stack, or leave it out of this one when it runs locally.

Worker (AWS::Lambda::Function, in the CDK app Chat/Worker/Resource)
  - Runtime: expected a Node.js runtime, got "python3.12"
    Other languages do not run locally.
  - VpcConfig: not supported locally
    There are no private networks here.

Global (AWS::DynamoDB::GlobalTable)
  - resources of this type do not run locally
    Use the construct Table in place of TableV2.`,
    );
  });

  it.each<[type: string, properties: Sections, complaint: string]>([
    [
      'AWS::ApiGatewayV2::Api',
      { ProtocolType: 'REST' },
      'ProtocolType: expected "WEBSOCKET" or "HTTP", got "REST"',
    ],
    [
      'AWS::ApiGatewayV2::Api',
      { ProtocolType: 'HTTP', CorsConfiguration: { AllowHosts: ['x'] } },
      'CorsConfiguration.AllowHosts: not supported locally',
    ],
    [
      'AWS::ApiGatewayV2::Integration',
      { IntegrationType: 'MOCK' },
      'IntegrationType: expected "AWS_PROXY", got "MOCK"',
    ],
    [
      'AWS::ApiGatewayV2::Route',
      { AuthorizationType: 'AWS_IAM' },
      'AuthorizationType: expected "NONE" or "CUSTOM", got "AWS_IAM"',
    ],
    [
      'AWS::ApiGatewayV2::Authorizer',
      { AuthorizerType: 'JWT' },
      'AuthorizerType: expected "REQUEST", got "JWT"',
    ],
    [
      'AWS::ApiGatewayV2::Authorizer',
      { AuthorizerUri: 'https://auth.example' },
      'AuthorizerUri: expected the invocation of a Lambda function, got "https://auth.example"',
    ],
    [
      'AWS::ApiGatewayV2::Authorizer',
      { IdentitySource: ['route.request.header.Auth', '$request.header.Auth'] },
      'IdentitySource: expected a list of route.request.header.… and route.request.querystring.…, ' +
        'got ["route.request.header.Auth","$request.header.Auth"]',
    ],
    [
      'AWS::ApiGatewayV2::Authorizer',
      { AuthorizerResultTtlInSeconds: 300 },
      'AuthorizerResultTtlInSeconds: not supported locally',
    ],
    ['AWS::DynamoDB::Table', { StreamSpecification: {} }, 'StreamSpecification: not supported locally'],
    [
      'AWS::Events::Rule',
      { Targets: [{ Arn: 'arn:aws:sns:x' }] },
      'Targets.Arn: expected a Lambda function or an SQS queue, got "arn:aws:sns:x"',
    ],
    ['AWS::Events::Rule', { Targets: ['x'] }, 'Targets: expected an object, got "x"'],
    ['AWS::Lambda::EventSourceMapping', { FilterCriteria: {} }, 'FilterCriteria: not supported locally'],
    ['AWS::Lambda::Function', { PackageType: 'Image' }, 'PackageType: expected "Zip", got "Image"'],
    ['AWS::Lambda::Function', { Code: { ZipFile: 'exports' } }, 'Code.ZipFile: not supported locally'],
    [
      'AWS::Lambda::Function',
      { Code: { S3Key: 'bbb.json' } },
      'Code.S3Key: expected the key of an asset of this stack, got "bbb.json"',
    ],
    [
      'AWS::Lambda::Function',
      { ReservedConcurrentExecutions: 0 },
      'ReservedConcurrentExecutions: expected a number of at least 1, got 0',
    ],
    [
      'AWS::SecretsManager::Secret',
      { GenerateSecretString: { PasswordLength: 8, Alphabet: 'abc' } },
      'GenerateSecretString.Alphabet: not supported locally',
    ],
    ['AWS::SQS::Queue', { FifoQueue: true }, 'FifoQueue: expected false, got true'],
    [
      'AWS::SQS::Queue',
      { QueueName: 'a b' },
      'QueueName: expected 1 to 80 letters, digits and "_-", got "a b"',
    ],
  ])('of %s: %j', (type, properties, complaint) => {
    expect(complaints(() => read({ It: { Type: type, Properties: properties } }))).toEqual([
      `It ${complaint}`,
    ]);
  });

  it.each<[Sections, RegExp]>([
    [{ Transform: 'AWS::Serverless-2016-10-31' }, /expected a template without macros/],
    [{ Resources: { Queue: 'AWS::SQS::Queue' } }, /expected Resources\.Queue to be an object/],
    [{ Resources: { Queue: {} } }, /expected Queue to have a Type, got nothing/],
  ])('is a template that is none: %j', (template, message) => {
    expect(() => readStack({ template, assets: {}, directory: '', ...PLACE })).toThrow(message);
  });
});

describe('the authorizer of an API', () => {
  const ARN = 'arn:aws:lambda:eu-west-1:000000000000:function:Chat-Worker';
  const uri = `arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${ARN}/invocations`;
  const ofApi = (kind: string, properties: Sections) => ({
    Type: `AWS::ApiGatewayV2::${kind}`,
    Properties: { ApiId: { Ref: 'Api' }, ...properties },
  });
  const target = { 'Fn::Join': ['/', ['integrations', { Ref: 'Integration' }]] };
  const custom = (RouteKey: string, authorizer = 'Authorizer') =>
    ofApi('Route', {
      RouteKey,
      Target: target,
      AuthorizationType: 'CUSTOM',
      AuthorizerId: { Ref: authorizer },
    });
  const settingsOf = (resources: Sections) => {
    const stack = read({
      Api: api,
      Worker: lambda(),
      Stage: ofApi('Stage', { StageName: 'prod' }),
      Integration: ofApi('Integration', { IntegrationType: 'AWS_PROXY', IntegrationUri: uri }),
      Authorizer: ofApi('Authorizer', { AuthorizerType: 'REQUEST', AuthorizerUri: uri }),
      ...resources,
    });
    return gatewaySettings(stack, PLACE)[0];
  };

  it('is the one that $connect names', () => {
    const authorizer = { functionArn: ARN, identitySources: [] };
    expect(settingsOf({ Connect: custom('$connect') })?.authorizer).toEqual(authorizer);
  });

  it('is none if $connect is open, whatever it names', () => {
    const open = ofApi('Route', {
      RouteKey: '$connect',
      Target: target,
      AuthorizationType: 'NONE',
      AuthorizerId: { Ref: 'Authorizer' },
    });
    expect(settingsOf({ Connect: open })).not.toHaveProperty('authorizer');
  });

  it('can be that of no other route, as on AWS', () => {
    expect(() => settingsOf({ Connect: custom('$connect'), Publish: custom('publish') })).toThrow(
      'Publish: expected an authorizer on $connect only, got one on publish',
    );
  });

  it('is not that of another API', () => {
    const foreign = { Type: 'AWS::ApiGatewayV2::Authorizer', Properties: { ApiId: { Ref: 'Other' } } };
    expect(() =>
      settingsOf({ Other: api, Foreign: foreign, Connect: custom('$connect', 'Foreign') }),
    ).toThrow(/^Connect: expected an authorizer of the same API, got [0-9a-z]{6}$/);
  });

  it('has to be a function', () => {
    const authorizer = ofApi('Authorizer', { AuthorizerType: 'REQUEST' });
    expect(() => settingsOf({ Authorizer: authorizer, Connect: custom('$connect') })).toThrow(
      'Authorizer: expected the invocation of a Lambda function, got undefined',
    );
  });
});

describe('an HTTP API', () => {
  const httpApi = { Type: 'AWS::ApiGatewayV2::Api', Properties: { ProtocolType: 'HTTP' } };
  const functionArn = { 'Fn::GetAtt': ['Worker', 'Arn'] };
  const part = (kind: string, properties: Sections = {}) => ({
    Type: `AWS::ApiGatewayV2::${kind}`,
    Properties: { ApiId: { Ref: 'Api' }, ...properties },
  });
  const integration = (properties: Sections = {}) =>
    part('Integration', {
      ...{ IntegrationType: 'AWS_PROXY', IntegrationUri: functionArn, PayloadFormatVersion: '2.0' },
      ...properties,
    });
  const route = (properties: Sections = {}) => {
    const Target = { 'Fn::Join': ['/', ['integrations', { Ref: 'Integration' }]] };
    return part('Route', { RouteKey: 'GET /pets/{id}', Target, ...properties });
  };
  const stackOf = (resources: Sections, sections?: Sections) =>
    read(
      {
        ...{ Api: httpApi, Worker: lambda(), Integration: integration(), Route: route() },
        Stage: part('Stage', { StageName: '$default' }),
        ...resources,
      },
      sections,
    );

  it('has its routes, stages and CORS, and is no gateway', () => {
    const Properties = {
      ProtocolType: 'HTTP',
      CorsConfiguration: { AllowOrigins: ['https://a.example'], AllowCredentials: 'true', MaxAge: '60' },
    };
    const stack = stackOf({
      Api: { ...httpApi, Properties },
      Beta: part('Stage', { StageName: 'beta', StageVariables: { color: 'blue' } }),
      Slow: integration({ TimeoutInMillis: '5000' }),
      Other: route({
        RouteKey: '$default',
        Target: { 'Fn::Join': ['/', ['integrations', { Ref: 'Slow' }]] },
      }),
    });
    const worker = stack.arn('Worker');
    expect(httpApiSettings(stack, PLACE)).toEqual([
      {
        ...{ apiId: stack.ref('Api'), region: 'eu-west-1', accountId: '000000000000' },
        domainName: `${stack.ref('Api')}.execute-api.eu-west-1.amazonaws.com`,
        cors: {
          ...{ allowOrigins: ['https://a.example'], allowMethods: [], allowHeaders: [], exposeHeaders: [] },
          ...{ allowCredentials: true, maxAgeSeconds: 60 },
        },
        routes: [
          { key: 'GET /pets/{id}', functionArn: worker, timeoutMs: 30_000 },
          { key: '$default', functionArn: worker, timeoutMs: 5_000 },
        ],
        stages: new Map([
          ['$default', {}],
          ['beta', { color: 'blue' }],
        ]),
      },
    ]);
    expect(gatewaySettings(stack, PLACE)).toEqual([]);
  });

  it('is at a path of its own, beside the WebSocket API, whose stage is one', () => {
    const url = (name: string, scheme: string) => ({
      Value: { 'Fn::Sub': `${scheme}://\${${name}}.execute-api.\${AWS::Region}.\${AWS::URLSuffix}/prod` },
    });
    const Outputs = {
      Http: url('Api', 'https'),
      Socket: url('Chat', 'wss'),
      Endpoint: { Value: { 'Fn::GetAtt': ['Api', 'ApiEndpoint'] } },
    };
    const stack = stackOf({ Chat: api }, { Outputs });
    const place = `http://localhost:4566/_http/${stack.ref('Api')}`;
    expect(stack.outputs).toEqual({
      Http: `${place}/prod`,
      Socket: 'ws://localhost:4566/prod',
      Endpoint: place,
    });
  });

  it.each<[Sections, RegExp]>([
    [{ Route: route({ AuthorizationType: 'CUSTOM' }) }, /^Route: expected no authorizer/],
    [{ Route: route({ RouteKey: 'pets' }) }, /expected a route key like GET \/pets/],
    [{ Route: route({ RouteKey: 'GET /{a+}/b' }) }, /expected a route key like GET \/pets/],
    [{ Route: route({ RouteKey: 'GET /a{b}' }) }, /expected a route key like GET \/pets/],
    [{ Route: route({ Target: 'integrations/other' }) }, /^Route: expected the invocation of a Lambda/],
    [
      { Integration: integration({ PayloadFormatVersion: '1.0' }) },
      /^Integration: expected PayloadFormatVersion 2.0, got 1.0/,
    ],
  ])('does not run with %j', (resources, message) => {
    expect(() => httpApiSettings(stackOf(resources), PLACE)).toThrow(message);
  });
});

describe('a template that the CDK makes', () => {
  it('is read as a whole', () => {
    const directory = mkdtempSync(join(tmpdir(), 'fanwire-template-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    synthesise(directory);

    const stack = readStack({
      template: JSON.parse(readFileSync(join(directory, 'cdk.out/Chat.template.json'), 'utf8')),
      assets: JSON.parse(readFileSync(join(directory, 'cdk.out/Chat.assets.json'), 'utf8')),
      directory: join(directory, 'cdk.out'),
      ...PLACE,
    });

    expect(stack.outputs).toEqual({ Url: 'ws://localhost:4566/prod' });
    const [worker] = stack.ofType('AWS::Lambda::Function').map(({ logicalId }) => logicalId);
    expect(readFileSync(join(stack.codeDirectory(worker ?? ''), 'index.mjs'), 'utf8')).toBe('export {};');
    expect(environmentOf(stack, worker ?? '')).toEqual({
      TABLE: stack.physicalName(stack.ofType('AWS::DynamoDB::Table')[0]?.logicalId ?? ''),
      CALLBACK: 'http://localhost:4566/prod',
    });
    expect(gatewaySettings(stack, PLACE)[0]?.authorizer).toEqual({
      functionArn: stack.arn(worker ?? ''),
      identitySources: ['route.request.header.Authorization', 'route.request.querystring.token'],
    });
  });
});

/** A stack of the resources that people build such an app of. */
function synthesise(directory: string): void {
  mkdirSync(join(directory, 'code'));
  writeFileSync(join(directory, 'code/index.mjs'), 'export {};');
  const app = new App({ outdir: join(directory, 'cdk.out'), analyticsReporting: true });
  const stack = new CdkStack(app, 'Chat');

  const table = new Table(stack, 'Topics', {
    partitionKey: { name: 'topic', type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: 'expiresAt',
  });
  table.addGlobalSecondaryIndex({
    indexName: 'byUser',
    partitionKey: { name: 'user', type: AttributeType.STRING },
  });

  const webSocketApi = new WebSocketApi(stack, 'Api');
  const stage = new WebSocketStage(stack, 'Stage', { webSocketApi, stageName: 'prod', autoDeploy: true });
  new CfnOutput(stack, 'Url', { value: stage.url });
  const worker = new CdkFunction(stack, 'Worker', {
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    code: Code.fromAsset(join(directory, 'code')),
    environment: { TABLE: table.tableName, CALLBACK: stage.callbackUrl },
    logGroup: new LogGroup(stack, 'WorkerLog'),
  });
  const integration = new WebSocketLambdaIntegration('Publish', worker);
  webSocketApi.addRoute('publish', { integration, returnResponse: true });
  const identitySource = ['route.request.header.Authorization', 'route.request.querystring.token'];
  const authorizer = new WebSocketLambdaAuthorizer('Guard', worker, { identitySource });
  webSocketApi.addRoute('$connect', {
    integration: new WebSocketLambdaIntegration('Connect', worker),
    authorizer,
  });
  stage.grantManagementApiAccess(worker);
  table.grantReadWriteData(worker);

  const deadLetters = new Queue(stack, 'DeadLetters', { enforceSSL: true });
  const queue = new Queue(stack, 'Ingest', { deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 } });
  const metric = deadLetters.metricApproximateNumberOfMessagesVisible();
  metric.createAlarm(stack, 'Undelivered', { threshold: 1, evaluationPeriods: 1 });
  new Dashboard(stack, 'Watch', { widgets: [[new GraphWidget({ left: [metric] })]] });
  const source = new SqsEventSource(queue, {
    reportBatchItemFailures: true,
    maxConcurrency: 5,
    batchSize: 10,
  });
  worker.addEventSource(source);
  const eventBus = new EventBus(stack, 'Bus');
  const target = new SqsQueue(queue, { deadLetterQueue: deadLetters });
  new Rule(stack, 'Publishes', { eventBus, eventPattern: { detailType: ['publish'] }, targets: [target] });
  const schedule = ScheduleExpression.rate(Duration.minutes(5));
  new Schedule(stack, 'Sweep', { schedule, target: new LambdaInvoke(worker) });
  app.synth();
}

describe("a function's variables", () => {
  const complaintsOf = (value: string) => complaints(() => read({ Worker: variables({ value }) }));
  /** What Lambda counts beside the value: `{"value":""}`. */
  const ROOM = 4_096 - 12;

  it('are refused beyond the 4 KB of Lambda, which counts names and quotes too', () => {
    expect(complaintsOf('x'.repeat(ROOM))).toEqual([]);
    expect(complaintsOf('x'.repeat(ROOM + 1))).toEqual([
      expect.stringMatching(/^Worker Environment\.Variables: expected at most 4096 bytes of JSON/),
    ]);
  });

  it('take twice the room where they are quotes, as in JSON', () => {
    expect(complaintsOf('"'.repeat(ROOM / 2))).toEqual([]);
    expect(complaintsOf('"'.repeat(ROOM / 2 + 1))).toHaveLength(1);
  });
});

describe('an event source mapping', () => {
  const settingsOf = (properties: Sections) =>
    mappingSettings(
      read({
        Worker: lambda(),
        Queue: queue(),
        Mapping: {
          Type: 'AWS::Lambda::EventSourceMapping',
          Properties: {
            FunctionName: { Ref: 'Worker' },
            EventSourceArn: { 'Fn::GetAtt': 'Queue.Arn' },
            ...properties,
          },
        },
      }),
    );

  it('gathers batches of more than ten messages', () => {
    expect(settingsOf({})).toMatchObject([{ batchSize: 10, batchingWindowSeconds: 0 }]);
    expect(settingsOf({ BatchSize: 11, MaximumBatchingWindowInSeconds: 1 })).toMatchObject([
      { batchSize: 11, batchingWindowSeconds: 1 },
    ]);
    expect(() => settingsOf({ BatchSize: 11 })).toThrow(
      'Mapping: expected MaximumBatchingWindowInSeconds of at least 1 with a BatchSize above 10, got 0 with 11',
    );
  });
});
