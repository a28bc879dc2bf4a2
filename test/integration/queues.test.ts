import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  TagQueueCommand,
  UntagQueueCommand,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type HttpEngine, RequestError } from '../../infra/local/http/engine.ts';
import {
  type Action,
  actions,
  atomically,
  closeStore,
  openStore,
  refresh,
} from '../../infra/local/sqs/fauxqs.ts';
import { type QueueDefinition, Queues } from '../../infra/local/sqs/queues.ts';
import { serve } from '../support/serve.ts';

const never = new AbortController().signal;
const arnOf = (name: string): string => `arn:aws:sqs:eu-west-1:000000000000:${name}`;
const ORDERS = arnOf('orders');
const DEAD = arnOf('dead');

const queue = (name: string, attributes: QueueDefinition['attributes'] = {}): QueueDefinition => ({
  name,
  arn: arnOf(name),
  url: `http://127.0.0.1/000000000000/${name}`,
  attributes,
});

let dataDir: string;
let queues: Queues;

/** Everything that has to be closed, last first. */
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'fanwire-queues-'));
  queues = Queues.open({ dataDir, region: 'eu-west-1' });
  closing.push(
    () => rm(dataDir, { recursive: true }),
    () => queues.close(),
  );
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function restart(): Promise<void> {
  await queues.close();
  queues = Queues.open({ dataDir, region: 'eu-west-1' });
}

async function client(engine: HttpEngine = queues): Promise<SQSClient> {
  const served = await serve(engine);
  const sqs = new SQSClient(served.client);
  closing.push(served.close, async () => sqs.destroy());
  return sqs;
}

describe('in process', () => {
  beforeEach(() => queues.create(queue('orders')));

  it('hands out what was sent, with what SQS says about it', async () => {
    const messageId = queues.send(ORDERS, 'one', {
      messageAttributes: { kind: { DataType: 'String', StringValue: 'test' } },
      messageGroupId: 'chat/lobby',
    });
    const [message] = await queues.receive(ORDERS, 10, never);
    expect(message).toEqual({
      messageId,
      receiptHandle: expect.any(String),
      body: 'one',
      md5OfBody: 'f97c5d29941bfb1b2fdab0874906ab82',
      md5OfMessageAttributes: expect.stringMatching(/^[0-9a-f]{32}$/),
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: expect.stringMatching(/^\d{13}$/),
        SenderId: expect.any(String),
        ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
        MessageGroupId: 'chat/lobby',
      },
      messageAttributes: { kind: { DataType: 'String', StringValue: 'test' } },
    });
  });

  it('takes more than the ten messages of one ReceiveMessage at once', async () => {
    for (let index = 0; index < 25; index++) queues.send(ORDERS, String(index));
    expect(await queues.receive(ORDERS, 20, never)).toHaveLength(20);
    expect(await queues.receive(ORDERS, 20, never)).toHaveLength(5);
  });

  it('gives up waiting when it is closed', async () => {
    const receiving = queues.receive(ORDERS, 10, never);
    await queues.close();
    expect(await receiving).toEqual([]);
  });

  it('counts what is visible, in flight and delayed', async () => {
    queues.send(ORDERS, 'now');
    queues.send(ORDERS, 'too');
    queues.send(ORDERS, 'later', { delaySeconds: 60 });
    await queues.receive(ORDERS, 1, never);
    expect(queues.depth(ORDERS)).toEqual({ visible: 1, inFlight: 1, delayed: 1 });
  });

  it('keeps what is not removed in flight', async () => {
    queues.send(ORDERS, 'done');
    queues.send(ORDERS, 'failed');
    const [done] = await queues.receive(ORDERS, 10, never);
    queues.remove(ORDERS, [done?.receiptHandle ?? '']);
    expect(queues.depth(ORDERS)).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
  });

  it('moves what was received too often to the dead-letter queue', async () => {
    queues.create(queue('dead'));
    const RedrivePolicy = { deadLetterTargetArn: DEAD, maxReceiveCount: 1 };
    queues.create(queue('orders', { VisibilityTimeout: 1, RedrivePolicy }));
    queues.send(ORDERS, 'poison');
    await queues.receive(ORDERS, 10, never);
    const next = new AbortController();
    const again = queues.receive(ORDERS, 10, next.signal);
    expect((await queues.receive(DEAD, 10, never)).map(({ body }) => body)).toEqual(['poison']);
    next.abort();
    expect(await again).toEqual([]);
  });

  it('takes an emoji and refuses half of one', () => {
    expect(queues.send(ORDERS, '👋 hello')).toEqual(expect.any(String));
    expect(() => queues.send(ORDERS, '\ud83d')).toThrow('Invalid characters found');
  });

  it('refuses a queue that does not exist, and attributes that SQS does not know', () => {
    expect(() => queues.send(arnOf('nowhere'), 'x')).toThrow(RequestError);
    expect(() => queues.create(queue('bad', { VisibilityTimout: 5 }))).toThrow(
      'queue bad: expected SQS attributes, got VisibilityTimout',
    );
    expect(() => queues.create(queue('bad', { VisibilityTimeout: 50_000 }))).toThrow('VisibilityTimeout');
  });
});

