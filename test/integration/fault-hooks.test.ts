import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  ChangeMessageVisibilityBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { ManagementFault } from '../../infra/local/apigateway/faults.ts';
import type { TableFaults } from '../../infra/local/dynamodb/faults.ts';
import { Tables } from '../../infra/local/dynamodb/tables.ts';
import { Buses } from '../../infra/local/eventbridge/buses.ts';
import type { BusFaults } from '../../infra/local/eventbridge/faults.ts';
import type { QueueFaults } from '../../infra/local/sqs/faults.ts';
import { Queues } from '../../infra/local/sqs/queues.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { serve } from '../support/serve.ts';
import { until } from '../support/until.ts';
import { startGateway } from './gateway-fixture.ts';

const place = { region: 'eu-west-1', accountId: '000000000000' };
const arnOf = (queue: string): string => `arn:aws:sqs:eu-west-1:000000000000:${queue}`;
const urlOf = (queue: string): string => `http://127.0.0.1/000000000000/${queue}`;
const JOBS = arnOf('jobs');
const never = new AbortController().signal;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function openQueues(faults?: QueueFaults): Queues {
  const queues = Queues.open({ ...place, faults });
  closing.push(() => queues.close());
  for (const name of ['jobs', 'dead'])
    queues.create({ name, arn: arnOf(name), url: urlOf(name), attributes: {} });
  return queues;
}

const bodies = async (queues: Queues, max = 10) =>
  (await queues.receive(JOBS, max, never)).map(({ body }) => body);

describe('a queue', () => {
  it('hands a message out twice, each time with a receipt of its own, and no copy of the copy', async () => {
    const queues = openQueues({ fate: () => 'twice' });
    queues.send(JOBS, 'a', { messageGroupId: 'g' });
    const [first, second, ...more] = await queues.receive(JOBS, 10, never);
    expect(more).toEqual([]);
    // Each is taken for itself, and a millisecond may pass in between.
    const attributes = { ...first?.attributes, ApproximateFirstReceiveTimestamp: expect.any(String) };
    expect(second).toEqual({ ...first, attributes, receiptHandle: second?.receiptHandle });
    expect(second?.receiptHandle).not.toBe(first?.receiptHandle);
    queues.remove(JOBS, [first?.receiptHandle ?? '']);
    expect(queues.depth(JOBS)).toMatchObject({ visible: 0, inFlight: 1 });
    queues.remove(JOBS, [second?.receiptHandle ?? '']);
    expect(queues.depth(JOBS)).toMatchObject({ visible: 0, inFlight: 0 });
  });

  it('hands out the copy later if there is no room for it now', async () => {
    const queues = openQueues({ fate: () => 'twice' });
    for (const body of ['a', 'b']) queues.send(JOBS, body);
    expect(await bodies(queues, 2)).toEqual(['a', 'b']);
    expect(await bodies(queues, 2)).toEqual(['a', 'b']);
    expect(queues.depth(JOBS).visible).toBe(0);
  });

  it('asks once about every message, and holds up those that are late', async () => {
    const asked: string[] = [];
    const queues = openQueues({
      fate: (name) => {
        asked.push(name);
        return asked.length === 1 ? 50 : undefined;
      },
    });
    const before = Date.now();
    for (const body of ['late', 'in time']) queues.send(JOBS, body);
    expect(await bodies(queues)).toEqual(['in time']);
    expect(await bodies(queues)).toEqual(['late']);
    expect(Date.now() - before).toBeGreaterThanOrEqual(50);
    expect(asked).toEqual(['jobs', 'jobs']);
  });

  it('hands out whichever of the visible messages is said to be next', async () => {
    const asked: number[] = [];
    const queues = openQueues({
      next: (_, visible) => {
        asked.push(visible);
        return visible - 1;
      },
    });
    for (const body of ['a', 'b', 'c', 'd']) queues.send(JOBS, body);
    expect(await bodies(queues, 3)).toEqual(['d', 'c', 'b']);
    expect(await bodies(queues)).toEqual(['a']);
    expect(asked).toEqual([4, 3, 2]);
  });

  it('refuses some entries of a batch, takes the others, and says so in a 200', async () => {
    const asked: string[] = [];
    const queues = openQueues({
      refuses: (...names) => asked.push(names.join(' ')) % 2 === 0,
    });
    const served = await serve(queues);
    const sqs = new SQSClient(served.client);
    closing.push(served.close);
    const QueueUrl = urlOf('jobs');
    const Entries = ['a', 'b', 'c', 'd'].map((Id) => ({ Id, MessageBody: Id }));
    const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    const refused = { Code: 'InternalError', SenderFault: false };
    expect(sent.Successful?.map(({ Id }) => Id)).toEqual(['a', 'c']);
    expect(sent.Failed).toMatchObject([
      { Id: 'b', ...refused },
      { Id: 'd', ...refused },
    ]);
    expect(asked).toEqual(Array(4).fill('jobs SendMessageBatch'));
    const [first, second] = await queues.receive(JOBS, 10, never);
    expect([first?.body, second?.body]).toEqual(['a', 'c']);
    const changed = await sqs.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl,
        Entries: [first, second].map((message, index) => ({
          Id: String(index),
          ReceiptHandle: message?.receiptHandle,
          VisibilityTimeout: 0,
        })),
      }),
    );
    expect(changed.Failed).toMatchObject([{ Id: '1', ...refused }]);
    expect(queues.depth(JOBS)).toMatchObject({ visible: 1, inFlight: 1 });
  });

  it('that refuses every entry of a batch answers with 200 all the same', async () => {
    const queues = openQueues({ refuses: () => true });
    const served = await serve(queues);
    const sqs = new SQSClient(served.client);
    closing.push(served.close);
    const Entries = [{ Id: 'a', MessageBody: 'a' }];
    const { Failed } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: urlOf('jobs'), Entries }));
    expect(Failed).toHaveLength(1);
    expect(queues.depth(JOBS).visible).toBe(0);
  });

  it('lets ReceiveMessage alone', async () => {
    const queues = openQueues({ fate: () => 'twice', next: () => 1 });
    const served = await serve(queues);
    const sqs = new SQSClient(served.client);
    closing.push(served.close);
    for (const body of ['a', 'b']) queues.send(JOBS, body);
    const { Messages } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: urlOf('jobs'), MaxNumberOfMessages: 10 }),
    );
    expect(Messages?.map(({ Body }) => Body)).toEqual(['a', 'b']);
    expect(queues.depth(JOBS).visible).toBe(0);
  });
});

