import { afterAll, beforeAll, expect, it } from 'vitest';
import { Buses } from '../../infra/local/eventbridge/buses.ts';
import type { HttpEngine } from '../../infra/local/http/engine.ts';
import { LocalServer } from '../../infra/local/http/server.ts';
import { Queues } from '../../infra/local/sqs/queues.ts';
import { ManualClock } from '../support/manual-clock.ts';

const MIB = 1024 * 1024;
const QueueUrl = 'http://127.0.0.1/000000000000/orders';
/** A letter in JSON as it is written by those who trust no character. */
const ESCAPED = '\\u0061';

let server: LocalServer;
let queues: Queues;
let endpoint: string;
beforeAll(async () => {
  queues = Queues.open({ region: 'eu-west-1' });
  const arn = 'arn:aws:sqs:eu-west-1:000000000000:orders';
  queues.create({ name: 'orders', arn, url: QueueUrl, attributes: {} });
  const buses = new Buses({
    region: 'eu-west-1',
    accountId: '000000000000',
    queues,
    invoke: () => Promise.resolve({ ok: true, payload: null }),
    clock: new ManualClock(),
    log: () => {},
  });
  server = new LocalServer(() => {});
  endpoint = `http://127.0.0.1:${await server.listen(0)}`;
  server.serve({
    gateways: new Map(),
    engines: new Map<string, HttpEngine>([
      ['AmazonSQS', queues],
      ['AWSEvents', buses],
    ]),
    serviceNames: ['sqs', 'events'],
    files: new Map(),
    health: {},
  });
});
afterAll(async () => {
  await server.close();
  await queues.close();
});

const statusOf = async (target: string, body: string): Promise<number> =>
  (await fetch(endpoint, { method: 'POST', headers: { 'x-amz-target': target }, body })).status;

const oneMessage = (text: string) => `{"QueueUrl":"${QueueUrl}","MessageBody":"${text}"}`;
const batchOf = (text: string) => `{"QueueUrl":"${QueueUrl}","Entries":[{"Id":"a","MessageBody":"${text}"}]}`;
const oneEvent = (text: string) =>
  `{"Entries":[{"Source":"a","DetailType":"b","Detail":"{\\"a\\":\\"${text}\\"}"}]}`;
const OVERHEAD = 'ab{"a":""}'.length;

it.each([
  ['AmazonSQS.SendMessage', oneMessage, MIB],
  ['AmazonSQS.SendMessageBatch', batchOf, MIB],
  ['AWSEvents.PutEvents', oneEvent, MIB - OVERHEAD - 1],
])(
  '%s takes as much text as AWS does, however it is written, and not a character more',
  async (target, body, length) => {
    expect(await statusOf(target, body(ESCAPED.repeat(length)))).toBe(200);
    expect(await statusOf(target, body('a'.repeat(length)))).toBe(200);
    expect(await statusOf(target, body('a'.repeat(length + 1)))).toBe(400);
    expect(await statusOf(target, body('a'.repeat(8 * MIB)))).toBe(413);
  },
);

it.each(['ReceiveMessage', 'CreateQueue', 'DeleteMessageBatch'])(
  '%s has no such text, and is refused unread',
  async (operation) => {
    expect(await statusOf(`AmazonSQS.${operation}`, oneMessage('a'.repeat(MIB)))).toBe(413);
  },
);
