import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  DynamoDBServiceException,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { SocketHandler } from '../../shared/aws/sdk/handler.ts';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { bootLocal } from '../support/local.ts';
import { type Scripted, ScriptedEndpoint } from '../support/scripted-endpoint.ts';

/** The SDK's sockets are ours here; it counts the calls that the SDK makes. */
class CountingHandler extends SocketHandler {
  whole = 0;
  override handle(...call: Parameters<SocketHandler['handle']>) {
    this.whole++;
    return super.handle(...call);
  }
}

/** Retries as the SDK's own strategy does, but at once. */
class AtOnce {
  successes = 0;
  acquireInitialRetryToken = async () => tokenOf(0);
  async refreshRetryTokenForRetry(
    { getRetryCount }: ReturnType<typeof tokenOf>,
    { errorType }: { readonly errorType: string },
  ) {
    if (!['THROTTLING', 'TRANSIENT'].includes(errorType) || getRetryCount() + 1 >= ATTEMPTS_MAX) {
      throw new Error('no more');
    }
    return tokenOf(getRetryCount() + 1);
  }
  recordSuccess(): void {
    this.successes++;
  }
}
const ATTEMPTS_MAX = 3;
const tokenOf = (retries: number) => ({
  getRetryCount: () => retries,
  getRetryDelay: () => 0,
  getRetryCost: () => 5,
});

/** Everything of what came of a call that its caller can see. */
async function outcomeOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return { output: await call() };
  } catch (error) {
    const thrown = error as Error;
    return {
      class: thrown.constructor.name,
      isError: thrown instanceof Error,
      isServiceException: thrown instanceof DynamoDBServiceException,
      ...thrown,
      name: thrown.name,
      message: thrown.message,
    };
  }
}

interface SomeClient {
  send(command: object): Promise<unknown>;
}
// The commands of a test go to a client of their own service: that its `send` takes only those is of no help here.
const asAny = (client: object): SomeClient => client as SomeClient;

