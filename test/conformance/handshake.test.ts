import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { GoneException } from '@aws-sdk/client-apigatewaymanagementapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createId } from '../../infra/local/apigateway/ids.ts';
import { Client, refusal } from './clients.ts';
import { post } from './stage.ts';
import { isDeployed, openTarget, type Target, TIMEOUT_MS, tell } from './target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target?.close());

const ID = /^[A-Za-z0-9_-]{15}=$/;
/** Fewer than may connect in one second. */
const CONNECTIONS = 400;
const IDS = 100_000;

describe('handshake', { timeout: TIMEOUT_MS }, () => {
  it('HS-OK gets its 101 only after $connect has finished, and every event has the same connection id', async () => {
    const { observations, stages } = target;
    const [name, gate] = [randomUUID(), randomUUID()];
    const client = new Client(stages.main.at({ case: name, hold: gate }));
    const opened = once(client.socket, 'open');
    const { connectionId } = (await observations.event(name, 'CONNECT')).requestContext;
    expect(client.socket.readyState).toBe(WebSocket.CONNECTING);
    await observations.open(gate);
    await opened;
    expect(await observations.of(name)).toEqual([expect.objectContaining({ endedAt: expect.any(Number) })]);
    tell('k', (await client.response).headers);

    expect((await client.ask('a message')).connectionId).toBe(connectionId);
    await client.close();
    const { requestContext } = await observations.event(connectionId, 'DISCONNECT');
    expect(requestContext.connectionId).toBe(connectionId);
  });

  it('HS-N is refused with the status that $connect returns, and then there was no connection', async () => {
    const { observations, stages } = target;
    const statuses = [400, 401, 403, 418];
    const ids = await Promise.all(
      statuses.map(async (status) => {
        const name = randomUUID();
        const client = new Client(stages.main.at({ case: name, status: String(status) }));
        const refused = await refusal(client);
        tell('e', refused);
        expect(refused.status).toBe(status);
        const id = await stages.main.connectionId(name);
        await expect(stages.main.management.send(post(id))).rejects.toBeInstanceOf(GoneException);
        return id;
      }),
    );
    // The $disconnect of a later connection comes after any of theirs.
    const later = await stages.main.connect();
    await later.client.close();
    await observations.event(later.id, 'DISCONNECT');
    for (const id of ids) expect(await observations.routeKeys(id)).toEqual(['$connect']);
  });

  it('HS-THROW is refused with 502 when $connect throws', async () => {
    const { status, body } = await refusal(new Client(target.stages.main.at({ throw: '1' })));
    expect(status).toBe(502);
    expect(body).not.toContain('secret');
  });

  it('HS-BAD is refused with 502 when $connect returns nothing, and accepted without a status code [inference]', async () => {
    const { main } = target.stages;
    expect((await refusal(new Client(main.at({ return: 'nothing' })))).status).toBe(502);
    for (const kind of ['no status', 'an empty object']) {
      const client = await new Client(main.at({ return: kind })).opened();
      await client.ask('a message');
      await client.close();
    }
  });

  it('HS-TIMEOUT is refused with 504 when $connect outlasts its integration [inference]', async () => {
    const { observations, stages } = target;
    const [name, gate] = [randomUUID(), randomUUID()];
    const refused = await refusal(new Client(stages.impatient.at({ case: name, hold: gate })));
    tell('i', refused);
    expect(refused.status).toBe(504);
    await observations.open(gate);
    await observations.when(name, ({ endedAt }) => endedAt !== undefined); // too late to mean anything
    const id = await stages.impatient.connectionId(name);
    await expect(stages.impatient.management.send(post(id))).rejects.toBeInstanceOf(GoneException);
    expect(await observations.routeKeys(id)).toEqual(['$connect']);
  });

  it('HS-NOROUTE is accepted without a $connect route, and nobody is asked', async () => {
    const { observations, stages } = target;
    const client = await new Client(stages.noconnect.url).opened();
    const { connectionId } = await client.ask('a message');
    expect(await observations.routeKeys(connectionId)).toEqual(['$default']);
    await client.close();
  });

  it('HS-STAGE is refused with 403 at a stage that does not exist [inference]', async () => {
    const refused = await refusal(new Client(target.stages.main.url.replace(/\/main$/, '/nowhere')));
    tell('e', refused);
    expect(refused.status).toBe(403);
  });

  it('HS-GET asks for an upgrade with 426 when a plain GET comes', async () => {
    const { status } = await fetch(target.stages.main.url.replace(/^ws/, 'http'));
    expect(status).toBe(426);
  });

  // So many connections would prove the quota of connections rather than the ids, so the other ids come straight from
  // the function that makes every id here; where that is out of reach the connections have to do.
  it('HS-ID gives out ids of one form, and none of them twice', async () => {
    const { bare } = target.stages;
    const connecting = Array.from({ length: CONNECTIONS }, () => new Client(bare.url).opened());
    const clients = await Promise.all(connecting);
    const asking = clients.map(async (client) => {
      client.send('tell me who I am'); // no route has it, so the gateway itself answers, with two ids
      const { connectionId, requestId } = JSON.parse(await client.next());
      return [connectionId, requestId];
    });
    const ids: string[] = (await Promise.all(asking)).flat();
    await Promise.all(clients.map((client) => client.close()));
    if (!isDeployed) ids.push(...Array.from({ length: IDS }, () => createId(randomBytes)));
    expect(ids.filter((id) => !ID.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBe(2 * CONNECTIONS + (isDeployed ? 0 : IDS));
  });

  it('HS-SUB1 agrees to the subprotocol that $connect returns, not to the client’s first', async () => {
    const { client, name } = await target.stages.main.connect({ protocol: 'b' }, { protocols: ['a', 'b'] });
    expect((await client.response).headers['sec-websocket-protocol']).toBe('b');
    expect(client.socket.protocol).toBe('b');
    const { headers } = await target.observations.event(name, 'CONNECT');
    expect(headers['Sec-WebSocket-Protocol'].replaceAll(' ', '')).toBe('a,b');
    await client.close();
  });

  it('HS-SUB2 agrees to no subprotocol when $connect returns none, so that the client gives up', async () => {
    const client = new Client(target.stages.main.url, { protocols: ['a'] });
    const failed = once(client.socket, 'error');
    const { statusCode, headers } = await client.response;
    expect(statusCode).toBe(101);
    expect(headers).not.toHaveProperty('sec-websocket-protocol');
    const [error] = await failed;
    expect(error.message).toBe('Server sent no subprotocol');
  });

  it('HS-SUB3 agrees to what $connect returns though it was not offered, so that the client gives up [inference]', async () => {
    const offers = [undefined, ['a']];
    const chosen = offers.map(async (protocols) => {
      const url = target.stages.main.at({ protocol: 'b' });
      const client = new Client(url, protocols && { protocols });
      const failed = once(client.socket, 'error');
      const { headers } = await client.response;
      await failed;
      return headers['sec-websocket-protocol'];
    });
    expect(await Promise.all(chosen)).toEqual(['b', 'b']);
  });

  it('HS-EXT does not agree to permessage-deflate, though $connect sees the offer [inference]', async () => {
    const { client, name } = await target.stages.main.connect({}, { perMessageDeflate: true });
    const { headers } = await target.observations.event(name, 'CONNECT');
    expect(headers['Sec-WebSocket-Extensions']).toContain('permessage-deflate');
    tell('h', client.socket.extensions);
    expect((await client.response).headers).not.toHaveProperty('sec-websocket-extensions');
    await client.close();
  });
});
