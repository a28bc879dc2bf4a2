import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, type CfnElement, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { describe, expect, it } from 'vitest';
import { Fanwire } from '../../infra/fanwire.ts';
import type { LimitsSettings } from '../../infra/limits.ts';
import { stageOfFunction, stageOfQueue, stageOfTable } from '../../infra/model/stages.ts';
import { grantSettings } from '../../shared/auth/grant-clients.ts';
import { HANDSHAKE_MAX_MS } from '../../shared/data/connections.ts';
import { ENTRY_MARGIN_SECONDS } from '../../shared/data/log.ts';
import { postSettings } from '../../shared/delivery/create-post.ts';
import { text, transport } from '../../shared/lambda/config.ts';
import { VARIABLES } from '../../shared/lambda/variables.ts';
import { parseTopic } from '../../shared/protocol/topic.ts';
import { createBus } from '../../shared/queues/bus.ts';
import { createDeliveryQueue } from '../../shared/queues/queues.ts';
import { createRedelivery, redeliveryDelaySeconds } from '../../shared/queues/redelivery.ts';
import type { RetryClock } from '../../shared/retry.ts';
import { dataJson } from '../support/json-texts.ts';
import { queueRecord } from '../support/records.ts';
import { waitingClock } from '../support/waits.ts';

// biome-ignore lint/suspicious/noExplicitAny: a template is plain JSON
type Json = any;
type Ref = { Ref: string } | { 'Fn::GetAtt': [string, string] };

/** `Fanout` from the id of its function. */
const nameIn = (id: string): string => id.replace(/^Fanwire|Function.*/g, '');

const logicalId = (ref: Ref): string => ('Ref' in ref ? ref.Ref : ref['Fn::GetAtt'][0]);
const queueName = (ref: Ref): string => logicalId(ref).replace(/^Fanwire|[0-9A-F]{8}$/g, '');

const newApp = () => new App({ outdir: mkdtempSync(join(tmpdir(), 'fanwire-stack-')) });
const app = newApp();
const stack = new Stack(app, 'Stack');
new Fanwire(stack, 'Fanwire', { auth: { grants: true, tickets: true } });
/** The same with a namespace that has everything. */
const fullStack = new Stack(app, 'Full');
new Fanwire(fullStack, 'Fanwire', {
  namespaces: { state: { history: { messages: 10, seconds: 60 }, lastValue: true } },
  auth: { grants: true, tickets: true },
  ingestWindowSeconds: 2,
});
const template = Template.fromStack(stack);

/** Properties of every resource of a type, with its logical id as `id`. */
const resources = (type: string): Json[] =>
  Object.entries(template.findResources(type)).map(([id, { Properties }]) => ({ id, ...Properties }));
const properties = (ref: Ref): Json => template.toJSON().Resources[logicalId(ref)].Properties;

const queues = resources('AWS::SQS::Queue');
const mappings = resources('AWS::Lambda::EventSourceMapping');
const functions = resources('AWS::Lambda::Function');
const tables = resources('AWS::DynamoDB::Table');
/** Every statement of every role's policies, with the role's logical id. */
const statements: Json[] = resources('AWS::IAM::Policy').flatMap(({ PolicyDocument, Roles }) =>
  PolicyDocument.Statement.map((statement: Json) => ({ role: logicalId(Roles[0]), ...statement })),
);

/** `Fanout topics: GetItem UpdateItem`: what each role may do with the items of each table. */
/** The function of the service with that folder. */
const functionOf = (service: string, all = functions): Json => {
  const id = service === 'default' ? 'DefaultRoute' : service;
  return all.find((each) => each.id.toLowerCase().startsWith(`fanwire${id.toLowerCase()}function`));
};
const variablesOf = (service: string): string[] =>
  Object.keys(functionOf(service)?.Environment?.Variables ?? {}).sort();

