import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Message } from '../../shared/client/index.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { clientFrame } from '../support/web-socket-frames.ts';

const MIB = 1024 * 1024;
/** Less than what comes, unfinished, in a round; much of it is garbage, which a busy process collects when it likes. */
const GROWTH_BYTES_MAX = 450 * MIB;
const HUGE_BODIES = 40;
/** What stays of the first is there at the end of the second, too. */
const ROUNDS = 2;
/** How long the answer to an odd request is waited for: some have none. */
const PATIENCE_MS = 1_000;
const DRIBBLE_MS = 50;
const MESSAGES_MIN = 100;

let system: System;
let port: number;
const held: Socket[] = [];
beforeAll(async () => {
  system = await startSystem();
  port = Number(new URL(system.ready.endpoint).port);
});
afterAll(async () => {
  for (const socket of held) socket.destroy();
  await system?.stop();
});

function residentBytes(): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${system.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** A connection that is kept until the end of the test, whatever comes of it. */
function dial(): Socket {
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('error', () => {}); // being cut off is an answer, too
  socket.resume();
  held.push(socket);
  return socket;
}

/** Sends bytes and leaves, after an answer if there is one. */
async function say(...chunks: (string | Buffer)[]): Promise<void> {
  const socket = dial();
  for (const chunk of chunks) socket.write(chunk);
  await Promise.race([once(socket, 'data'), once(socket, 'close'), delay(PATIENCE_MS)]).catch(() => {});
  socket.destroy();
}

const times = (count: number, task: (index: number) => unknown): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, index) => task(index)));