describe('a bus', () => {
  function openBuses(faults: BusFaults) {
    const queues = openQueues();
    const clock = new ManualClock();
    const invoked: string[] = [];
    const invoke = async (arn: string) => {
      invoked.push(arn);
      return { ok: true, payload: null } as const;
    };
    const buses = new Buses({ ...place, queues, invoke, clock, log: () => {}, faults });
    const Arn = 'arn:aws:lambda:eu-west-1:000000000000:function:work';
    buses.addRule({
      name: 'all',
      arn: 'arn:aws:events:eu-west-1:000000000000:rule/all',
      busName: 'default',
      eventPattern: { source: ['web'] },
      state: 'ENABLED',
      targets: [{ Id: 'work', Arn, DeadLetterConfig: { Arn: arnOf('dead') } }],
    });
    return { buses, clock, invoked, queues };
  }
  const order = { Source: 'web', DetailType: 'order', Detail: '{}' };

  it('refuses some entries with a code, and takes the others', async () => {
    const asked: string[][] = [];
    const { buses, invoked } = openBuses({
      refusal: (...names) => (asked.push(names) === 2 ? 'InternalFailure' : undefined),
    });
    const served = await serve(buses);
    closing.push(served.close);
    const events = new EventBridgeClient(served.client);
    const { FailedEntryCount, Entries } = await events.send(
      new PutEventsCommand({ Entries: [order, order, order] }),
    );
    expect(FailedEntryCount).toBe(1);
    expect(Entries?.map(({ ErrorCode }) => ErrorCode)).toEqual([undefined, 'InternalFailure', undefined]);
    expect(asked).toEqual(Array(3).fill(['default', 'order']));
    expect(invoked).toHaveLength(2);
  });

  it('gives a function every copy of an event in its time', async () => {
    const asked: string[][] = [];
    const copies = (...names: [string, string]) => {
      asked.push(names);
      return [0, 500];
    };
    const { buses, clock, invoked } = openBuses({ copies });
    buses.putEvents([order]);
    expect(asked).toEqual([['default', 'order']]);
    expect(invoked).toHaveLength(1);
    clock.advance(499);
    expect(invoked).toHaveLength(1);
    clock.advance(1);
    expect(invoked).toHaveLength(2);
  });

  it('answers late what it has taken at once', async () => {
    const { buses, clock, invoked } = openBuses({ answerMs: () => 40 });
    const served = await serve(buses);
    closing.push(served.close);
    const events = new EventBridgeClient(served.client);
    const answer = events.send(new PutEventsCommand({ Entries: [order] }));
    await until(() => invoked.length === 1);
    expect(clock.waiting).toBe(1);
    clock.advance(40);
    expect(await answer).toMatchObject({ FailedEntryCount: 0 });
  });

  it('has the event that still waits as a dead letter when it closes', async () => {
    const { buses, invoked, queues } = openBuses({ copies: () => [500] });
    buses.putEvents([order]);
    await buses.close();
    expect(invoked).toEqual([]);
    const [letter] = await queues.receive(arnOf('dead'), 10, never);
    expect(letter?.messageAttributes.RETRY_ATTEMPTS?.StringValue).toBe('0');
  });
});