describe('a wait for a message', () => {
  // fauxqs reads the time of the machine and no other.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
    queues.create(queue('orders'));
  });
  afterEach(() => void vi.useRealTimers());

  /** Begins to wait; the answer is what has been received so far. */
  function waiting(signal: AbortSignal = never): () => string[] | undefined {
    let received: string[] | undefined;
    void queues.receive(ORDERS, 10, signal).then((messages) => {
      received = messages.map(({ body }) => body);
    });
    return () => received;
  }

  it('ends with a message that is sent later', async () => {
    const received = waiting();
    queues.send(ORDERS, 'later');
    await vi.advanceTimersByTimeAsync(0);
    expect(received()).toEqual(['later']);
  });

  it('ends with the delay of a message, though it was sent during the wait', async () => {
    const received = waiting();
    await vi.advanceTimersByTimeAsync(5);
    queues.send(ORDERS, 'later', { delaySeconds: 1 });
    await vi.advanceTimersByTimeAsync(999);
    expect(received()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(received()).toEqual(['later']);
  });

  it('ends with a delay of less than a second', async () => {
    const received = waiting();
    queues.send(ORDERS, 'soon', { delaySeconds: 0.05 });
    expect(queues.depth(ORDERS).delayed).toBe(1);
    await vi.advanceTimersByTimeAsync(49);
    expect(received()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(received()).toEqual(['soon']);
  });

  it('ends at once when it is told to', async () => {
    const controller = new AbortController();
    const received = waiting(controller.signal);
    controller.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(received()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a FIFO queue', () => {
  const JOBS = arnOf('jobs.fifo');
  beforeEach(() => queues.create(queue('jobs.fifo', { FifoQueue: true, ContentBasedDeduplication: true })));

  it('keeps the order of a group and holds it back while one of its messages is in flight', async () => {
    queues.send(JOBS, 'a1', { messageGroupId: 'a' });
    queues.send(JOBS, 'a2', { messageGroupId: 'a' });
    queues.send(JOBS, 'b1', { messageGroupId: 'b' });
    const first = await queues.receive(JOBS, 10, never);
    expect(first.map(({ body }) => body)).toEqual(['a1', 'b1']);
    const next = queues.receive(JOBS, 10, never);
    queues.remove(
      JOBS,
      first.map(({ receiptHandle }) => receiptHandle),
    );
    expect((await next).map(({ body }) => body)).toEqual(['a2']);
  });

  it('takes the same content once, and nothing without a group', async () => {
    const messageId = queues.send(JOBS, 'same', { messageGroupId: 'a' });
    expect(queues.send(JOBS, 'same', { messageGroupId: 'a' })).toBe(messageId);
    expect(queues.depth(JOBS).visible).toBe(1);
    expect(() => queues.send(JOBS, 'x')).toThrow('MessageGroupId');
  });
});

describe('over HTTP', () => {
  const QueueUrl = queue('orders').url;
  beforeEach(() => queues.create(queue('orders')));

  it('serves the SDK: send, receive, delete', async () => {
    const sqs = await client();
    expect((await sqs.send(new GetQueueUrlCommand({ QueueName: 'orders' }))).QueueUrl).toBe(QueueUrl);
    const sent = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'héllo 👋' }));
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
    expect(Messages).toMatchObject([{ MessageId: sent.MessageId, Body: 'héllo 👋' }]);
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0]?.ReceiptHandle }));
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
    expect(Attributes).toMatchObject({
      ApproximateNumberOfMessagesNotVisible: '0',
      ApproximateNumberOfMessages: '0',
    });
  });

  it('counts a message as visible when its delay has ended', async () => {
    const sqs = await client();
    queues.send(ORDERS, 'later', { delaySeconds: 1 });
    const count = async () => {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      );
      return Attributes?.ApproximateNumberOfMessages;
    };
    expect(await count()).toBe('0');
    await vi.waitFor(async () => expect(await count()).toBe('1'), { timeout: 5_000 });
  });

  it('answers a long poll when a message comes', async () => {
    const sqs = await client();
    const poll = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    queues.send(ORDERS, 'at last');
    expect((await poll).Messages).toMatchObject([{ Body: 'at last' }]);
  });

  it('ends a long poll when it is closed', async () => {
    const arrived = Promise.withResolvers<void>();
    const sqs = await client({
      handle(...args) {
        const handling = queues.handle(...args);
        arrived.resolve();
        return handling;
      },
    });
    const poll = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    await arrived.promise;
    await queues.close();
    expect((await poll).Messages).toBeUndefined();
  });

  it('gives the SDK its named errors', async () => {
    const sqs = await client();
    const missing = sqs.send(new SendMessageCommand({ QueueUrl: `${QueueUrl}x`, MessageBody: 'x' }));
    await expect(missing).rejects.toMatchObject({
      name: 'QueueDoesNotExist',
      $metadata: { httpStatusCode: 400 },
    });
    const Entries = Array.from({ length: 11 }, (_, index) => ({ Id: String(index), MessageBody: 'x' }));
    const tooMany = sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    await expect(tooMany).rejects.toMatchObject({ name: 'TooManyEntriesInBatchRequest' });
  });

  it.each([
    [
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 0 }),
      'InvalidParameterValue',
      'Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.',
    ],
    [new SendMessageCommand({ QueueUrl, MessageBody: '' }), 'MissingParameter', 'parameter MessageBody.'],
    [
      new SendMessageCommand({ QueueUrl, MessageBody: 'x', MessageGroupId: 'chat lobby' }),
      'InvalidParameterValue',
      'Value chat lobby for parameter MessageGroupId is invalid.',
    ],
    [
      new SendMessageCommand({ QueueUrl, MessageBody: 'x', MessageDeduplicationId: 'é' }),
      'InvalidParameterValue',
      'Value é for parameter MessageDeduplicationId is invalid.',
    ],
    [
      new SendMessageCommand({
        QueueUrl,
        MessageBody: 'x',
        MessageAttributes: { size: { DataType: 'Number.int', StringValue: '' } },
      }),
      'InvalidParameterValue',
      "Message (user) attribute 'size' must contain a non-empty value of type 'Number'.",
    ],
    [
      new DeleteMessageBatchCommand({
        QueueUrl,
        Entries: Array.from({ length: 12 }, (_, index) => ({ Id: `${index}`, ReceiptHandle: 'x' })),
      }),
      'TooManyEntriesInBatchRequest',
      'Maximum number of entries per request are 10. You have sent 12.',
    ],
    [
      new SendMessageBatchCommand({
        QueueUrl,
        Entries: ['a', 'b'].map((Id) => ({ Id, MessageBody: Id.repeat(600_000) })),
      }),
      'BatchRequestTooLong',
      'Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes.',
    ],
  ])('refuses what SQS refuses, in its words: %#', async (command, name, message) => {
    const sqs = await client();
    const request = sqs.send(command as SendMessageCommand);
    await expect(request).rejects.toMatchObject({
      name: expect.stringMatching(new RegExp(`^(AWS.SimpleQueueService.)?${name}$`)),
      message: expect.stringContaining(message),
    });
  });

  it('refuses a message of a batch alone if it is too long for its queue', async () => {
    const sqs = await client();
    queues.create(queue('orders', { MaximumMessageSize: 1_024 }));
    const Entries = [1_025, 1_024].map((length) => ({ Id: `${length}`, MessageBody: 'x'.repeat(length) }));
    expect(await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))).toMatchObject({
      Successful: [{ Id: '1024' }],
      Failed: [
        {
          Id: '1025',
          Code: 'InvalidParameterValue',
          Message:
            'One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.',
        },
      ],
    });
  });

  it('keeps the MessageGroupId on a standard queue, of one message and of a batch', async () => {
    const sqs = await client();
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: '0', MessageGroupId: 'zero' }));
    const Entries = [
      { Id: 'a', MessageBody: '1', MessageGroupId: 'one' },
      { Id: 'b', MessageBody: '2' },
      { Id: 'c', MessageBody: '3', MessageGroupId: 'three', DelaySeconds: 1 },
    ];
    await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    await restart();
    const messages = await queues.receive(ORDERS, 10, never);
    messages.push(...(await queues.receive(ORDERS, 10, never)));
    const groups = messages.map(({ body, attributes }) => [body, attributes.MessageGroupId]);
    expect(groups).toEqual([
      ['0', 'zero'],
      ['1', 'one'],
      ['2', undefined],
      ['3', 'three'],
    ]);
  });

  it('makes a message visible at once with a visibility timeout of 0', async () => {
    const sqs = await client();
    queues.send(ORDERS, 'again');
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
    const ReceiptHandle = Messages[0]?.ReceiptHandle;
    await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
    const [message] = await queues.receive(ORDERS, 1, never);
    expect(message?.attributes.ApproximateReceiveCount).toBe('2');
  });
});

