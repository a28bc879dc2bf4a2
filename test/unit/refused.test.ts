import {
  type BatchGetItemCommand,
  type BatchGetItemCommandInput,
  BatchWriteItemCommand,
  type BatchWriteItemCommandInput,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { PutEventsCommandInput, PutEventsResultEntry } from '@aws-sdk/client-eventbridge';
import type {
  BatchResultErrorEntry,
  SendMessageBatchCommandInput,
  SendMessageCommandInput,
} from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { deleteAll, getAll } from '../../shared/data/dynamo.ts';
import type { Publication } from '../../shared/protocol/publication.ts';
import { parseTopic } from '../../shared/protocol/topic.ts';
import { createBus } from '../../shared/queues/bus.ts';
import type { DeliveryJob } from '../../shared/queues/job.ts';
import { createDeadLetters, createDeliveryQueue } from '../../shared/queues/queues.ts';
import { dataJson } from '../support/json-texts.ts';
import { waitingClock } from '../support/waits.ts';

/** Batch calls that AWS does not take whole: each rule says of a call which of its entries are refused, and how. */

const ALWAYS = Number.POSITIVE_INFINITY;
const throttled = Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException' });

/** The `answer` to the first `times` calls, and to the others that all is well. */
const first = <I, A>(times: number, answer: (input: I) => A, well: (input: I) => A) => {
  const inputs: I[] = [];
  const send = async ({ input }: { readonly input: I }): Promise<A> => {
    inputs.push(input);
    return inputs.length <= times ? answer(input) : well(input);
  };
  return { inputs, client: { send } as never };
};

describe('a bus', () => {
  const publication = (data: string): Publication => ({
    targets: [{ topic: parseTopic('news') }],
    payloads: [{ data: dataJson(data), messageId: data }],
    publishedAt: new Date(0).toISOString(),
    publisher: {},
  });
  const dataOf = (Detail: string | undefined) => JSON.parse(Detail ?? '').data;

  function busThat(refuses: (data: string) => PutEventsResultEntry, times: number) {
    const answer = ({ Entries = [] }: PutEventsCommandInput) => {
      const results = Entries.map(({ Detail }) => refuses(dataOf(Detail)));
      const FailedEntryCount = results.filter(({ ErrorCode }) => ErrorCode !== undefined).length;
      return { FailedEntryCount, Entries: results };
    };
    const { inputs, client } = first(times, answer, () => ({ FailedEntryCount: 0, Entries: [] }));
    const clock = waitingClock();
    const bus = createBus(client, 'bus', clock);
    const sent = () => inputs.map(({ Entries = [] }) => Entries.map(({ Detail }) => dataOf(Detail)).join(''));
    return { publish: () => bus.publish(['a', 'b', 'c'].map(publication)), sent, clock };
  }
  const refusing =
    (code: string, ...names: string[]) =>
    (data: string): PutEventsResultEntry =>
      names.includes(data) ? { ErrorCode: code, ErrorMessage: `no ${data}` } : { EventId: data };

  it.each(['ThrottlingException', 'InternalFailure', 'InternalException'])(
    'gets again what it refused with %s, and only that',
    async (code) => {
      const { publish, sent } = busThat(refusing(code, 'a', 'c'), 2);
      await publish();
      expect(sent()).toEqual(['abc', 'ac', 'ac']);
    },
  );

  it('that throttles for two seconds costs its publisher no more than that', async () => {
    const clock = waitingClock();
    const startMs = clock.now();
    const send = async ({ input: { Entries = [] } }: { readonly input: PutEventsCommandInput }) =>
      clock.now() < startMs + 2_000
        ? {
            FailedEntryCount: Entries.length,
            Entries: Entries.map(() => ({ ErrorCode: 'ThrottlingException' })),
          }
        : { FailedEntryCount: 0, Entries: [] };
    await createBus({ send } as never, 'bus', clock).publish([publication('a')]);
    expect(clock.now() - startMs).toBeLessThan(3_000);
  });

  it('that throttles the call as a whole gets all of it again', async () => {
    const { inputs, client } = first<PutEventsCommandInput, unknown>(
      3,
      () => Promise.reject(throttled),
      () => ({ FailedEntryCount: 0 }),
    );
    await createBus(client, 'bus', waitingClock()).publish(['a', 'b'].map(publication));
    expect(inputs.map(({ Entries }) => Entries?.length)).toEqual([2, 2, 2, 2]);
  });

  it('that never takes it makes the publisher come again', async () => {
    const { publish, clock } = busThat(refusing('ThrottlingException', 'b'), ALWAYS);
    await expect(publish()).rejects.toMatchObject({
      code: 'unavailable',
      message: 'expected the bus to take every message, got ThrottlingException for 1; publish again',
    });
    expect(clock.waits.length).toBeGreaterThan(5);
  });

  it('that cannot carry an event says so at once', async () => {
    const { publish, sent } = busThat(refusing('MalformedDetail', 'b'), ALWAYS);
    await expect(publish()).rejects.toMatchObject({
      code: 'bad_request',
      message: 'expected data that EventBridge takes, got no b',
    });
    expect(sent()).toEqual(['abc']);
  });

  it('that may not take an event fails at once, with the reason that lasts', async () => {
    const { publish, sent } = busThat(
      (data) =>
        data === 'b'
          ? { ErrorCode: 'AccessDeniedException', ErrorMessage: 'no' }
          : { ErrorCode: 'InternalFailure' },
      ALWAYS,
    );
    await expect(publish()).rejects.toThrow(
      'expected the bus to take every event, got AccessDeniedException: no',
    );
    expect(sent()).toEqual(['abc']);
  });
});

describe('a queue', () => {
  const job = (connectionId: string): DeliveryJob => ({
    group: 'g',
    messages: [],
    connectionIds: [connectionId],
    shards: [],
    attempt: 1,
  });
  const jobs = Array.from({ length: 12 }, (_, index) => job(`c${index}`));
  const failure = (Id: string | undefined, SenderFault = false): BatchResultErrorEntry => ({
    Id,
    Code: 'InternalError',
    Message: 'sorry',
    SenderFault,
  });
  const idsIn = (inputs: readonly SendMessageBatchCommandInput[]) =>
    inputs.map(({ Entries = [] }) =>
      Entries.map(({ MessageBody = '' }) => JSON.parse(MessageBody).connectionIds[0]).join(' '),
    );
  const enqueue = (client: never, clock = waitingClock(), some = jobs.slice(0, 3)) =>
    createDeliveryQueue(client, 'https://queue', clock).enqueue(some, 0);
  type Answer = { readonly Failed: BatchResultErrorEntry[] };
  const allWell = (): Answer => ({ Failed: [] });

  it('gets again what it refused, and only that', async () => {
    const answer = ({ Entries = [] }: SendMessageBatchCommandInput): Answer => ({
      Failed: Entries.filter(({ MessageBody }) => !MessageBody?.includes('"c1"')).map(({ Id }) =>
        failure(Id),
      ),
    });
    const { inputs, client } = first(2, answer, allWell);
    await enqueue(client);
    expect(idsIn(inputs)).toEqual(['c0 c1 c2', 'c0 c2', 'c0 c2']);
  });

  it('gets as much in each batch as fits into it', async () => {
    const large = [{ json: 'x'.repeat(400_000) }];
    const { inputs, client } = first<SendMessageBatchCommandInput, Answer>(0, allWell, allWell);
    await enqueue(
      client,
      undefined,
      jobs.slice(0, 6).map((each) => ({ ...each, messages: large })),
    );
    expect(idsIn(inputs)).toEqual(['c0 c1', 'c2 c3', 'c4 c5']);
  });

  it('gets every batch again by itself', async () => {
    const refused = new Set<string>();
    const answer = ({ Entries = [] }: SendMessageBatchCommandInput): Answer => ({
      Failed: Entries.flatMap(({ Id, MessageBody = '' }) => {
        if (!/"c(9|11)"/.test(MessageBody) || refused.has(MessageBody)) return [];
        refused.add(MessageBody);
        return failure(Id);
      }),
    });
    const { inputs, client } = first(ALWAYS, answer, allWell);
    await enqueue(client, undefined, jobs);
    expect(idsIn(inputs).toSorted()).toEqual(['c0 c1 c2 c3 c4 c5 c6 c7 c8 c9', 'c10 c11', 'c11', 'c9']);
  });

  it('that throttles the call as a whole gets all of it again', async () => {
    const { inputs, client } = first<SendMessageBatchCommandInput, unknown>(
      2,
      () => Promise.reject(throttled),
      allWell,
    );
    await enqueue(client);
    expect(inputs).toHaveLength(3);
  });

  it('that never takes it fails with its reason, so that the record comes again', async () => {
    const answer = ({ Entries = [] }: SendMessageBatchCommandInput): Answer => ({
      Failed: Entries.map(({ Id }) => failure(Id)),
    });
    const clock = waitingClock();
    const { client } = first(ALWAYS, answer, allWell);
    await expect(enqueue(client, clock)).rejects.toThrow(
      'expected the queue to take the batch, got InternalError: sorry',
    );
    expect(clock.waits.length).toBeGreaterThan(5);
  });

  it('that finds fault with the sender fails at once', async () => {
    const clock = waitingClock();
    const { client } = first(1, (): Answer => ({ Failed: [failure('0'), failure('1', true)] }), allWell);
    await expect(enqueue(client, clock)).rejects.toThrow('got InternalError: sorry');
    expect(clock.waits).toEqual([]);
  });
});

describe('a table', () => {
  const key = (id: number) => ({ id: { S: String(id) } });
  const keys = [0, 1, 2].map(key);

  /** Leaves undone all but the first item of each call, so often. */
  function tableThat(times: number) {
    const calls: number[] = [];
    const send = async (command: BatchGetItemCommand | BatchWriteItemCommand) => {
      const isWrite = command instanceof BatchWriteItemCommand;
      const { RequestItems = {} } = command.input as BatchGetItemCommandInput & BatchWriteItemCommandInput;
      const all = (isWrite ? RequestItems.rows : RequestItems.rows?.Keys) as unknown as object[];
      const rest = calls.length < times ? all.slice(1) : [];
      calls.push(all.length);
      const unprocessed = rest.length > 0 ? { rows: isWrite ? rest : { Keys: rest } } : {};
      return isWrite
        ? { UnprocessedItems: unprocessed }
        : { Responses: { rows: all.slice(0, all.length - rest.length) }, UnprocessedKeys: unprocessed };
    };
    return { calls, client: { send } as unknown as DynamoDBClient };
  }

  it('gets again what a batch left undone', async () => {
    const reads = tableThat(2);
    expect(await getAll(reads.client, 'rows', keys, waitingClock())).toEqual(keys);
    expect(reads.calls).toEqual([3, 2, 1]);
    const deletes = tableThat(1);
    await deleteAll(deletes.client, 'rows', keys, waitingClock());
    expect(deletes.calls).toEqual([3, 2]);
  });

  it('that leaves some undone for seconds fails as one that is throttled', async () => {
    const message = 'expected DynamoDB to process all of the batch, got 1 left over';
    const send = async (command: object) => ({
      UnprocessedItems: { rows: [{}] },
      UnprocessedKeys: { rows: { Keys: [{}] } },
      command,
    });
    const client = { send } as unknown as DynamoDBClient;
    for (const run of [deleteAll, getAll]) {
      await expect(run(client, 'rows', keys, waitingClock())).rejects.toMatchObject({
        name: 'RefusedError',
        message,
      });
    }
  });
});

describe('dead letters', () => {
  it('have reasons that SQS takes, whatever a bad event had in it', async () => {
    const { inputs, client } = first(
      0,
      () => ({}),
      (_: SendMessageCommandInput) => ({}),
    );
    const letters = createDeadLetters(client, 'https://queue');
    await letters.bury('{}', 'expected a topic, got "\uFFFF\u0000\u001F\uD83D😀é"');
    await letters.bury('{}', `${'x'.repeat(2_000)}`);
    expect(
      inputs.map(({ MessageAttributes }) => MessageAttributes?.reason?.StringValue?.slice(0, 40)),
    ).toEqual(['expected a topic, got "\uFFFD\uFFFD\uFFFD\uFFFD😀é"', 'x'.repeat(40)]);
  });
});
