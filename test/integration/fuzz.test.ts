import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Runtime } from '../../infra/local/runtime.ts';
import { chunks, mapLimit } from '../../shared/async.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';
import { clientFrame } from '../support/web-socket-frames.ts';

/** The same seed gives the same 10,000 inputs. */
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_120);
const ROUNDS = 4;
const TEXTS_A_CONNECTION = 20;
const IN_FLIGHT_MAX = 20;
/** How long an answer to nonsense is waited for: some of it is an unfinished request, which has none. */
const PATIENCE_MS = 300;
/** Dead letters and rows of the fuzz itself stay; they take less than one. */
const GROWTH_BYTES_MAX = 10 * 1024 * 1024;

let system: Runtime;
let port: number;
beforeAll(async () => {
  system = await bootLocal();
  port = Number(new URL(system.ready.endpoint).port);
});
afterAll(() => system?.stop());

const sample = <T>(arbitrary: fc.Arbitrary<T>, numRuns: number): T[] =>
  fc.sample(arbitrary, { seed: SEED, numRuns });
/** What the engines hold on to. Worker threads have heaps of their own, which are collected when they like. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const bytes = fc.uint8Array({ maxLength: 300 }).map(Buffer.from);
/** A value that is nearly right: what it should be, or anything. */
const nearly = <T>(...values: T[]) => fc.oneof(fc.constantFrom<unknown>(...values), fc.jsonValue());
const topic = nearly('a', 'a/b', 'a/*', 'chat/a', 'chat/a', 'chat/*');
const position = nearly({ epoch: 'e', offset: 1 }, { epoch: 'e', offset: -1 }, { offset: 1 });
const outgoing = {
  topic,
  data: fc.jsonValue(),
  key: nearly('k', 'l'),
  family: nearly('f'),
  version: nearly(1, 2, 3, 0),
  receipt: nearly(true, false),
  except: nearly<unknown>('self', ['L0SM9cOFvHcCIhw=']),
  maxAge: nearly(0.1, 60, -1),
};
/** Commands with no other fields than they may have. */
const command = (action: string, fields: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record({ action: fc.constant(action), id: fc.constant('1'), ...fields }, { requiredKeys: ['action'] });
const commands = fc.oneof(
  command('subscribe', { topic, rewind: nearly<unknown>(1, 300, { seconds: 5 }) }),
  command('subscribe', { topic, position }),
  command('history', { topic, after: position, limit: nearly(1, 100, 0) }),
  command('history', { topic, before: nearly(1, 5), reverse: fc.constant(true) }),
  command('ping', { positions: fc.array(fc.record({ topic, epoch: fc.string(), offset: fc.integer() })) }),
  command('publish', outgoing),
  command('publish', { messages: fc.array(fc.record(outgoing, { requiredKeys: ['topic', 'data'] })) }),
);
/**
 * JSON of thousands of levels, in places where something may look at it, and short enough for one frame. Arbitrary JSON
 * never gets there, and could not be written with JSON.stringify, which is what makes it dangerous.
 */
const deep = fc.oneof(
  fc.integer({ min: 100, max: 15_000 }).map((levels) => `${'['.repeat(levels)}${']'.repeat(levels)}`),
  fc.integer({ min: 100, max: 5_000 }).map((levels) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`),
);
const deepText = fc
  .tuple(
    fc.constantFrom(
      '$',
      '{"action":$}',
      '{"action":{"action":$}}',
      '{"action":"publish","topic":"a","data":$}',
      '{"action":"publish","messages":$}',
      '{"action":"subscribe","topic":$}',
      '{"action":"ping","id":$}',
    ),
    deep,
  )
  .map(([frame, value]) => frame.replace('$', value));
const text = fc.oneof(
  commands.map((frame) => JSON.stringify(frame)),
  fc.json().filter((json) => !json.includes('everyone')),
  fc.string(),
  fc
    .record(
      {
        action: nearly(
          'subscribe',
          'unsubscribe',
          'publish',
          'send',
          'history',
          'whoami',
          'ping',
          '$connect',
          '$default',
        ),
        id: nearly('1'),
        topic: nearly('a', 'a/b', 'a/*', 'a/*/b', 'x'.repeat(200)),
        data: fc.jsonValue(),
        messages: nearly([{ topic: 'a', data: 1 }], []),
        to: nearly<unknown>({ userId: 'a' }, { connectionId: 'L0SM9cOFvHcCIhw=' }, 'everyone'),
        key: nearly('k'),
      },
      { requiredKeys: [] },
    )
    .map((frame) => JSON.stringify(frame)),
);
const rawFrame = fc.oneof(
  bytes,
  fc
    .record({ opcode: fc.nat(15), fin: fc.boolean(), masked: fc.boolean(), payload: bytes })
    .map((parts) => clientFrame(parts)),
  // A header that promises more than ever comes.
  fc.nat(0xff).map((length) => Buffer.from([0x81, 0xff, length, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
);
const httpRequest = fc.oneof(
  bytes,
  fc
    .record({
      method: fc.constantFrom('GET', 'POST', 'DELETE', 'PUT', 'OPTIONS', 'HEAD', 'CONNECT', 'BREW'),
      path: fc.oneof(
        fc.constantFrom(
          '/',
          '/prod',
          '/prod/@connections/',
          '/prod/@connections/%',
          '/prod/%40connections/a%3D',
          '/_fanwire/health',
        ),
        fc.webPath(),
        fc.string({ maxLength: 50 }).map((path) => `/prod/@connections/${encodeURIComponent(path)}`),
      ),
      headers: fc.dictionary(
        fc.constantFrom(
          'Upgrade',
          'Connection',
          'Sec-WebSocket-Key',
          'Sec-WebSocket-Version',
          'X-Amz-Target',
          'Content-Length',
          'Transfer-Encoding',
          'Authorization',
          'Host',
        ),
        fc.oneof(
          fc.constantFrom(
            'websocket',
            'h2c',
            'h2c, websocket',
            'Upgrade',
            '13',
            '5',
            '-1',
            'chunked',
            'AWSEvents.PutEvents',
            'AmazonSQS.SendMessage',
            'dGhlIHNhbXBsZSBub25jZQ==',
            'AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0',
          ),
          fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
        ),
      ),
      body: bytes,
    })
    .map(({ method, path, headers, body }) => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), body]);
    }),
);
const awsCall = fc.record({
  target: fc.constantFrom(
    ...[
      'PutItem',
      'GetItem',
      'UpdateItem',
      'DeleteItem',
      'Query',
      'Scan',
      'BatchGetItem',
      'BatchWriteItem',
    ].map((operation) => ['dynamodb', `DynamoDB_20120810.${operation}`] as const),
    ...['SendMessage', 'SendMessageBatch', 'ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes'].map(
      (operation) => ['sqs', `AmazonSQS.${operation}`] as const,
    ),
    ['events', 'AWSEvents.PutEvents'] as const,
  ),
  body: fc.oneof(
    deepText,
    fc.json(),
    fc
      .record(
        {
          TableName: nearly('T'),
          QueueUrl: nearly('Q'),
          Key: nearly({ connectionId: { S: 'x' } }, { topic: { S: 'x' } }),
          Item: nearly({ connectionId: { S: 'x' }, expiresAt: { N: 'NaN' } }),
          KeyConditionExpression: nearly('connectionId = :a', 'topicShard = :a AND connectionId > :a'),
          FilterExpression: nearly('expiresAt > :a', 'size(:a) > :a', 'a.b[0].#c = :a'),
          UpdateExpression: nearly('SET a = :a', 'REMOVE a.b[9]', 'ADD a :a'),
          ExpressionAttributeValues: nearly({ ':a': { S: 'x' } }, { ':a': { N: '1' } }, { ':a': { M: {} } }),
          ExclusiveStartKey: nearly({ connectionId: { S: 'x' } }),
          RequestItems: nearly(
            { T: { Keys: [{ connectionId: { S: 'x' } }] } },
            { T: [{ DeleteRequest: { Key: {} } }] },
          ),
          Limit: nearly(1, 0),
          Entries: nearly(
            [{ Source: 'a', DetailType: 'fanwire.publish', Detail: '{}' }],
            [{ Id: 'a', MessageBody: 'x' }],
          ),
          MessageBody: nearly('x'),
          MaxNumberOfMessages: nearly(10),
        },
        { requiredKeys: [] },
      )
      .map((input) => JSON.stringify(input)),
  ),
});

class Sha256 {
  readonly #hash;
  constructor(secret?: unknown) {
    // The signer passes keys and data as strings or bytes.
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Buffer);
  }
  update(data: unknown): void {
    this.#hash.update(data as Buffer);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

/** Signed by the root user, so that it gets past the door. Answers with what should not have happened. */
async function callAws({
  target: [service, target],
  body: text,
}: typeof awsCall extends fc.Arbitrary<infer T> ? T : never) {
  const { accessKeyId, secretAccessKey, region, tables, queues } = system.ready;
  const names = { T: String(tables.connections), Q: String(queues.delivery) };
  const body = text.replace(/"(T|Q)"/g, (_, name: 'T' | 'Q') => JSON.stringify(names[name]));
  const signer = new SignatureV4({
    service,
    region,
    credentials: { accessKeyId, secretAccessKey },
    sha256: Sha256,
  });
  const headers = {
    host: `localhost:${port}`,
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': target,
  };
  const request = {
    method: 'POST',
    protocol: 'http:',
    hostname: 'localhost',
    port,
    path: '/',
    query: {},
    headers,
    body,
  };
  const signed = await signer.sign(request);
  const response = await fetch(system.ready.endpoint, { method: 'POST', headers: signed.headers, body });
  const answer = await response.text();
  // The caller's fault is answered with a 4xx; a 500 is ours.
  return response.status === 500 ? { target, body, answer } : undefined;
}

/** Sends bytes, ends its side, and waits for the other; not for ever. */
async function sendRaw(...chunks: Buffer[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // being cut off is an answer, too
  await once(socket, 'connect');
  socket.resume();
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  for (const chunk of chunks) socket.write(chunk);
  socket.end();
  await once(socket, 'close');
}

const UPGRADE = Buffer.from(
  'GET /prod HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
);

/** An open connection, and the frames thrown at it until it closes. */
async function throwFrames(frames: Buffer[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(UPGRADE);
  await once(socket, 'data');
  for (const frame of frames) socket.write(frame);
  socket.resume();
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  socket.end();
  await once(socket, 'close');
}

/** Texts one after the other; every one gets its answer. */
async function sayTexts(texts: readonly string[]): Promise<void> {
  const socket = new WebSocket(system.ready.websocketUrl);
  await once(socket, 'open');
  let answers = 0;
  const answered = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    const isAnswer = !['message', 'messages', 'receipt'].includes(JSON.parse(String(data)).type);
    if (isAnswer && ++answers === texts.length) answered.resolve();
  });
  socket.on('close', (code) =>
    answered.reject(new Error(`expected the connection to stay open, got ${code}`)),
  );
  for (const text of texts) socket.send(text);
  await answered.promise;
  socket.removeAllListeners('close');
  socket.close();
  await once(socket, 'close');
}

async function all<T>(inputs: readonly T[], task: (input: T) => Promise<unknown>): Promise<unknown[]> {
  const results = await mapLimit(inputs, IN_FLIGHT_MAX, task);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

it(`survives 10,000 random and mutated frames and requests (seed ${SEED})`, async () => {
  const texts = sample(text, 4_000);
  const deepTexts = sample(deepText, 200);
  const frames = sample(fc.array(rawFrame, { minLength: 3, maxLength: 3 }), 1_000);
  const requests = sample(httpRequest, 2_000);
  const calls = sample(awsCall, 1_000);
  const held: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const part = <T>(inputs: readonly T[]) =>
      inputs.slice((round * inputs.length) / ROUNDS, ((round + 1) * inputs.length) / ROUNDS);
    await all([...chunks([...part(texts), ...part(deepTexts)], TEXTS_A_CONNECTION)], sayTexts);
    await all(part(frames), throwFrames);
    await all(part(requests), (request) => sendRaw(request));
    expect((await all(part(calls), callAws)).filter((failure) => failure !== undefined)).toEqual([]);
    held.push(heldBytes());
  }
  const [first = 0] = held;
  const last = held.at(-1) ?? 0;
  expect(last - first).toBeLessThan(GROWTH_BYTES_MAX);

  expect((await fetch(`${system.ready.endpoint}/_fanwire/health`)).status).toBe(200);
  const fresh = await Client.open(system.ready.websocketUrl);
  await fresh.subscribe('after/all');
  await fresh.ask({ action: 'publish', topic: 'after/all', data: 'still here' });
  await fresh.message('still here');
  const { messages } = await fresh.ask({ action: 'history', topic: 'chat/a', reverse: true });
  expect(messages.length).toBeGreaterThan(0);
  await fresh.close();
}, 120_000);