describe('a disk that refuses writes', () => {
  let lines: string[];
  let other: DatabaseSync;
  /** Another connection that writes stands for a full disk: SQLite refuses, and the transaction is still there. */
  const refuse = (): void => other.exec('BEGIN IMMEDIATE');
  const relent = (): void => other.exec('ROLLBACK');

  beforeEach(async () => {
    await queues.close();
    lines = [];
    queues = Queues.open({ dataDir, region: 'eu-west-1', log: (line) => lines.push(line) });
    queues.create(queue('orders', { VisibilityTimeout: 600, RedrivePolicy: redrive(1) }));
    queues.create(queue('dead'));
    other = new DatabaseSync(join(dataDir, 'fauxqs.db'));
    closing.push(async () => other.close());
  });

  const redrive = (maxReceiveCount: number) => ({ deadLetterTargetArn: DEAD, maxReceiveCount });

  it('has every call answered with 503, which the SDK tries again, and says why once', async () => {
    const sqs = await client();
    const { url: QueueUrl } = queue('orders');
    queues.send(ORDERS, 'kept');
    refuse();
    await expect(sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'no' }))).rejects.toMatchObject({
      name: 'ServiceUnavailable',
      $metadata: { httpStatusCode: 503 },
    });
    await expect(sqs.send(new ReceiveMessageCommand({ QueueUrl }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 503 },
    });
    await expect(queues.receive(ORDERS, 1, never)).rejects.toThrow('the queues cannot be written');
    expect(lines).toEqual([expect.stringMatching(/^the queues in .* cannot be written: database is locked/)]);
    relent();
    queues.send(ORDERS, 'after');
    expect(lines[1]).toMatch(/can be written again$/);
  });

  it('loses nothing, and keeps nothing that it has refused', async () => {
    queues.send(ORDERS, 'kept');
    refuse();
    expect(() => queues.send(ORDERS, 'no')).toThrow();
    await expect(queues.receive(ORDERS, 1, never)).rejects.toThrow();
    relent();
    const [message, ...others] = await queues.receive(ORDERS, 10, never); // not after the visibility timeout
    expect([message?.body, others]).toEqual(['kept', []]);
    refuse();
    expect(() => queues.remove(ORDERS, [message?.receiptHandle ?? ''])).toThrow();
    relent();
    queues.remove(ORDERS, [message?.receiptHandle ?? '']);
    expect(queues.depth(ORDERS)).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  it('leaves what is delayed, grouped or in flight there once', async () => {
    queues.send(ORDERS, 'taken');
    await queues.receive(ORDERS, 1, never);
    queues.send(ORDERS, 'delayed', { delaySeconds: 600 });
    queues.send(ORDERS, 'visible', { messageGroupId: 'a' });
    const before = queues.depth(ORDERS);
    expect(before).toEqual({ visible: 1, inFlight: 1, delayed: 1 });
    refuse();
    expect(() => queues.send(ORDERS, 'no', { delaySeconds: 600 })).toThrow();
    relent();
    await queues.receive(DEAD, 1, AbortSignal.timeout(0)); // what is called next reads the disk again
    expect(queues.depth(ORDERS)).toEqual(before);
  });

  it('has a message that is on its way to a dead-letter queue arrive there later', async () => {
    queues.send(ORDERS, 'dead');
    await queues.receive(ORDERS, 1, never);
    queues.releaseInFlight(ORDERS);
    refuse();
    await expect(queues.receive(ORDERS, 1, never)).rejects.toThrow();
    relent();
    await queues.receive(ORDERS, 1, AbortSignal.timeout(0));
    expect(queues.depth(DEAD).visible).toBe(1);
  });

  it('is no reason to roll back what SQLite has rolled back itself', () => {
    const store = openStore(join(dataDir, 'full'), 'eu-west-1');
    const { db, tally } = store.persistence ?? {};
    const held = store.createQueue('orders', 'http://localhost/000000000000/orders', ORDERS, {});
    const send = actions.get('SendMessage') as Action;
    const input = { QueueUrl: held.url, MessageBody: 'x'.repeat(1_000) };
    const add = () => atomically(store, () => send(input, store, { headers: {} }));
    db?.exec('PRAGMA max_page_count = 64');
    expect(() => {
      while (held.messages.length < 10_000) add();
    }).toThrow('database or disk is full');
    expect(db?.isTransaction).toBe(false);
    const before = tally?.changes ?? 0;
    db?.exec('PRAGMA max_page_count = 100000');
    refresh(store);
    const kept = held.messages.length;
    add();
    expect(tally?.changes).toBeGreaterThan(before);
    closeStore(store);
    const again = openStore(join(dataDir, 'full'), 'eu-west-1');
    expect(again.getQueueByArn(ORDERS)?.messages).toHaveLength(kept + 1);
    closeStore(again);
  });
});