describe('a table', () => {
  const TableName = 'rows';
  const key = (id: number) => ({ id: { S: String(id) } });
  const puts = (count: number) =>
    Array.from({ length: count }, (_, id) => ({ PutRequest: { Item: key(id) } }));

  async function open(faults: TableFaults) {
    const clock = new ManualClock();
    const tables = await Tables.open({ ...place, clock, faults });
    const served = await serve(tables);
    closing.push(served.close, () => tables.close());
    await tables.create({
      TableName,
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    });
    return { clock, dynamo: new DynamoDBClient(served.client) };
  }

  /** Throttles what these numbers say, counting from 0. */
  const throttling = (...indexes: number[]): TableFaults => {
    let index = 0;
    return {
      throttle: () => (indexes.includes(index++) ? 'ProvisionedThroughputExceededException' : undefined),
    };
  };

  it.each([
    [
      'ProvisionedThroughputExceededException',
      'TableWriteProvisionedThroughputExceeded',
      'The level of configured provisioned throughput',
    ],
    [
      'ThrottlingException',
      'TableWriteKeyRangeThroughputExceeded',
      'Throughput exceeds the current capacity',
    ],
  ] as const)('refuses a request with %s and its reason', async (name, reason, message) => {
    const asked: string[][] = [];
    const throttle = (...names: [string, string]) => {
      asked.push(names);
      return name;
    };
    const { dynamo } = await open({ throttle });
    await expect(dynamo.send(new PutItemCommand({ TableName, Item: key(1) }))).rejects.toMatchObject({
      name,
      message: expect.stringContaining(message),
      ThrottlingReasons: [{ reason, resource: 'arn:aws:dynamodb:eu-west-1:000000000000:table/rows' }],
    });
    expect(asked).toEqual([[TableName, 'PutItem']]);
  });

  it('answers a batch with what it did not write', async () => {
    const { dynamo } = await open(throttling(0, 2));
    const { UnprocessedItems } = await dynamo.send(
      new BatchWriteItemCommand({ RequestItems: { [TableName]: puts(4) } }),
    );
    expect(UnprocessedItems?.[TableName]?.map(({ PutRequest }) => PutRequest?.Item?.id?.S)).toEqual([
      '0',
      '2',
    ]);
    const { Responses } = await dynamo.send(
      new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: [0, 1, 2, 3].map(key) } } }),
    );
    expect(Responses?.[TableName]?.map(({ id }) => id?.S).sort()).toEqual(['1', '3']);
  });

  it('answers a batch with what it did not read, in the form in which it was asked', async () => {
    const { dynamo } = await open(throttling(2));
    await dynamo.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: puts(2) } }));
    const request = { ConsistentRead: true, ProjectionExpression: 'id' };
    const { Responses, UnprocessedKeys } = await dynamo.send(
      new BatchGetItemCommand({ RequestItems: { [TableName]: { ...request, Keys: [0, 1].map(key) } } }),
    );
    expect(Responses?.[TableName]).toEqual([key(1)]);
    expect(UnprocessedKeys?.[TableName]).toEqual({ ...request, Keys: [key(0)] });
  });

  it('refuses a batch of which it takes nothing', async () => {
    const { dynamo } = await open(throttling(0, 1));
    await expect(
      dynamo.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: puts(2) } })),
    ).rejects.toMatchObject({ name: 'ProvisionedThroughputExceededException' });
  });

  it('performs a request that is held up in its time', async () => {
    const delays = [500];
    const { clock, dynamo } = await open({ delayMs: () => delays.pop() });
    const idle = clock.waiting;
    const put = dynamo.send(new PutItemCommand({ TableName, Item: key(1) }));
    await vi.waitUntil(() => clock.waiting > idle);
    const read = () => dynamo.send(new GetItemCommand({ TableName, Key: key(1) }));
    expect((await read()).Item).toBeUndefined();
    clock.advance(500);
    await put;
    expect((await read()).Item).toEqual(key(1));
  });
});

describe('a gateway', () => {
  const start = async (fault: ManagementFault) => {
    const faults: ManagementFault[] = [fault];
    const gateway = await startGateway({ faults: { management: () => faults.shift() } });
    const { client, id } = await gateway.connectWithId();
    const call = async (method: string, body?: string) => {
      const url = `${gateway.endpoint}/@connections/${encodeURIComponent(id)}`;
      return (await fetch(url, { method, ...(body !== undefined && { body }) })).status;
    };
    return { gateway, client, call };
  };

  it('answers a post that it drops as if it had made it', async () => {
    const { client, call } = await start({ outcome: 'drop' });
    expect([await call('POST', 'lost'), await call('POST', 'next')]).toEqual([200, 200]);
    expect(await client.next()).toBe('next');
  });

  it('answers a DELETE that it drops as if the connection were closed', async () => {
    const { client, call } = await start({ outcome: 'drop' });
    expect(await call('DELETE')).toBe(204);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
    expect(await call('POST', 'still here')).toBe(200);
  });

  it('performs a call that is held up in its time, and finds what there is then', async () => {
    const { gateway, client, call } = await start({ delayMs: 500 });
    const idle = gateway.clock.waiting;
    const late = call('POST', 'late');
    await vi.waitUntil(() => gateway.clock.waiting > idle);
    expect(await call('POST', 'in time')).toBe(200);
    gateway.clock.advance(500);
    expect(await late).toBe(200);
    expect([await client.next(), await client.next()]).toEqual(['in time', 'late']);
  });
});
