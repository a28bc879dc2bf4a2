/**
 * Runs on the Node that is to be tried, so in plain JavaScript: `node scenario.mjs BUNDLE URL`. Does with the client SDK
 * what an application does, and fails with what went wrong.
 */
import assert from 'node:assert/strict';

const [, , bundle, url] = process.argv;
const { connect, FanwireError } = await import(bundle);
// Node has a WebSocket of its own from 22 on.
const own = globalThis.WebSocket ? {} : { WebSocket: (await import('ws')).WebSocket };
const topic = `chat/node-${process.versions.node.split('.')[0]}`;
const COUNT = 50;

const client = connect({ url: `${url}?userId=platform`, ...own });
const errors = [];
client.on('error', (error) => errors.push(error));

const handled = [];
await client.subscribe(topic, { onMessage: ({ data }) => handled.push(data) }).ready;
const iterated = client.subscribe(topic);
await iterated.ready;
const published = await Promise.all(
  Array.from({ length: COUNT }, (_, n) => client.publish(topic, n, { stored: true })),
);
const seen = [];
for await (const { data } of iterated) {
  seen.push(data);
  if (seen.length === COUNT) break;
}
const numbers = Array.from({ length: COUNT }, (_, n) => n);
assert.deepEqual(seen, numbers);
assert.deepEqual(handled, numbers);
assert.deepEqual(
  published.map(({ offset }) => offset),
  numbers.map((n) => n + published[0].offset),
);

const page = await client.history(topic, { limit: 10, reverse: true });
assert.equal(page.messages.length, 10);
const { connectionId } = await client.whoami();
const direct = new Promise((resolve) => client.on('message', ({ data }) => resolve(data)));
await client.send({ connectionId }, 'to myself');
assert.equal(await direct, 'to myself');
client.close();
assert.deepEqual(errors, []);

const refused = connect({ url: url.replace('/prod', '/nowhere'), ...own });
const { reason } = await new Promise((resolve) => refused.on('state', resolve));
refused.close();
assert.equal(reason.code, 'disconnected');
assert.throws(() => connect({ url: 'nonsense', ...own }), FanwireError);
console.log(
  `Node ${process.versions.node}: ${COUNT} messages in order; a refused handshake: ${reason.message}`,
);