describe('against the local services, calls past the middleware', () => {
  let local: Runtime;
  const handler = new CountingHandler();
  let options: object;
  beforeAll(async () => {
    local = await bootLocal();
    const { endpoint, region, accessKeyId, secretAccessKey } = local.ready;
    options = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
  });
  afterAll(async () => {
    handler.destroy();
    await local?.stop();
  });

  /** What the Lambdas do with a table, and what may come of it; the same again finds the same. */
  const commands = () => {
    const TableName = local.ready.tables.subscriptions ?? '';
    const key = (n: number) => ({ topicShard: { S: 'short/ü✓' }, connectionId: { S: `c${n}` } });
    const item = (n: number) => ({
      ...key(n),
      n: { N: '1.50' },
      text: { S: '{"a":null,"B":"ü\n"}' },
    });
    const write = { TableName, Key: key(1), UpdateExpression: 'SET n = :n' };
    return [
      new BatchWriteItemCommand({
        RequestItems: { [TableName]: [1, 2, 3].map((n) => ({ DeleteRequest: { Key: key(n) } })) },
      }),
      new GetItemCommand({ TableName, Key: key(1) }),
      new PutItemCommand({
        TableName,
        Item: item(1),
        ConditionExpression: 'attribute_not_exists(topicShard)',
      }),
      new PutItemCommand({ TableName, Item: item(2), ReturnValues: 'ALL_OLD' }),
      new PutItemCommand({ TableName, Item: item(2), ReturnValues: 'ALL_OLD' }),
      new GetItemCommand({ TableName, Key: key(2), ConsistentRead: true }),
      new UpdateItemCommand({
        ...write,
        ExpressionAttributeValues: { ':n': { N: '7' } },
        ReturnValues: 'UPDATED_NEW',
      }),
      new UpdateItemCommand({
        ...write,
        ExpressionAttributeValues: { ':n': { N: '8' }, ':old': { N: '0' } },
        ConditionExpression: 'n = :old',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'topicShard = :shard',
        ExpressionAttributeValues: { ':shard': { S: 'short/ü✓' } },
        Limit: 1,
        ReturnConsumedCapacity: 'TOTAL',
      }),
      new ScanCommand({ TableName, Limit: 2 }),
      new BatchGetItemCommand({
        RequestItems: { [TableName]: { Keys: [key(2), key(3)], ConsistentRead: true } },
      }),
      new DeleteItemCommand({ TableName, Key: key(1), ReturnValues: 'ALL_OLD' }),
      new GetItemCommand({ TableName: 'no-such-table', Key: key(1) }),
      new QueryCommand({ TableName, KeyConditionExpression: 'nonsense' }),
      new PutItemCommand({
        TableName,
        Item: { ...key(3), bytes: { B: Buffer.from('ü') }, none: { NULL: true } },
      }),
      new GetItemCommand({ TableName, Key: key(3) }),
    ];
  };

  /** Outcomes without what is of one request only. */
  async function outcomes(client: object): Promise<unknown[]> {
    const found: unknown[] = [];
    for (const command of commands()) found.push(await outcomeOf(() => asAny(client).send(command)));
    return JSON.parse(JSON.stringify(found, (name, value) => (name === 'requestId' ? typeof value : value)));
  }

  it('find and throw what the SDK as it comes does', async () => {
    const expected = await outcomes(new DynamoDBClient(options));
    const client = lean(DynamoDBClient, { ...options, requestHandler: handler });
    expect(await outcomes(client)).toEqual(expected); // the first time of most operations
    const wholeBefore = handler.whole;
    expect(await outcomes(client)).toEqual(expected);
    // Three errors, the calls after them, and two with bytes: the others went the short way.
    expect(handler.whole - wholeBefore).toBeLessThan(commands().length - 5);
  });

  it('put events on the bus, and hear which it refuses', async () => {
    const { eventBusName: EventBusName } = local.ready;
    const good = { EventBusName, Source: 'a', DetailType: 'b', Detail: '{"ü":[null]}' };
    const calls = [[good], [good, { ...good, Detail: 'no JSON' }], [], [{ ...good, Time: new Date(0) }]];
    const client = lean(EventBridgeClient, { ...options, requestHandler: handler });
    const asItComes = new EventBridgeClient(options);
    const plain = (outcome: unknown) =>
      JSON.parse(JSON.stringify(outcome), (name, value) => (/^(requestId|EventId)$/.test(name) ? '' : value));
    for (const Entries of [...calls, ...calls]) {
      const command = () => new PutEventsCommand({ Entries });
      expect(plain(await outcomeOf(() => client.send(command())))).toEqual(
        plain(await outcomeOf(() => asItComes.send(command()))),
      );
    }
  });

  it('leave what goes to a queue to the SDK', async () => {
    const client = lean(SQSClient, { ...options, requestHandler: handler });
    const before = handler.whole;
    for (const MessageBody of ['a', 'b', 'c']) {
      await client.send(
        new SendMessageCommand({ QueueUrl: local.ready.queues.deliveryDeadLetters, MessageBody }),
      );
    }
    expect(handler.whole - before).toBe(3);
  });
});

