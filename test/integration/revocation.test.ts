import { once } from 'node:events';
import { PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type RevocationOptions, revocation } from '../../shared/auth/revocation.ts';
import { BackEnd } from '../support/back-end.ts';
import type { Client } from '../support/client.ts';
import { type Granting, grantingFor } from '../support/granting.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const SECOND_MS = 1_000;
const CROWD = 60;

let system: System;
let backEnd: BackEnd;
let granting: Granting;

beforeAll(async () => {
  system = await startSystem({ app: 'test/apps/members.ts' });
  backEnd = new BackEnd(system.ready);
  granting = await grantingFor(system.ready);
});
afterAll(() => system.stop());

async function revoke(options: RevocationOptions): Promise<void> {
  const entry = revocation(options, { eventBusName: system.ready.eventBusName });
  const { FailedEntryCount } = await backEnd.events.send(new PutEventsCommand({ Entries: [entry] }));
  expect(FailedEntryCount).toBe(0);
}

/** The frame, and the status with which the socket was closed then. */
async function closingOf(client: Client) {
  const closed = once(client.socket, 'close');
  const frame = await client.wait(({ type }) => type === 'closing');
  const [status] = await closed;
  return { ...frame, status };
}

async function statusOf(token: string): Promise<number> {
  const socket = new WebSocket(system.ready.websocketUrl, ['fanwire', `bearer.${token}`]);
  const [, response] = await once(socket, 'unexpected-response');
  response.resume();
  return response.statusCode;
}

it('a revoked user is cut off from a fan-out that is running, and nobody else is', async () => {
  const topic = 'chat/crowd';
  const token = await granting.tokenFor('eve');
  const eves = [await granting.openWith(token), await granting.openAs('eve')];
  const others = await Promise.all(Array.from({ length: CROWD }, () => granting.openAs('bob')));
  await Promise.all([...eves, ...others].map((client) => client.subscribe(topic)));
  const { connectionId } = await (eves[0] as Client).ask({ action: 'whoami' });

  let count = 0;
  let isOver = false;
  const stream = (async () => {
    while (!isOver) await backEnd.publish({ topic, data: ++count });
  })();
  await Promise.all(eves.map((eve) => eve.message(3)));
  const closings = eves.map((eve) => closingOf(eve));
  await revoke({ userId: 'eve' });
  for (const closing of closings) {
    expect(await closing).toMatchObject({ code: 'revoked', reconnect: false, status: 1000 });
  }
  const atTheEnd = count;
  await until(() => count >= atTheEnd + 5);
  isOver = true;
  await stream;
  await backEnd.publish({ topic, data: 'last' }, { to: { connectionId }, data: 'to the connection' });

  const last = await Promise.all(others.map((other) => other.message('last')));
  expect(last).toHaveLength(CROWD);
  for (const { messages } of others)
    expect(new Set(messages.map(({ offset }) => offset)).size).toBe(count + 1);
  for (const { messages } of eves) {
    expect(messages.every(({ data }) => typeof data === 'number' && data <= atTheEnd)).toBe(true);
  }
  const rows = await backEnd.rows('connections', { ProjectionExpression: 'userId' });
  expect(rows.filter(({ userId }) => (userId as { S?: string })?.S === 'eve')).toEqual([]);

  expect(await statusOf(token)).toBe(401);
  expect(system.output()).toContain('handshake refused: expected a good token, got one that was revoked');
  const later = await granting.openWith(await granting.tokenFor('eve', {}, Date.now() + SECOND_MS));
  expect(await later.ask({ action: 'whoami' })).toMatchObject({ userId: 'eve' });
}, 60_000);

it('of one token, given as its text, the connections end, and those of others of its user go on', async () => {
  const [stolen, good] = [await granting.tokenFor('mallory'), await granting.tokenFor('mallory')];
  const [thief, owner] = [await granting.openWith(stolen), await granting.openWith(good)];
  const closing = closingOf(thief);
  await revoke({ token: stolen });
  expect(await closing).toMatchObject({ code: 'revoked', reconnect: true, status: 1000 });
  expect(await statusOf(stolen)).toBe(401);
  expect(await owner.ask({ action: 'ping' })).toMatchObject({ type: 'ack' });
  expect(await (await granting.openWith(good)).ask({ action: 'whoami' })).toMatchObject({
    userId: 'mallory',
  });
});

it('at the end of its token, and the grace, a connection is closed and may come again', async () => {
  // It ended 28 s ago by the clock here: clocks may be apart by half a minute, and the grace is as long.
  const token = await granting.tokenFor('ada', { expiresIn: 1 }, Date.now() - 29 * SECOND_MS);
  const ada = await granting.openWith(token);
  expect(await closingOf(ada)).toMatchObject({ code: 'expired', reconnect: true, status: 1000 });
});