/** The namespaces that lie beside the code of a function, if there are any. */
const namespacesBeside = ({ Code }: Json): Json => {
  const file = join(app.outdir, `asset.${Code.S3Key.replace('.zip', '')}`, 'namespaces.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
};

/** Those of `assemble`, and those that the entry itself takes for its clients. */
async function settingsReadBy(service: string): Promise<string[]> {
  const { settings } = (await import(`../../services/${service}/assemble.ts`)) as {
    readonly settings: Settings;
  };
  const management = { transport, endpoint: text('CALLBACK_URL') };
  const verifier = { transport, secret: text('GRANTS_SECRET') };
  const forClients: Record<string, Settings> = {
    ...{ fanout: postSettings, deliver: postSettings },
    ...{
      authorize: verifier,
      authenticate: verifier,
      tickets: verifier,
      subscribe: grantSettings,
      history: grantSettings,
    },
    ...{ close: management, sweep: management },
  };
  const names = Object.values({ ...settings, ...(forClients[service] ?? { transport }) }).map(
    ({ name }) => name,
  );
  return [...new Set(names)].filter((name) => !name.startsWith('AWS_')).sort();
}
const variablesReadBy = async (service: string): Promise<string[]> =>
  (await settingsReadBy(service)).filter((name) => name !== 'LAMBDA_TASK_ROOT');
type Settings = Readonly<Record<string, { readonly name: string }>>;

function tableRightsIn(of: Template): string[] {
  const found = new Map<string, Set<string>>();
  for (const { Properties } of Object.values(of.findResources('AWS::IAM::Policy')) as Json[]) {
    const role = logicalId(Properties.Roles[0]).replace(/^Fanwire|Role[0-9A-F]{8}$/g, '');
    for (const { Action, Resource } of Properties.PolicyDocument.Statement) {
      for (const resource of [Resource].flat()) {
        const [, table] =
          /"Fanwire(Connections|Subscriptions|Topics|Messages|Access)[0-9A-F]{8}"/.exec(
            JSON.stringify(resource),
          ) ?? [];
        if (table === undefined) continue;
        const actions = found.get(`${role} ${table}`) ?? new Set();
        for (const action of [Action].flat()) actions.add(action.replace('dynamodb:', ''));
        found.set(`${role} ${table}`, actions);
      }
    }
  }
  return [...found].map(([who, actions]) => `${who}: ${[...actions].sort().join(' ')}`).sort();
}

describe('the queues', () => {
  // AWS asks for six times the function timeout and the batching window, or a slow batch is delivered twice.
  it('keep a message hidden at least six times as long as its worker may run', () => {
    expect(mappings).toHaveLength(4);
    for (const { EventSourceArn, FunctionName, MaximumBatchingWindowInSeconds = 0 } of mappings) {
      const { VisibilityTimeout } = properties(EventSourceArn);
      const leastSeconds = 6 * properties(FunctionName).Timeout + MaximumBatchingWindowInSeconds;
      expect(VisibilityTimeout).toBeGreaterThanOrEqual(leastSeconds);
    }
  });

  it('hand a message out for the last time while what was decided about it is still there', () => {
    const queue = queues.find(({ id }) => id.startsWith('FanwireIngest') && !id.includes('DeadLetters'));
    const seconds = queue.RedrivePolicy.maxReceiveCount * queue.VisibilityTimeout;
    expect(seconds).toBeGreaterThan(3600);
    expect(ENTRY_MARGIN_SECONDS).toBeGreaterThan(seconds);
  });

  it('hand single failed records out again, not whole batches', () => {
    for (const { FunctionResponseTypes } of mappings)
      expect(FunctionResponseTypes).toEqual(['ReportBatchItemFailures']);
  });

  it('never run more workers than the settings say', () => {
    const workers = mappings.map(({ ScalingConfig }) => ScalingConfig.MaximumConcurrency);
    expect(workers.sort((a, b) => a - b)).toEqual([2, 2, 10, 50]);
  });

  it('gather messages for as long as the settings say', () => {
    const windowsIn = (of: Template): number[] =>
      Object.values(of.findResources('AWS::Lambda::EventSourceMapping'))
        .map(({ Properties }) => Properties.MaximumBatchingWindowInSeconds ?? 0)
        .sort();
    expect([windowsIn(template), windowsIn(Template.fromStack(fullStack))]).toEqual([
      [0, 0, 0, 1],
      [0, 0, 1, 2],
    ]);
  });

  it('that are worked on have a dead-letter queue, which gets nothing for a minute of throttled tables', () => {
    const soonest = (receives: number) => redeliveryDelaySeconds(receives, () => 0);
    for (const { EventSourceArn } of mappings) {
      const { RedrivePolicy } = properties(EventSourceArn);
      const failures = Array.from({ length: RedrivePolicy.maxReceiveCount - 1 }, (_, index) => index + 1);
      expect(failures.reduce((seconds, receives) => seconds + soonest(receives), 0)).toBeGreaterThan(75);
      expect(properties(RedrivePolicy.deadLetterTargetArn).MessageRetentionPeriod).toBe(14 * 24 * 3600);
    }
  });

  it('that hold jobs have the dead letters of posts, and those of events their own', () => {
    const letters = mappings.map(({ EventSourceArn }) => {
      const { RedrivePolicy } = properties(EventSourceArn);
      return [EventSourceArn, RedrivePolicy.deadLetterTargetArn].map(queueName);
    });
    expect(letters.sort()).toEqual([
      ['Closing', 'ClosingDeadLetters'],
      ['Delivery', 'DeliveryDeadLetters'],
      ['Ingest', 'IngestDeadLetters'],
      ['Slow', 'DeliveryDeadLetters'],
    ]);
  });

  it('are encrypted, and refuse plain HTTP', () => {
    expect(queues).toHaveLength(7);
    for (const { id, SqsManagedSseEnabled } of queues) {
      expect([id, SqsManagedSseEnabled]).toEqual([id, true]);
      const policy = resources('AWS::SQS::QueuePolicy').find(({ Queues }) => logicalId(Queues[0]) === id);
      expect(JSON.stringify(policy)).toContain('"Effect":"Deny","Principal":{"AWS":"*"}');
      expect(JSON.stringify(policy)).toContain('"aws:SecureTransport":"false"');
    }
  });
});

it('sends an event that its queue does not take to a dead-letter queue', () => {
  const targets = resources('AWS::Events::Rule').flatMap(({ Targets }) => Targets);
  expect(targets).toHaveLength(2);
  for (const { DeadLetterConfig } of targets) {
    expect(properties(DeadLetterConfig.Arn).RedrivePolicy).toBeUndefined();
  }
});

it('sweeps once a minute; a run that fails is not repeated, for the next makes up for it', () => {
  const [schedule, ...others] = resources('AWS::Scheduler::Schedule');
  expect(others).toEqual([]);
  expect(schedule.ScheduleExpression).toBe('rate(1 minute)');
  expect(schedule.Target.RetryPolicy.MaximumRetryAttempts).toBe(0);
});

/** What a function waits for has limits of its own, which have to end before its time does. */
describe('the timeout', () => {
  /** The SDK tries three times before it says that a call was too much. */
  const SDK_TRIES_MS = 3_000;
  const throttled = Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException' });
  const QUEUE_URL = 'https://sqs.eu-west-1.amazonaws.com/000000000000/Queue';
  const client = { send: () => Promise.reject(throttled) } as never; // nothing else of it is called
  /** How long it goes on with a service that refuses everything, the SDK's last tries included. */
  async function givesUpAfterMs(run: (clock: RetryClock) => Promise<unknown>): Promise<number> {
    const clock = waitingClock();
    const startMs = clock.now();
    await expect(run(clock)).rejects.toThrow();
    return clock.now() - startMs + SDK_TRIES_MS;
  }
  const timeoutMs = (service: string) => 1_000 * functionOf(service).Timeout;
  const workers = ['fanout', 'deliver', 'close', 'sweep'];
  const routes = readdirSync(join(import.meta.dirname, '../../services')).filter(
    (service) => !workers.includes(service),
  );

  it('of a route leaves it time to say that the bus takes nothing, while API Gateway still listens', async () => {
    const publication = {
      targets: [{ topic: parseTopic('news') }],
      payloads: [{ data: dataJson(1), messageId: 'm' }],
      publishedAt: new Date(0).toISOString(),
      publisher: {},
    };
    const busMs = await givesUpAfterMs((clock) => createBus(client, 'bus', clock).publish([publication]));
    for (const route of routes) {
      expect([route, timeoutMs(route) > busMs]).toEqual([route, true]);
      expect([route, timeoutMs(route) < 29_000]).toEqual([route, true]);
    }
  });

  it('of a worker leaves it half for its last posts, and for what it hands on to queues', async () => {
    const job = { group: 'g', messages: [], connectionIds: ['c'], shards: [], attempt: 1 };
    const queueMs = await givesUpAfterMs((clock) =>
      createDeliveryQueue(client, QUEUE_URL, clock).enqueue([job], 0),
    );
    const redeliveryMs = await givesUpAfterMs((clock) =>
      createRedelivery(client, QUEUE_URL, clock)([queueRecord({ messageId: 'm' })]),
    );
    for (const service of ['fanout', 'deliver']) {
      const postMs = Number(functionOf(service).Environment.Variables.POST_TIMEOUT_MS);
      expect(timeoutMs(service) / 2).toBeGreaterThan(postMs + queueMs + redeliveryMs);
    }
  });

  it('of the sweep leaves it as long again as it waits for handshakes', () => {
    expect(timeoutMs('sweep')).toBeGreaterThan(2 * HANDSHAKE_MAX_MS);
  });
});

describe('the tables', () => {
  it('forget what has expired, and cost nothing while idle', () => {
    expect(tables).toHaveLength(5);
    for (const { TimeToLiveSpecification, BillingMode } of tables) {
      expect(TimeToLiveSpecification).toEqual({ AttributeName: 'expiresAt', Enabled: true });
      expect(BillingMode).toBe('PAY_PER_REQUEST');
    }
  });

  // DynamoDB always encrypts at rest; only a specification can choose another key than its own.
  it('are encrypted', () => {
    for (const { SSESpecification } of tables) expect(SSESpecification).toBeUndefined();
  });
});

describe('the functions', () => {
  it('run on Node 24, arm64, each with a role of its own', () => {
    for (const { Runtime, Architectures } of functions) {
      expect([Runtime, Architectures]).toEqual(['nodejs24.x', ['arm64']]);
    }
    const roles = functions.map(({ Role }) => logicalId(Role));
    expect(new Set(roles).size).toBe(functions.length);
  });

  it('may do exactly this', () => {
    const rights: Record<string, string[]> = {};
    for (const { role, Action, Effect } of statements) {
      expect(Effect).toBe('Allow');
      const name = role.replace(/^Fanwire|Role[0-9A-F]{8}$|RoleForTarget.*$/g, '');
      rights[name] = [...(rights[name] ?? []), ...[Action].flat()].sort();
    }
    const logs = ['logs:CreateLogStream', 'logs:PutLogEvents'];
    const rows = ['dynamodb:BatchWriteItem', 'dynamodb:DeleteItem'];
    const source = [
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:ReceiveMessage',
    ];
    const delivery = [...rows, 'dynamodb:UpdateItem', 'execute-api:ManageConnections'];
    /** Reads a topic's log: its head, and its entries, of which it decides those that are missing. */
    const reader = ['dynamodb:GetItem', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'];
    const grants = ['dynamodb:BatchGetItem', 'secretsmanager:GetSecretValue'];
    /** Writes one. */
    const writer = ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:PutItem'];
    expect(rights).toEqual({
      Authorize: ['dynamodb:DeleteItem', ...logs, 'secretsmanager:GetSecretValue'],
      Tickets: ['dynamodb:BatchGetItem', 'dynamodb:PutItem', ...logs, 'secretsmanager:GetSecretValue'],
      Authenticate: [
        'dynamodb:BatchGetItem',
        'dynamodb:GetItem',
        'dynamodb:UpdateItem',
        'dynamodb:UpdateItem',
        ...logs,
        'secretsmanager:GetSecretValue',
        'sqs:SendMessage',
      ],
      Connect: [
        'dynamodb:BatchGetItem',
        'dynamodb:DeleteItem',
        'dynamodb:PutItem',
        ...logs,
        'sqs:SendMessage',
      ],
      Disconnect: [...rows, ...logs],
      Subscribe: [...reader, ...grants, 'dynamodb:PutItem', 'dynamodb:UpdateItem', ...logs].sort(),
      Unsubscribe: [
        'dynamodb:BatchGetItem',
        'dynamodb:BatchWriteItem',
        'dynamodb:GetItem',
        'dynamodb:UpdateItem',
        ...logs,
      ],
      History: [...reader, ...grants, 'dynamodb:GetItem', ...logs].sort(),
      Publish: [...writer, 'dynamodb:GetItem', 'dynamodb:UpdateItem', 'events:PutEvents', ...logs].sort(),
      Send: ['dynamodb:GetItem', 'events:PutEvents', ...logs],
      Whoami: ['dynamodb:GetItem', ...logs],
      Ping: ['dynamodb:BatchGetItem', 'dynamodb:GetItem', ...logs],
      DefaultRoute: logs,
      Fanout: [
        ...delivery,
        ...writer,
        'dynamodb:BatchGetItem',
        'dynamodb:Query',
        'dynamodb:Scan',
        ...logs,
        ...source,
        'sqs:SendMessage',
        'sqs:SendMessage',
      ].sort(),
      Deliver: [...delivery, ...logs, ...source, 'sqs:SendMessage'].sort(),
      Close: [
        ...rows,
        'dynamodb:GetItem',
        'dynamodb:Query',
        'dynamodb:UpdateItem',
        'execute-api:ManageConnections',
        ...logs,
        ...source,
        'sqs:SendMessage',
      ].sort(),
      Sweep: [...rows, 'dynamodb:Scan', 'execute-api:ManageConnections', ...logs, 'sqs:SendMessage'],
      Scheduler: ['lambda:InvokeFunction'],
    });
  });

  it('may do exactly this with each table', () => {
    expect(tableRightsIn(template)).toEqual([
      'Authenticate Access: BatchGetItem',
      'Authenticate Connections: GetItem UpdateItem',
      'Authenticate Subscriptions: UpdateItem',
      'Authorize Access: DeleteItem',
      'Close Access: UpdateItem',
      'Close Connections: DeleteItem GetItem Query',
      'Close Subscriptions: BatchWriteItem',
      'Connect Access: BatchGetItem',
      'Connect Connections: DeleteItem PutItem',
      'Deliver Connections: DeleteItem',
      'Deliver Subscriptions: BatchWriteItem',
      'Deliver Topics: UpdateItem',
      'Disconnect Connections: DeleteItem',
      'Disconnect Subscriptions: BatchWriteItem',
      'Fanout Connections: DeleteItem Query Scan',
      'Fanout Messages: BatchGetItem GetItem PutItem',
      'Fanout Subscriptions: BatchWriteItem Query',
      'Fanout Topics: BatchGetItem GetItem UpdateItem',
      'History Access: BatchGetItem',
      'History Connections: GetItem',
      'History Messages: GetItem PutItem Query',
      'History Topics: GetItem',
      'Ping Connections: GetItem',
      'Ping Topics: BatchGetItem',
      'Publish Connections: GetItem',
      'Publish Messages: BatchGetItem GetItem PutItem',
      'Publish Topics: GetItem UpdateItem',
      'Send Connections: GetItem',
      'Subscribe Access: BatchGetItem',
      'Subscribe Connections: GetItem UpdateItem',
      'Subscribe Messages: GetItem PutItem Query',
      'Subscribe Subscriptions: PutItem',
      'Subscribe Topics: GetItem UpdateItem',
      'Sweep Connections: DeleteItem Scan',
      'Sweep Subscriptions: BatchWriteItem',
      'Tickets Access: BatchGetItem PutItem',
      'Unsubscribe Connections: GetItem UpdateItem',
      'Unsubscribe Subscriptions: BatchWriteItem',
      'Unsubscribe Topics: BatchGetItem',
      'Whoami Connections: GetItem',
    ]);
  });

  it('may write last values only where a namespace keeps them', () => {
    const more = tableRightsIn(Template.fromStack(fullStack)).filter(
      (right) => !tableRightsIn(template).includes(right),
    );
    expect(more).toEqual([
      'Fanout Topics: BatchGetItem GetItem PutItem UpdateItem',
      'Publish Topics: GetItem PutItem UpdateItem',
    ]);
  });

  it('may count what clients do only where that is limited', () => {
    const rightsIn = (limits: LimitsSettings) => {
      const limited = new Stack(newApp(), 'Limited');
      new Fanwire(limited, 'Fanwire', { auth: { grants: true }, limits });
      return tableRightsIn(Template.fromStack(limited)).filter(
        (right) => !tableRightsIn(template).includes(right),
      );
    };
    const routes = 'Authenticate DefaultRoute History Ping Publish Send Subscribe Unsubscribe Whoami'.split(
      ' ',
    );
    /** They look for revocations, too. */
    const takers = ['Authenticate', 'History', 'Subscribe'];
    expect(rightsIn({ topicsPerHour: 1 })).toEqual(
      routes.map(
        (route) => `${route} Access: ${takers.includes(route) ? 'BatchGetItem ' : ''}GetItem UpdateItem`,
      ),
    );
    expect(rightsIn({ topicsPerHour: false, publishBytesMax: 4_096 })).toEqual([]);
    expect(rightsIn({ connections: 1 })).toEqual([
      'Connect Access: BatchGetItem UpdateItem',
      'Disconnect Access: UpdateItem',
      'Sweep Access: GetItem UpdateItem',
    ]);
    expect(rightsIn({ connectionsPerUser: 1 })).toEqual([
      'Connect Access: BatchGetItem GetItem UpdateItem',
      'Connect Connections: DeleteItem GetItem PutItem',
      'Disconnect Access: UpdateItem',
    ]);
  });

  it('are told the variables that they read, and no other', async () => {
    for (const service of readdirSync(join(import.meta.dirname, '../../services'))) {
      expect([service, variablesOf(service)]).toEqual([service, await variablesReadBy(service)]);
    }
    const told = functions.flatMap(({ Environment }) => Object.keys(Environment?.Variables ?? {}));
    expect(new Set(told)).toEqual(new Set(VARIABLES));
  });

  it('have the namespaces beside their code where they read them, each Fanwire its own', async () => {
    const others = Object.entries(Template.fromStack(fullStack).findResources('AWS::Lambda::Function')).map(
      ([id, { Properties }]) => ({ id, ...Properties }),
    );
    for (const service of readdirSync(join(import.meta.dirname, '../../services'))) {
      // Those have another file there.
      const reads =
        !['authorize', 'tickets'].includes(service) &&
        (await settingsReadBy(service)).includes('LAMBDA_TASK_ROOT');
      const [own, other] = [functionOf(service), functionOf(service, others)].map(namespacesBeside);
      expect([service, Object.keys(own ?? {})]).toEqual([service, reads ? ['*'] : []]);
      expect([service, Object.keys(other ?? {})]).toEqual([service, reads ? ['*', 'state'] : []]);
    }
  });

  it('are told what each variable is named after', () => {
    const settings = {
      ...{ subscriptionsPerConnectionMax: 11, inlineSubscribersMax: 12, subscribersPerShardMax: 13 },
      ...{ deliveryAttemptsMax: 14, postTimeoutMs: 51, requestsPerSecondMax: 15, fanOutWorkersMax: 16 },
      ...{ deliveryWorkersMax: 17, rolloverAfterSeconds: 18, transport: 'sdk' as const },
      auth: { grants: true },
      limits: { commandsPerSecond: 19, publishBytesMax: 2_048 },
    };
    const told = new Stack(newApp(), 'Told');
    const { functions: all } = new Fanwire(told, 'Fanwire', settings);
    expect(Object.keys(all).length).toBeGreaterThan(10);
    const values: Record<string, string | { readonly Ref?: string }> = Object.assign(
      {},
      ...Object.values(Template.fromStack(told).findResources('AWS::Lambda::Function')).map(
        ({ Properties }) => Properties.Environment?.Variables ?? {},
      ),
    );
    const plain = Object.entries(values).filter(([, value]) => typeof value === 'string');
    expect(Object.fromEntries(plain)).toEqual({
      ...{ SUBSCRIPTIONS_MAX: '11', INLINE_MAX: '12', SHARD_SUBSCRIBERS_MAX: '13' },
      ...{ DELIVERY_ATTEMPTS_MAX: '14', POST_TIMEOUT_MS: '51', REQUESTS_PER_SECOND_MAX: '15' },
      ...{
        ENVIRONMENTS_MAX: '35',
        ROLLOVER_AFTER_SECONDS: '18',
        TRANSPORT: 'sdk',
        AUTHORIZATION: 'required',
        ISSUERS: '[]',
        LIMITS: '{"rates":{"commands":{"perSecond":19,"burst":190}},"publishBytesMax":2048}',
      },
    });
    const named = Object.entries(values).flatMap(([name, value]) =>
      typeof value !== 'string' && value.Ref ? [[name, value.Ref.replace(/^Fanwire|[0-9A-F]{8}$/g, '')]] : [],
    );
    expect(Object.fromEntries(named)).toEqual({
      ...{ CONNECTIONS_TABLE: 'Connections', SUBSCRIPTIONS_TABLE: 'Subscriptions' },
      ...{
        TOPICS_TABLE: 'Topics',
        MESSAGES_TABLE: 'Messages',
        ACCESS_TABLE: 'Access',
        EVENT_BUS_NAME: 'Bus',
      },
      ...{ DELIVERY_QUEUE_URL: 'Delivery', DELIVERY_DEAD_LETTERS_URL: 'DeliveryDeadLetters' },
      SLOW_QUEUE_URL: 'Slow',
      INGEST_DEAD_LETTERS_URL: 'IngestDeadLetters',
      CLOSING_QUEUE_URL: 'Closing',
      CLOSING_DEAD_LETTERS_URL: 'ClosingDeadLetters',
      GRANTS_SECRET: 'GrantsSecret',
    });
  });

  it('take their work from the queue that is theirs', () => {
    const pairs = mappings.map(({ EventSourceArn, FunctionName }) => [
      logicalId(FunctionName).replace(/^Fanwire|Function.*/g, ''),
      queueName(EventSourceArn),
    ]);
    expect(pairs.sort()).toEqual([
      ['Close', 'Closing'],
      ['Deliver', 'Delivery'],
      ['Deliver', 'Slow'],
      ['Fanout', 'Ingest'],
    ]);
  });

  it('are updated after those that read what they write', () => {
    const after = Object.entries(template.findResources('AWS::Lambda::Function')).flatMap(
      ([id, { DependsOn = [] }]) => [DependsOn].flat().map((other) => `${nameIn(id)} after ${nameIn(other)}`),
    );
    const expected = [
      ...['Fanout after Deliver', 'Publish after Fanout', 'Send after Fanout'],
      ...['Connect after Close', 'Authenticate after Close', 'Sweep after Close'],
    ];
    expect(after).toEqual(expect.arrayContaining(expected));
  });

  it('have no right to everything of a service, and none to every resource', () => {
    for (const { Action, Resource } of statements) {
      for (const action of [Action].flat()) expect(action).not.toContain('*');
      for (const resource of [Resource].flat()) expect(resource).not.toBe('*');
    }
  });
});

describe('an app that contains it', () => {
  const shop = new Stack(newApp(), 'Shop');
  const push = new Fanwire(shop, 'Push', { auth: 'none' });
  const functionOf = (id: string) =>
    new LambdaFunction(shop, id, {
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromInline('exports.handler = async () => {};'),
    });
  push.grantPublish(functionOf('Orders'));
  push.tables.connections.grantReadData(functionOf('Report'));
  const watched = [...Object.values(push.deadLetterQueues), push.queues.ingest];
  for (const [index, queue] of watched.entries()) {
    const metric = queue.metricApproximateNumberOfMessagesVisible();
    new Alarm(shop, `Alarm${index}`, { metric, threshold: 1, evaluationPeriods: 1 });
  }
  const synthesised = Template.fromStack(shop);
  const statementsOf = (id: string): Json[] =>
    Object.entries(synthesised.findResources('AWS::IAM::Policy'))
      .filter(([policyId]) => policyId.startsWith(id))
      .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement);
  const idOf = (construct: { readonly node: { readonly defaultChild?: unknown } }) =>
    shop.getLogicalId(construct.node.defaultChild as CfnElement);

  it('lets a function of its own publish, and do nothing else', () => {
    expect(statementsOf('Orders')).toEqual([
      {
        Effect: 'Allow',
        Action: 'events:PutEvents',
        Resource: { 'Fn::GetAtt': [idOf(push.eventBus), 'Arn'] },
      },
    ]);
  });

  it('lets a function of its own read a table', () => {
    const reading = statementsOf('Report');
    const actions = reading.flatMap(({ Action }) => Action);
    expect(actions).toContain('dynamodb:Query');
    expect(actions.filter((action) => /Put|Update|Delete|Write/.test(action))).toEqual([]);
    for (const { Resource } of reading) {
      expect(JSON.stringify(Resource)).toContain(`["${idOf(push.tables.connections)}","Arn"]`);
    }
  });

  it('puts alarms on the queues, those of the dead letters above all', () => {
    const alarms = Object.values(synthesised.findResources('AWS::CloudWatch::Alarm'));
    const names = alarms.map(({ Properties }) => Properties.Dimensions[0].Value['Fn::GetAtt']);
    expect(names).toEqual(watched.map((queue) => [idOf(queue), 'QueueName']));
  });

  it('finds every function by the name of its service', () => {
    const services = readdirSync(join(import.meta.dirname, '../../services'));
    const auth = { grants: true, tickets: true };
    const { functions: guarded } = new Fanwire(new Stack(newApp(), 'Guarded'), 'Fanwire', { auth });
    expect(Object.keys(guarded).sort()).toEqual(services.sort());
    expect(Object.keys(push.functions).sort()).toEqual(
      services.filter((name) => !['authorize', 'authenticate', 'close', 'tickets'].includes(name)),
    );
  });
});

it('answers clients on every route but the lifecycle ones', () => {
  const answered = resources('AWS::ApiGatewayV2::RouteResponse').map(({ RouteId }) => logicalId(RouteId));
  for (const { id, RouteKey, RouteResponseSelectionExpression } of resources('AWS::ApiGatewayV2::Route')) {
    const isLifecycle = ['$connect', '$disconnect'].includes(RouteKey);
    if (RouteKey === 'POST /tickets') continue; // answers of HTTP APIs have no resources
    expect([RouteKey, answered.includes(id), RouteResponseSelectionExpression]).toEqual([
      RouteKey,
      !isLifecycle,
      isLifecycle ? undefined : '$default',
    ]);
  }
});

it('has a stage of the bill for everything that costs money', () => {
  /** As the meter names them: `ingestDeadLetters`. */
  const namesOf = (list: Json[]): string[] =>
    list.map(({ id }) => {
      const name = id.replace(/^Fanwire/, '').replace(/(Function)?[0-9A-F]{8}$/, '');
      return name.charAt(0).toLowerCase() + name.slice(1);
    });
  const staged = [
    ...namesOf(functions).map((name) => [name, stageOfFunction(name)]),
    ...namesOf(tables).flatMap((name) =>
      ['GetItem', 'PutItem', 'Query'].map((operation) => [name, stageOfTable(name, operation)]),
    ),
    ...namesOf(queues).map((name) => [name, stageOfQueue(name)]),
  ];
  expect(staged.filter(([, stage]) => stage === 'other')).toEqual([]);
  expect(Object.fromEntries(staged)).toMatchObject({
    history: 'commands',
    messages: 'commands',
    ping: 'commands',
  });
  expect(stageOfTable('messages', 'PutItem')).toBe('fan out');
  expect(stageOfTable('topics', 'PutItem')).toBe('fan out');
});

it('tells every function that calls AWS how to do so', () => {
  const told = functions.map(({ id, Environment }) => [
    id.replace(/^Fanwire|Function.*/g, ''),
    Environment?.Variables.TRANSPORT,
  ]);
  expect(told).toEqual(told.map(([id]) => [id, 'sockets']));
});

it('names every setting that is out of bounds', () => {
  expect(
    () =>
      new Fanwire(new Stack(), 'F', {
        postTimeoutMs: 60_000,
        fanOutWorkersMax: 1.5,
        stageName: 'a/b',
        transport: 'carrier pigeon' as never,
        namespaces: { chat: { recovery: true } },
      }),
  ).toThrow(
    'Bad Fanwire settings: expected postTimeoutMs to be a whole number from 50 to 5000, got 60000; ' +
      'expected fanOutWorkersMax to be a whole number from 2 to 1000, got 1.5; ' +
      'expected stageName to be 1 to 128 letters, digits or _, got a/b; ' +
      'expected transport to be one of sockets, sdk, got carrier pigeon; ' +
      'namespace chat: recovery needs a history to recover from, got none',
  );
});