describe('whatever a service answers', () => {
  const endpoint = new ScriptedEndpoint();
  const handler = new CountingHandler();
  const retryStrategy = new AtOnce();
  let options: object;
  beforeAll(async () => {
    options = {
      endpoint: await endpoint.listen(),
      region: 'eu-west-1',
      credentials: { accessKeyId: 'AKIA', secretAccessKey: 'secret', sessionToken: 'token' },
      retryStrategy,
    };
  });
  afterAll(async () => {
    handler.destroy();
    await endpoint.close();
  });
  afterEach(() => endpoint.script());

  const good: Scripted = { status: 200, body: '{"Item":{"a":{"S":"b"}}}' };
  const get = () => new GetItemCommand({ TableName: 'topics', Key: { topic: { S: 'a' } } });
  const leanClient = () => lean(DynamoDBClient, { ...options, requestHandler: handler });
  /** A client that has made the call before. */
  async function prepared(): Promise<DynamoDBClient> {
    const client = leanClient();
    endpoint.script(good);
    await client.send(get());
    return client;
  }

  const errorBodies = fc.record(
    {
      __type: fc.constantFrom(
        ...['com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException', 'ThrottlingException'],
        ...['com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException', 'Unheard#OfException'],
        ...[
          'ResourceNotFoundException',
          'InternalServerError',
          'com.amazon.coral.service#SerializationException',
        ],
      ),
      message: fc.string(),
      Message: fc.string(),
      Item: fc.constant({ a: { S: 'b' } }),
    },
    { requiredKeys: [] },
  );
  const outputs = fc.constantFrom(
    ...[good.body, '', '{}', '{"Item":', '<html>', '[]', 'null', '"text"', '7', '{"Item":null}'],
    ...['{"Item":{"a":{"B":"w7w="}}}', '{"Item":{"a":{"NULL":true}}}', '{"Item":{"a":{"L":[{"B":"YQ=="}]}}}'],
    ...['{"Item":{"a":{"S":"{\\"B\\":null}"}}}', '{"Item":{},"ConsumedCapacity":null}'],
  );
  const bodies = fc.oneof(
    errorBodies.map((body) => JSON.stringify(body)),
    outputs,
  );
  const headers = fc.record(
    {
      'x-amzn-errortype': fc.constantFrom('ThrottlingException:', 'LimitExceededException'),
      'x-amzn-requestid': fc.constantFrom('another'),
      'retry-after': fc.constant('0'),
      connection: fc.constantFrom('close', 'keep-alive'),
    },
    { requiredKeys: [] },
  );
  const failures = fc.constantFrom(301, 400, 400, 400, 403, 429, 500, 503);
  const answers: fc.Arbitrary<Scripted> = fc.oneof(
    fc.record({ status: fc.constantFrom(200, 200, 200, 204), body: outputs, headers }),
    fc.record({ status: failures, body: bodies, headers }),
  );
  const scripts = fc.array(answers, { minLength: 1, maxLength: ATTEMPTS_MAX });

  it('the outcome is that of the SDK as it comes, and so are its attempts', async () => {
    const asItComes = new DynamoDBClient(options);
    await fc.assert(
      fc.asyncProperty(scripts, async (script) => {
        const client = await prepared();
        endpoint.script(...script);
        const outcome = await outcomeOf(() => client.send(get()));
        const attempts = endpoint.requests.length;
        endpoint.script(...script);
        expect(outcome).toEqual(await outcomeOf(() => asItComes.send(get())));
        expect(attempts).toBe(endpoint.requests.length);
      }),
      { numRuns: 400 },
    );
    asItComes.destroy();
  }, 60_000);

  it.each(['before', 'within'] as const)('a cut %s the answer is tried again', async (cut) => {
    const client = await prepared();
    endpoint.script({ ...good, cut }, { ...good, cut }, good);
    const { Item, $metadata } = await client.send(get());
    expect(Item).toEqual({ a: { S: 'b' } });
    // What a socket that was in use before never got an answer to, is sent once more on another.
    expect($metadata.attempts).toBe(cut === 'before' ? 2 : 3);
    expect(endpoint.requests).toHaveLength(3);
  });

  it('an error is of its own class', async () => {
    const client = await prepared();
    endpoint.script({
      status: 400,
      body: '{"__type":"x#ConditionalCheckFailedException","Item":{"a":{"S":"b"}}}',
    });
    const error: unknown = await client.send(get()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConditionalCheckFailedException);
    expect(error).toMatchObject({ Item: { a: { S: 'b' } }, $metadata: { httpStatusCode: 400, attempts: 1 } });
  });

  it('goes the short way again once the SDK knows that all is well', async () => {
    const client = await prepared();
    const wholeFor = async (...script: Scripted[]) => {
      const before = handler.whole;
      endpoint.script(...script);
      await client.send(get()).catch(() => {});
      return handler.whole - before;
    };
    const throttle = { status: 400, body: '{"__type":"ThrottlingException"}' };
    expect(await wholeFor(good)).toBe(0);
    const { successes } = retryStrategy;
    expect(await wholeFor(throttle)).toBe(ATTEMPTS_MAX);
    expect(await wholeFor(good)).toBe(1);
    expect(retryStrategy.successes).toBe(successes + 1);
    expect(await wholeFor(good)).toBe(0);
  });
});