describe('queues notice that they lack what they had taken', () => {
  const BOOTED = 1_700_000_000;
  const MD5_OF_C = '4a8a08f09d37b73795649038408b5f33';
  let copy: string;
  const openIn = (directory: string, bootedAtSeconds = BOOTED): Queues =>
    Queues.open({ dataDir: directory, region: 'eu-west-1', bootedAtSeconds });
  const wal = () => join(copy, 'fauxqs.db-wal');

  async function isLost(bootedAtSeconds?: number): Promise<boolean> {
    const opened = openIn(copy, bootedAtSeconds);
    await opened.close();
    return opened.hasLostWrites;
  }
  /** As a process leaves it that is killed. */
  const kill = (): void => cpSync(dataDir, copy, { recursive: true });

  beforeEach(async () => {
    copy = `${dataDir}.copy`;
    closing.unshift(() => rm(copy, { recursive: true, force: true }));
    await queues.close();
    queues = openIn(dataDir);
    queues.create(queue('orders'));
    queues.account();
    for (const body of ['a', 'b', 'c']) queues.send(ORDERS, body);
  });

  it('and nothing else', async () => {
    kill();
    expect(await isLost()).toBe(false);
    await queues.receive(ORDERS, 1, never);
    await queues.close();
    rmSync(copy, { recursive: true });
    kill();
    expect(await isLost(BOOTED + 3_600)).toBe(false);
  });

  it.each([
    ['was cut short', () => truncateSync(wal(), statSync(wal()).size - 100)],
    ['was damaged in its middle', () => damage(wal(), statSync(wal()).size / 2)],
    ['is gone', () => rmSync(wal())],
    ['is gone, and their file, too', () => rmSync(join(copy, 'fauxqs.db'))],
    ['is there, and their mark is not', () => rmSync(join(copy, 'fauxqs.mark'))],
  ])('when their log %s', async (_, spoil) => {
    kill();
    spoil();
    expect(await isLost()).toBe(true);
    expect(await isLost()).toBe(true);
    const opened = openIn(copy);
    for (const name of ['orders', 'dead', 'others', 'more', 'most']) opened.create(queue(name));
    await opened.close();
    expect(await isLost()).toBe(true); // nobody has accounted for it yet
    const dealt = openIn(copy);
    dealt.account();
    await dealt.close();
    expect(await isLost()).toBe(false);
  });

  it('when the machine went down under them, in case', async () => {
    kill();
    expect(await isLost(BOOTED + 3_600)).toBe(true);
  });

  it('and say so when their mark is no file', () => {
    mkdirSync(join(copy, 'fauxqs.mark'), { recursive: true });
    expect(() => openIn(copy)).toThrow(`expected ${join(copy, 'fauxqs.mark')} to be a file, got a directory`);
  });

  it('not when they have refused what could not be written', async () => {
    const other = new DatabaseSync(join(dataDir, 'fauxqs.db'));
    other.exec('BEGIN IMMEDIATE');
    expect(() => queues.send(ORDERS, 'no')).toThrow('cannot be written');
    other.close();
    await queues.close();
    kill();
    expect(await isLost()).toBe(false);
  });

  it.each([
    ['a body', (file: string) => damage(file, readFileSync(file).lastIndexOf(`c${MD5_OF_C}`))],
    ['a page', (file: string) => damage(file, statSync(file).size - 4_096)],
  ])('and are refused when %s is damaged', async (_, spoil) => {
    await queues.close();
    kill();
    spoil(join(copy, 'fauxqs.db'));
    expect(() => openIn(copy)).toThrow(/^the queues in .+ cannot be read .+: remove that directory/);
  });

  function damage(file: string, at: number): void {
    const bytes = readFileSync(file);
    bytes[Math.floor(at)] = (bytes[Math.floor(at)] as number) ^ 0xff;
    writeFileSync(file, bytes);
  }
});