const HEAD = 'HTTP/1.1\r\nHost: localhost\r\n';
const HANDSHAKE = `GET /prod ${HEAD}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** Frames that are JSON, each with an answer, and the connection stays. */
async function deepFrames(): Promise<void> {
  const client = await Client.open(system.ready.websocketUrl);
  const depths = [600, 1_000, 4_400, 15_000];
  for (const depth of depths) {
    const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    for (const frame of [
      deep,
      `{"action":${deep}}`,
      `{"action":"publish","topic":"chat/a","data":${deep}}`,
    ]) {
      const answers = client.frames.length;
      client.send(frame);
      await until(() => client.frames.length > answers);
    }
  }
  expect(client.frames.map(({ type }) => type)).toEqual(Array(3 * depths.length).fill('error'));
  await client.close();
}

/** Bytes that are no frames, or not in this order. */
const brokenFrames = (): Promise<unknown> =>
  times(10, (index) =>
    say(
      HANDSHAKE,
      clientFrame({ opcode: index, masked: index % 2 === 0, fin: index < 5 }),
      Buffer.alloc(500, index),
    ),
  );

const foreignUpgrades = (): Promise<unknown> =>
  times(30, (index) => {
    const path = ['/', '/prod', '/prod/@connections/x', '/fanwire.js'][index % 4];
    const upgrade =
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n';
    return say(`${index % 2 ? 'POST' : 'GET'} ${path} ${HEAD}${upgrade}Content-Length: 0\r\n\r\n`);
  });

async function halfHandshakes(): Promise<void> {
  await times(20, async (index) => {
    const socket = dial();
    socket.write(HANDSHAKE.slice(0, HANDSHAKE.length - 2 - 10 * (index % 10)));
    await once(socket, 'connect');
  });
  await times(20, async () => {
    const socket = dial();
    socket.write(HANDSHAKE);
    await once(socket, 'connect');
    socket.resetAndDestroy();
  });
}

/** Almost whole, and then nothing more: what is held of them is held for as long as they like. */
async function hugeBodies(): Promise<void> {
  const almost = Buffer.alloc(16 * MIB - 1);
  const headers = [
    'X-Amz-Target: DynamoDB_20120810.BatchWriteItem\r\n',
    'X-Amz-Target: DynamoDB_20120810.BatchWriteItem\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0\r\n',
    '',
  ];
  await times(HUGE_BODIES, async (index) => {
    const socket = dial();
    const path = index % 4 === 3 ? '/prod/@connections/L0SM9cOFvHcCIhw%3D' : '/';
    socket.write(`POST ${path} ${HEAD}${headers[index % 3]}Content-Length: ${16 * MIB}\r\n\r\n`);
    await new Promise((sent) => {
      socket.write(almost, sent);
      socket.once('close', sent);
    });
  });
}

/** Requests that come a byte at a time, until the signal. */
const slowRequests = (signal: AbortSignal): Promise<unknown> =>
  times(20, async (index) => {
    const socket = dial();
    const request = `POST /prod/@connections/x ${HEAD}X-Slow: ${index}\r\n`;
    for (let at = 0; !signal.aborted && !socket.destroyed; at++) {
      socket.write(request[at % request.length] ?? '');
      await delay(DRIBBLE_MS);
    }
  });

/** What a back end could do wrong with somebody's connection. */
async function oddPosts(): Promise<void> {
  const backEnd = new BackEnd(system.ready);
  const victim = await Client.open(system.ready.websocketUrl);
  const { connectionId } = await victim.ask({ action: 'whoami' });
  const ids = ['', '%', '../..', 'L0SM9cOFvHcCIhw=', 'x'.repeat(5_000), '\u0000', connectionId];
  for (const id of ids) {
    await backEnd.management
      .send(new PostToConnectionCommand({ ConnectionId: id || ' ', Data: 'x'.repeat(200_000) }))
      .catch(() => {}); // each is refused in its own way
  }
  for (const method of ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'BREW']) {
    for (const path of ['/prod/@connections/', '/@connections/x', '/other/%40connections/x', '/prod/%ff']) {
      await say(`${method} ${path} ${HEAD}Content-Length: 0\r\n\r\n`);
    }
  }
  const posted = victim.wait((frame) => frame.type === 'hello');
  await backEnd.management.send(
    new PostToConnectionCommand({ ConnectionId: connectionId, Data: JSON.stringify({ type: 'hello' }) }),
  );
  await posted;
  await victim.close();
}

/** All of it at once. */
async function misuse(before: number): Promise<void> {
  const ending = new AbortController();
  const slow = slowRequests(ending.signal);
  try {
    await Promise.all([
      deepFrames(),
      brokenFrames(),
      foreignUpgrades(),
      halfHandshakes(),
      hugeBodies().then(() => expect(residentBytes() - before).toBeLessThan(GROWTH_BYTES_MAX)),
      oddPosts(),
    ]);
  } finally {
    ending.abort();
    await slow;
    for (const socket of held.splice(0)) socket.destroy();
  }
}

/** As many environments as the misuse will need are there before memory is looked at. */
async function warmUp(): Promise<void> {
  await times(20, async () => {
    const client = await Client.open(system.ready.websocketUrl);
    await client.ask({ action: 'nonsense' });
    await client.ask({ action: 'publish', topic: 'chat/warm', data: 1 });
    await client.close();
  });
}

it('loses nothing, lives on and holds nothing, whatever is sent to it meanwhile', async () => {
  await warmUp();
  const before = residentBytes();
  const [publisher, subscriber] = [0, 1].map(() => connect({ url: system.ready.websocketUrl }));
  if (!publisher || !subscriber) throw new Error('expected two clients');
  const received: unknown[] = [];
  const onMessage = ({ data }: Message): void => void received.push(data);
  await subscriber.subscribe('chat/survivors', { onMessage }).ready;

  let isOver = false;
  const published: number[] = [];
  const publish = async (): Promise<void> => {
    while (!isOver || published.length < MESSAGES_MIN) {
      await publisher.publish('chat/survivors', published.length);
      published.push(published.length);
    }
  };
  const misuses = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) await misuse(before);
    isOver = true;
  };
  await Promise.all([publish(), misuses()]);

  await until(() => received.length >= published.length);
  expect(received).toEqual(published);
  expect((await fetch(`${system.ready.endpoint}/_fanwire/health`)).status).toBe(200);
  expect(system.output()).not.toMatch(/^\s+at /m);
  expect(residentBytes() - before).toBeLessThan(GROWTH_BYTES_MAX);
  for (const client of [publisher, subscriber]) client.close();
}, 30_000);
