import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from './clients.ts';
import { openTarget, type Target, TIMEOUT_MS, tell } from './target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target?.close());

/** The gateway's own error, to the byte: a space after the first colon and after the commas, none elsewhere. */
const errorText = (message: string, connectionId: string, requestId: string): string =>
  `{"message": "${message}", "connectionId":"${connectionId}", "requestId":"${requestId}"}`;

const ID = /^[A-Za-z0-9_-]{15}=$/;

describe('routing', { timeout: TIMEOUT_MS }, () => {
  it('RT-MATCH sends a message to the route of its action', async () => {
    const { client, id } = await target.stages.main.connect();
    expect((await client.ask({ action: 'pub' })).routeKey).toBe('pub');
    expect(await target.observations.routeKeys(id)).toEqual(['$connect', 'pub']);
    await client.close();
  });

  it('RT-DEFAULT sends to $default what has no action, no route, or is no JSON object', async () => {
    const { client, id } = await target.stages.main.connect();
    const messages = ['{"action":"unknown"}', '{}', 'not JSON', '[]', '"pub"'];
    for (const message of messages) expect((await client.ask(message)).routeKey).toBe('$default');
    const seen = (await target.observations.of(id)).filter(({ event }) => event.body !== undefined);
    expect(seen.map(({ event }) => event.body)).toEqual(messages);
    await client.close();
  });

  it('RT-STR makes a text of an action that is a number', async () => {
    const { client } = await target.stages.main.connect();
    expect((await client.ask({ action: 5 })).routeKey).toBe('5');
    await client.close();
  });

  it('RT-NONE answers Forbidden where there is neither route nor $default, and the connection stays', async () => {
    const client = await new Client(target.stages.bare.url).opened();
    const frames: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      client.send({ action: 'unknown' });
      frames.push(await client.next());
    }
    const { connectionId } = await client.ask({ action: 'pub' });
    for (const frame of frames) {
      const { requestId } = JSON.parse(frame);
      expect(requestId).toMatch(ID);
      expect(frame).toBe(errorText('Forbidden', connectionId, requestId));
    }
    await client.close();
  });

  it('RT-RESERVED runs no lifecycle handler for a client that asks for one [inference]', async () => {
    const { client, id } = await target.stages.main.connect();
    for (const action of ['$connect', '$disconnect']) {
      client.send({ action });
      const answer = await client.next();
      tell('a', { [action]: answer });
      expect(JSON.parse(answer).routeKey).toBe('$default');
    }
    expect(await target.observations.routeKeys(id)).toEqual(['$connect', '$default', '$default']);
    await client.close();
  });

  it('RT-ERR answers Internal server error when a handler throws, on a one-way route too', async () => {
    const { client, id } = await target.stages.main.connect();
    client.send({ action: 'oneWay', throw: true });
    const frame = await client.next();
    const { requestContext } = await target.observations.event(id, 'MESSAGE');
    expect(frame).toBe(errorText('Internal server error', id, requestContext.requestId));
    expect((await client.ask({ action: 'pub' })).connectionId).toBe(id);
    await client.close();
  });

  it('RT-TIMEOUT answers Endpoint request timed out, and nothing more when the handler ends', async () => {
    const { observations } = target;
    const { client, id } = await target.stages.main.connect();
    const gate = randomUUID();
    client.send({ action: 'timeout', hold: gate });
    const frame = await client.next();
    const { requestContext } = await observations.event(id, 'MESSAGE');
    expect(frame).toBe(errorText('Endpoint request timed out', id, requestContext.requestId));
    await observations.open(gate);
    await observations.when(id, ({ endedAt }) => endedAt !== undefined);
    expect((await client.ask({ action: 'pub' })).routeKey).toBe('pub');
    await client.close();
  });

  it('RT-REPLY delivers the body where a route has a response, whatever its status, and nowhere else', async () => {
    const { client, id } = await target.stages.main.connect();
    client.send({ action: 'pub', body: 'grüße' });
    expect(await client.next()).toBe('grüße');
    client.send({ action: 'pub', body: 'failed', status: 500 });
    expect(await client.next()).toBe('failed');
    const gate = randomUUID();
    await target.observations.open(gate);
    client.send({ action: 'oneWay', hold: gate, body: 'dropped' });
    await target.observations.when(id, ({ endedAt }) => endedAt !== undefined);
    client.send({ action: 'pub', body: 'last' });
    expect(await client.next()).toBe('last');
    await client.close();
  });

  it('RT-CONC handles messages side by side, so that a later reply may come first [inference]', async () => {
    const { observations } = target;
    const { client, id } = await target.stages.main.connect();
    const gate = randomUUID();
    client.send({ action: 'pub', hold: gate, body: 'slow' });
    await observations.when(id, ({ event }) => event.body?.includes('slow'));
    client.send({ action: 'pub', body: 'fast' });
    expect(await client.next()).toBe('fast');
    await observations.open(gate);
    expect(await client.next()).toBe('slow');
    await client.close();
  });
});
