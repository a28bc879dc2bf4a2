import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Client, refusal } from './clients.ts';
import { post } from './stage.ts';
import {
  openTarget,
  PATIENT_TIMEOUT_MS,
  skipDeployed,
  skipImpatient,
  type Target,
  TIMEOUT_MS,
  tell,
} from './target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target?.close());

const KIB = 1024;
const MINUTE_MS = 60_000;

describe('limits', { timeout: TIMEOUT_MS }, () => {
  it('LM-FRAME takes a frame of 32 KB, and closes with 1009 on one byte more', async () => {
    const { client } = await target.stages.main.connect();
    expect(await client.ask('x'.repeat(32 * KIB))).toMatchObject({ routeKey: '$default', bytes: 32 * KIB });
    client.send('x'.repeat(32 * KIB + 1));
    expect((await client.closed).code).toBe(1009);
  });

  it('LM-MSG takes 128 KB in four frames, and closes with 1009 on one byte more', async () => {
    const { client } = await target.stages.main.connect();
    const frame = 'x'.repeat(32 * KIB);
    for (const fin of [false, false, false, true]) client.socket.send(frame, { fin });
    expect(JSON.parse(await client.next())).toMatchObject({ routeKey: '$default', bytes: 128 * KIB });
    for (let count = 0; count < 4; count += 1) client.socket.send(frame, { fin: false });
    client.socket.send('x', { fin: true });
    expect((await client.closed).code).toBe(1009);
  });

  it('LM-BIN closes with 1003 on a binary frame, and no handler hears of it but $disconnect', async () => {
    const { client, id } = await target.stages.main.connect();
    client.socket.send(Buffer.from('{"action":"pub"}'));
    expect((await client.closed).code).toBe(1003);
    await target.observations.event(id, 'DISCONNECT');
    expect(await target.observations.routeKeys(id)).toEqual(['$connect', '$disconnect']);
  });

  it('LM-IDLE closes after ten minutes without a message; a message or a post puts it off, a ping does not [inference]', {
    timeout: PATIENT_TIMEOUT_MS,
  }, async (context) => {
    skipImpatient(context, '11 minutes');
    const { main } = target.stages;
    const opened = [main.connect(), main.connect(), main.connect(), main.connect()] as const;
    const [silent, pinging, talking, posted] = await Promise.all(opened);
    await target.pass(9 * MINUTE_MS);
    await talking.client.ask({ action: 'pub' });
    await main.management.send(post(posted.id));
    await posted.client.next();
    pinging.client.socket.ping('are you there?');
    const [pong] = await once(pinging.client.socket, 'pong');
    expect(String(pong)).toBe('are you there?');

    await target.pass(MINUTE_MS + 1000);
    const closing = await silent.client.closed;
    tell('d', { idle: closing });
    expect(closing).toEqual({ code: 1001, reason: 'Going away' });
    const { requestContext } = await target.observations.event(silent.id, 'DISCONNECT');
    expect(requestContext).toMatchObject({ disconnectStatusCode: 1001, disconnectReason: 'Going away' });
    for (const { client } of [talking, posted]) {
      expect((await client.ask({ action: 'pub' })).routeKey).toBe('pub');
      await client.close();
    }
    tell('b', { isOpenAfterPing: pinging.client.socket.readyState === WebSocket.OPEN });
    expect((await pinging.client.closed).code).toBe(1001);
  });

  it('LM-MAX closes after two hours, whatever happens on the connection [inference]', {
    timeout: PATIENT_TIMEOUT_MS,
  }, async (context) => {
    skipImpatient(context, 'two hours');
    const { client, id } = await target.stages.main.connect();
    for (let minutes = 0; minutes < 117; minutes += 9) {
      await target.pass(9 * MINUTE_MS);
      expect((await client.ask({ action: 'pub' })).connectionId).toBe(id);
    }
    await target.pass(3 * MINUTE_MS);
    const closing = await client.closed;
    tell('d', { afterTwoHours: closing });
    expect(closing).toEqual({ code: 1001, reason: 'Going away' });
    const { requestContext } = await target.observations.event(id, 'DISCONNECT');
    expect(requestContext).toMatchObject({ disconnectStatusCode: 1001, disconnectReason: 'Going away' });
  });

  it('LM-RATE is refused with 429 while the account’s bucket of connections is empty [inference]', async (context) => {
    skipDeployed(context, 'would need 500 connections a second, and take them from the whole account');
    const limited = await openTarget({ limits: { connections: { perSecond: 1, burst: 2 } } });
    try {
      const connecting = [1, 2, 3, 4].map(() => new Client(limited.stages.bare.url));
      const answers = await Promise.all(connecting.map((client) => client.response));
      expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([101, 101, 429, 429]);
      await limited.pass(1000);
      await new Client(limited.stages.bare.url).opened();
      expect((await refusal(new Client(limited.stages.token.url))).status).toBe(429); // one for all APIs
    } finally {
      await limited.close();
    }
  });
});
