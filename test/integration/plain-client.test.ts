import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Runtime } from '../../infra/local/runtime.ts';
import { Faults, NO_FAULTS } from '../support/faults.ts';
import { bootLocal, variablesOf } from '../support/local.ts';
import { PlainClient } from '../support/plain-client.ts';
import { until } from '../support/until.ts';
import { Network } from '../trials/network.ts';

// PROTOCOL.md says all that a client has to know: one that was written from it, and from nothing else, does what the SDK
// does.

let local: Runtime;

beforeAll(async () => {
  local = await bootLocal({
    app: 'test/apps/namespaces.ts',
    faults: NO_FAULTS,
    edit: (resources) => {
      variablesOf(resources, 'Ping').ROLLOVER_AFTER_SECONDS = '1';
    },
  });
});
afterAll(() => local?.stop());

const numbers = (to: number) => Array.from({ length: to }, (_, n) => n + 1);

function open(topics: readonly string[]) {
  const network = new Network();
  const seen: { topic: string; data: unknown }[] = [];
  const losses: string[] = [];
  const client = new PlainClient(
    {
      url: local.ready.websocketUrl,
      WebSocket: network.WebSocket,
      heartbeatMs: 400,
      onMessage: ({ topic, data }) => seen.push({ topic, data }),
      onLoss: (topic, reason) => losses.push(`${topic} ${reason}`),
    },
    topics,
  );
  const dataOf = (topic: string) => seen.flatMap((message) => (message.topic === topic ? message.data : []));
  return { client, network, losses, dataOf };
}

it('loses and repeats nothing, and keeps the order, though connections are cut, posts lost and connections replaced', async () => {
  const faults = new Faults(local.ready);
  const [log, quick] = ['chat/plain', 'quick/plain'];
  const listeners = [open([log, quick]), open([log, quick]), open([log])];
  const publisher = open([log]);
  const all = [...listeners, publisher];
  await until(() => all.every(({ network }) => network.sentOf('ping') > 0));
  await faults.set({ faults: [{ on: '@connections', method: 'POST', effect: 'drop', rate: 0.1 }] });
  const places: { offset: number }[] = [];
  for (const n of numbers(120)) {
    const place = publisher.client.publish(log, n);
    // In the middle of a publish, too, so that it has to be published again.
    if (n % 30 === 0) publisher.network.cut();
    if (n % 20 === 10) listeners[n % 3]?.network.cut();
    if (n % 20 === 19) for (const { network } of listeners) network.mend();
    publisher.network.mend();
    places.push(await place);
    if (n % 10 === 0) await publisher.client.publish(quick, n);
  }
  for (const { network } of all) network.mend();
  await until(() => all.every(({ dataOf }) => dataOf(log).length >= 120));
  await faults.clear();
  await until(() => all.every(({ network }) => network.connections >= 4));
  expect(places.map(({ offset }) => offset)).toEqual(
    places.map(({ offset }) => offset).toSorted((a, b) => a - b),
  );
  for (const { client, dataOf, losses } of all) {
    client.close();
    expect(dataOf(log)).toEqual(numbers(120));
    expect(losses).toEqual([]);
    expect(dataOf(quick)).toEqual([...new Set(dataOf(quick))]);
  }
});

it('is told what it cannot have any more, and goes on from there', async () => {
  const topic = 'short/plain';
  const listener = open([topic]);
  const publisher = open([]);
  await until(() => listener.network.sentOf('ping') > 0);
  for (const n of numbers(3)) await publisher.client.publish(topic, n);
  await until(() => listener.dataOf(topic).length === 3);
  listener.network.cut();
  for (const n of numbers(8)) await publisher.client.publish(topic, 10 + n);
  listener.network.mend();
  await until(() => listener.losses.length > 0);
  await publisher.client.publish(topic, 'after');
  await until(() => listener.dataOf(topic).includes('after'));
  for (const { client } of [listener, publisher]) client.close();
  expect(listener.losses).toEqual([`${topic} trimmed`]);
  expect(listener.dataOf(topic)).toEqual([1, 2, 3, 'after']);
});
