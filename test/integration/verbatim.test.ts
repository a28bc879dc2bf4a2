import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { chunks } from '../../shared/async.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { DELICATE_TEXTS, jsonText } from '../support/json-texts.ts';
import { bootLocal } from '../support/local.ts';

const SEED = 20_261_128;
const TEXTS = 10_000;
/** A message is an array of texts: with one each, most of the time would go into the messages. */
const TEXTS_A_MESSAGE = 40;
const MESSAGES_A_FRAME = 5;
const MESSAGES_AN_EVENT = 25;

let local: Runtime;
let backEnd: BackEnd;
beforeAll(async () => {
  local = await bootLocal({ app: 'test/apps/namespaces.ts' });
  backEnd = new BackEnd(local.ready);
});
afterAll(() => local?.stop());

const random = fc.sample(jsonText, { seed: SEED, numRuns: TEXTS });
const texts = [
  ...DELICATE_TEXTS,
  ...[...chunks(random, TEXTS_A_MESSAGE)].map((some) => `[ ${some.join(' ,\n')}\t]`),
];
const open = () => Client.open(local.ready.websocketUrl);

/** In every message the data stands last. */
function expectVerbatim({ texts: frames }: Client): void {
  const all = frames.join('\n');
  expect(texts.filter((text) => !all.includes(`,"data":${text}}`))).toEqual([]);
}

/** A client that has got everything that is published meanwhile. */
async function watching(topic: string, publish: () => Promise<void>): Promise<Client> {
  const client = await open();
  await client.subscribe(topic);
  await publish();
  await client.wait(() => new Set(client.messages.map(({ messageId }) => messageId)).size === texts.length);
  return client;
}

async function publishAll(topic: string): Promise<void> {
  const client = await open();
  for (const some of chunks(texts, MESSAGES_A_FRAME)) {
    const messages = some.map((text) => `{"data": ${text} ,"topic":"${topic}"}`).join(',');
    const id = randomUUID();
    client.send(`{"action":"publish","id":"${id}","messages":[${messages}]}`);
    expect(await client.wait((frame) => frame.id === id)).toMatchObject({ type: 'ack' });
  }
  await client.close();
}

async function putAll(topic: string): Promise<void> {
  for (const some of chunks(texts, MESSAGES_AN_EVENT)) {
    await backEnd.publish(
      `{"topic":"${topic}","messages":[${some.map((text) => `{"data":${text}}`).join()}]}`,
    );
  }
}

/** What is replayed, and the rest of it from history. */
async function expectReplayed(topic: string): Promise<void> {
  const client = await open();
  for (const [action, fields, rest] of [
    ['subscribe', { rewind: 300 }, {}],
    ['history', { limit: 100 }, { limit: 100 }],
  ] as const) {
    let page = await client.ask({ action, topic, ...fields });
    while (page.more) {
      const after = { epoch: page.epoch, offset: page.offset };
      page = await client.ask({ action: 'history', topic, after, ...rest });
    }
    expectVerbatim(client);
    client.texts.length = 0;
  }
  await client.close();
}

it('data arrives byte for byte, live and replayed, from clients and from back ends', async () => {
  for (const publish of [publishAll, putAll]) {
    const topic = `chat/${randomUUID()}`;
    const client = await watching(topic, () => publish(topic));
    expectVerbatim(client);
    await client.close();
    await expectReplayed(topic);
  }
});

it('a last value is byte for byte what was published', async () => {
  const client = await open();
  const topic = `state/${randomUUID()}`;
  const data = '{ "id":7615917337495251231,"2":1e400,"1":-0 }';
  client.send(`{"action":"publish","id":"p","topic":"${topic}","data":${data}}`);
  await client.wait(({ id }) => id === 'p');
  await client.subscribe(topic);
  expect(client.texts.at(-1)).toContain(`,"data":${data}}]`);
  await client.close();
});

it('what is sent is byte for byte what arrives', async () => {
  const client = await open();
  const { connectionId } = await client.ask({ action: 'whoami' });
  const data = '{ "id":7615917337495251231,"2":1e400,"1":-0 }';
  client.send(`{"action":"send","to":{"connectionId":"${connectionId}"},"data":${data}}`);
  await client.wait(({ type }) => type === 'message');
  expect(client.texts.some((text) => text.includes(`,"data":${data}}`))).toBe(true);
  await client.close();
});

it('what SQS does not take arrives as an escape, live and replayed', async () => {
  const topic = `chat/${randomUUID()}`;
  const client = await open();
  await client.subscribe(topic);
  client.send(`{"action":"publish","topic":"${topic}","data":"\uFFFE 1 \uFFFF"}`);
  await client.wait(({ type }) => type === 'message');
  await client.ask({ action: 'history', topic });
  const escaped = client.texts.filter((text) => text.includes(',"data":"\\ufffe 1 \\uffff"}'));
  expect(escaped).toHaveLength(2);
  await client.close();
});
