import { createHash } from 'node:crypto';
import type { Account } from '../account.ts';
import { toText, type Values } from './values.ts';

/** Where a stack is, or seems to be. */
export interface Place extends Account {
  readonly stackName: string;
  /** For example `http://localhost:4566`. */
  readonly endpoint: string;
}

/** What CloudFormation can tell of a resource once it exists. */
export interface Identity {
  readonly name: string;
  readonly ref: string;
  readonly arn: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

interface Facts extends Place {
  readonly name: string;
  readonly arn: string;
  readonly properties: Values;
}

type Fact = (facts: Facts) => string;

/** How CloudFormation names a type's resources: the "Return values" of its page in the template reference. */
interface Naming {
  /** The resource's name if the template gives none. */
  readonly createName: (logicalId: string, stackName: string) => string;
  readonly nameProperty?: string;
  readonly arn?: Fact;
  /** What `Ref` gives, if not the name. */
  readonly ref?: Fact;
  readonly attributes?: Readonly<Record<string, Fact>>;
}

const name: Fact = (facts) => facts.name;
const arn: Fact = (facts) => facts.arn;

/** A resource named by a property, or else by us; AWS limits the length. */
const named = (nameProperty: string, lengthMax: number) => ({
  nameProperty,
  createName: (logicalId: string, stackName: string) => shorten(`${stackName}-${logicalId}`, lengthMax),
});

/** A resource that gets an id from AWS, of lower-case letters and digits. */
const identified = (length: number) => ({ createName: (logicalId: string) => createId(logicalId, length) });

const namings: Readonly<Record<string, Naming>> = {
  'AWS::ApiGatewayV2::Api': {
    ...identified(10),
    attributes: { ApiId: name, ApiEndpoint: ({ name, region }) => `wss://${apiHost(name, region)}` },
  },
  'AWS::ApiGatewayV2::Authorizer': { ...identified(6), attributes: { AuthorizerId: name } },
  'AWS::ApiGatewayV2::Integration': { ...identified(7), attributes: { IntegrationId: name } },
  'AWS::ApiGatewayV2::Route': { ...identified(7), attributes: { RouteId: name } },
  'AWS::ApiGatewayV2::RouteResponse': { ...identified(6), attributes: { RouteResponseId: name } },
  'AWS::ApiGatewayV2::Stage': named('StageName', 128),
  'AWS::DynamoDB::Table': {
    ...named('TableName', 255),
    arn: ({ name, region, accountId }) => `arn:aws:dynamodb:${region}:${accountId}:table/${name}`,
    attributes: { Arn: arn },
  },
  'AWS::Events::EventBus': {
    ...named('Name', 256),
    arn: ({ name, region, accountId }) => `arn:aws:events:${region}:${accountId}:event-bus/${name}`,
    attributes: { Arn: arn, Name: name },
  },
  'AWS::Events::Rule': {
    ...named('Name', 64),
    arn: (rule) => `arn:aws:events:${rule.region}:${rule.accountId}:rule/${rulePath(rule, '/')}`,
    ref: (rule) => rulePath(rule, '|'), // not documented; seen in go-to-k/cdk-real-drift#973
    attributes: { Arn: arn },
  },
  'AWS::IAM::ManagedPolicy': {
    ...named('ManagedPolicyName', 128),
    arn: (policy) => `arn:aws:iam::${policy.accountId}:policy${iamPath(policy)}`,
    ref: arn,
    attributes: { PolicyArn: arn },
  },
  'AWS::IAM::Policy': named('PolicyName', 128),
  'AWS::IAM::Role': {
    ...named('RoleName', 64),
    arn: (role) => `arn:aws:iam::${role.accountId}:role${iamPath(role)}`,
    attributes: { Arn: arn },
  },
  'AWS::Lambda::EventSourceMapping': {
    createName: createUuid,
    arn: ({ name, region, accountId }) =>
      `arn:aws:lambda:${region}:${accountId}:event-source-mapping:${name}`,
    attributes: { Id: name, EventSourceMappingArn: arn },
  },
  'AWS::Lambda::Function': {
    ...named('FunctionName', 64),
    arn: ({ name, region, accountId }) => `arn:aws:lambda:${region}:${accountId}:function:${name}`,
    attributes: { Arn: arn },
  },
  'AWS::Logs::LogGroup': {
    ...named('LogGroupName', 512),
    arn: ({ name, region, accountId }) => `arn:aws:logs:${region}:${accountId}:log-group:${name}:*`,
    attributes: { Arn: arn },
  },
  'AWS::SQS::Queue': {
    ...named('QueueName', 80),
    arn: ({ name, region, accountId }) => `arn:aws:sqs:${region}:${accountId}:${name}`,
    ref: queueUrl,
    attributes: { Arn: arn, QueueName: name, QueueUrl: queueUrl },
  },
  'AWS::Scheduler::Schedule': {
    ...named('Name', 64),
    arn: ({ name, region, accountId, properties }) =>
      `arn:aws:scheduler:${region}:${accountId}:schedule/${textOf(properties, 'GroupName', 'default')}/${name}`,
    attributes: { Arn: arn },
  },
};

const unnamed: Naming = { createName: (logicalId, stackName) => `${stackName}-${logicalId}` };

/** Who a resource is. The same at every start, so that its state on disk is found again. */
export function identify(type: string, logicalId: string, properties: Values, place: Place): Identity {
  const naming = namings[type] ?? unnamed;
  const createdName = naming.createName(logicalId, place.stackName);
  const name = naming.nameProperty ? textOf(properties, naming.nameProperty, createdName) : createdName;
  const nameFacts: Facts = { ...place, name, properties, arn: '' };
  const facts: Facts = { ...nameFacts, arn: naming.arn?.(nameFacts) ?? '' };
  const attributes = Object.entries(naming.attributes ?? {}).map(([key, fact]) => [key, fact(facts)]);
  return {
    name,
    ref: naming.ref?.(facts) ?? name,
    arn: facts.arn || undefined,
    attributes: Object.fromEntries(attributes),
  };
}

/** The host at which AWS serves an API. */
export function apiHost(apiId: string, region: string): string {
  return `${apiId}.execute-api.${region}.amazonaws.com`;
}

/** A UUID in form only: always the same for the same text. */
export function createUuid(text: string): string {
  return hash(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}

function createId(text: string, length: number): string {
  return BigInt(`0x${hash(text)}`)
    .toString(36)
    .slice(0, length);
}

/** A name that AWS accepts, and that is still no other resource's. */
function shorten(name: string, lengthMax: number): string {
  if (name.length <= lengthMax) return name;
  const suffix = `-${hash(name).slice(0, 8)}`;
  return name.slice(0, lengthMax - suffix.length) + suffix;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function queueUrl({ endpoint, accountId, name }: Facts): string {
  return `${endpoint}/${accountId}/${name}`;
}

function iamPath({ name, properties }: Facts): string {
  return textOf(properties, 'Path', '/') + name;
}

/** A rule of the default bus goes by its name alone. A bus may be given by its name or ARN. */
function rulePath({ name, properties }: Facts, separator: string): string {
  const bus = textOf(properties, 'EventBusName', 'default').replace(/^.*:event-bus\//, '');
  return bus === 'default' ? name : `${bus}${separator}${name}`;
}

function textOf(properties: Values, property: string, otherwise: string): string {
  return properties[property] === undefined ? otherwise : toText(properties[property], property);
}