describe('after a restart', () => {
  it('a queue has its messages, and the attributes and URL that it is given now', async () => {
    queues.create(queue('orders', { VisibilityTimeout: 5, DelaySeconds: 60 }));
    queues.send(ORDERS, 'kept', { delaySeconds: 0 });
    await restart();
    const url = 'http://127.0.0.1:4567/000000000000/orders';
    queues.create({ ...queue('orders', { VisibilityTimeout: 7 }), url });
    const sqs = await client();
    expect((await sqs.send(new ListQueuesCommand({}))).QueueUrls).toEqual([url]);
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
    );
    expect(Attributes).toMatchObject({ VisibilityTimeout: '7', DelaySeconds: '0' });
    expect((await queues.receive(ORDERS, 10, never)).map(({ body }) => body)).toEqual(['kept']);
  });

  it('a queue that was tagged has its messages and its tags', async () => {
    queues.create(queue('orders'));
    queues.send(ORDERS, 'one');
    const QueueUrl = queue('orders').url;
    const sqs = await client({ handle: (...call) => queues.handle(...call) });
    await sqs.send(new TagQueueCommand({ QueueUrl, Tags: { team: 'web', kind: 'test' } }));
    await sqs.send(new UntagQueueCommand({ QueueUrl, TagKeys: ['kind'] }));
    await restart();
    expect((await sqs.send(new ListQueueTagsCommand({ QueueUrl }))).Tags).toEqual({ team: 'web' });
    queues.create(queue('orders'));
    expect(queues.depth(ORDERS)).toMatchObject({ visible: 1 });
  });

  it('what was in flight can be made visible at once, and its receive count goes on', async () => {
    queues.create(queue('orders'));
    queues.send(ORDERS, 'taken');
    await queues.receive(ORDERS, 10, never);
    await restart();
    expect(queues.depth(ORDERS)).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
    queues.releaseInFlight(ORDERS);
    const [message] = await queues.receive(ORDERS, 10, never);
    expect(message).toMatchObject({ body: 'taken', attributes: { ApproximateReceiveCount: '2' } });
  });

  it('without a data directory nothing is kept, and everything works', async () => {
    const ephemeral = Queues.open({ region: 'eu-west-1' });
    ephemeral.create(queue('orders'));
    ephemeral.send(ORDERS, 'gone', { messageGroupId: 'a' });
    await ephemeral.receive(ORDERS, 10, never);
    ephemeral.releaseInFlight(ORDERS);
    expect(ephemeral.depth(ORDERS).visible).toBe(1);
    await ephemeral.close();
  });

  it('a process that was killed has lost nothing that it had sent', async () => {
    await queues.close();
    const script = `
      import { Queues } from ${JSON.stringify(new URL('../../infra/local/sqs/queues.ts', import.meta.url).href)};
      const queues = Queues.open({ dataDir: process.argv[1], region: 'eu-west-1' });
      queues.create(${JSON.stringify(queue('orders'))});
      for (let count = 1; ; count++) {
        queues.send(${JSON.stringify(ORDERS)}, String(count));
        process.stdout.write(count + '\\n');
        if (count % 100 === 0) await new Promise(setImmediate);
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir]);
    let output = '';
    for await (const chunk of child.stdout) {
      output += chunk;
      if (output.length > 2_000) child.kill('SIGKILL');
    }
    const acknowledged = output.trimEnd().split('\n').length - 1; // the last line may be cut
    queues = Queues.open({ dataDir, region: 'eu-west-1' });
    expect(acknowledged).toBeGreaterThan(100);
    expect(queues.depth(ORDERS).visible).toBeGreaterThanOrEqual(acknowledged);
  });
});
