import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  LimitExceededException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { ACCOUNT_LIMITS, Throttle } from '../../infra/local/apigateway/throttle.ts';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { echo, ok, refusal, startGateway } from './gateway-fixture.ts';

const post = (id: string, data = 'x') => new PostToConnectionCommand({ ConnectionId: id, Data: data });

describe('the rate of new connections', () => {
  const limits = { connections: { perSecond: 2, burst: 3 } };

  it('refuses with 429 what exceeds the burst, before $connect hears of it', async () => {
    const gateway = await startGateway({ limits });
    for (let connection = 0; connection < 3; connection += 1) await gateway.connect();
    const { status, body } = await refusal(new WebSocket(gateway.url));
    expect(status).toBe(429);
    expect(body).toMatch(
      /^\{"message": "Too Many Requests", "connectionId":"[\w-]{15}=", "requestId":"[\w-]{15}="\}$/,
    );
    await gateway.gateway.close();
    expect(gateway.invokedRoutes.filter((key) => key === '$connect')).toHaveLength(3);
    expect(gateway.invokedRoutes.filter((key) => key === '$disconnect')).toHaveLength(3);
  });

  it('lets in as many a second as it says', async () => {
    const gateway = await startGateway({ limits });
    for (let connection = 0; connection < 3; connection += 1) await gateway.connect();
    gateway.clock.advance(499);
    expect((await refusal(new WebSocket(gateway.url))).status).toBe(429);
    gateway.clock.advance(1);
    await gateway.connect();
    expect((await refusal(new WebSocket(gateway.url))).status).toBe(429);
  });

  it('counts handshakes that $connect or the authorizer refuse', async () => {
    const denied = { limits: { connections: { perSecond: 1, burst: 1 } } };
    const byConnect = await startGateway({ ...denied, handlers: { $connect: () => ({ statusCode: 403 }) } });
    const byAuthorizer = await startGateway({
      ...denied,
      identitySources: ['route.request.header.Auth'],
      authorize: ok,
    });
    for (const [gateway, status] of [
      [byConnect, 403],
      [byAuthorizer, 401],
    ] as const) {
      expect((await refusal(new WebSocket(gateway.url))).status).toBe(status);
      expect((await refusal(new WebSocket(gateway.url))).status).toBe(429);
    }
  });

  it('asks no authorizer about what exceeds it', async () => {
    const gateway = await startGateway({
      limits: { connections: { perSecond: 1, burst: 0 } },
      authorize: ok,
    });
    expect((await refusal(new WebSocket(gateway.url))).status).toBe(429);
    expect(gateway.invokedFunctions).toEqual([]);
  });

  it('leaves alone who is connected', async () => {
    const gateway = await startGateway({ limits: { connections: { perSecond: 1, burst: 1 } } });
    const { client, id } = await gateway.connectWithId();
    expect((await refusal(new WebSocket(gateway.url))).status).toBe(429);
    client.send('hello');
    expect((await gateway.invoked('$default')).body).toBe('hello');
    await gateway.management.send(post(id));
  });
});

describe('the rate of requests', () => {
  const handlers = { $connect: ok, $disconnect: ok, $default: echo };

  it('answers a message that exceeds it with a frame, keeps the connection, and invokes nothing', async () => {
    const limits = { requests: { perSecond: 2, burst: 1 } };
    const gateway = await startGateway({ limits, handlers, replies: ['$default'] });
    const { client, id } = await gateway.connectWithId();
    client.send('first');
    expect(await client.next()).toBe('first');
    client.send('second');
    const frame = await client.next();
    const { requestId } = JSON.parse(frame);
    expect(requestId).toMatch(/^[\w-]{15}=$/);
    expect(frame).toBe(
      `{"message": "Too Many Requests", "connectionId":"${id}", "requestId":"${requestId}"}`,
    );
    gateway.clock.advance(500);
    client.send('third');
    expect(await client.next()).toBe('third');
    expect(gateway.invokedRoutes).toEqual(['$connect', '$default', '$default']);
  });

  it('counts a message that no route takes', async () => {
    const gateway = await startGateway({
      limits: { requests: { perSecond: 1, burst: 1 } },
      handlers: { $connect: ok },
    });
    const client = await gateway.connect();
    client.send('no route');
    expect(JSON.parse(await client.next()).message).toBe('Forbidden');
    client.send('no token');
    expect(JSON.parse(await client.next()).message).toBe('Too Many Requests');
  });

  it('refuses every kind of call to @connections with 429, which the SDK knows', async () => {
    const gateway = await startGateway({ limits: { requests: { perSecond: 1, burst: 1 } }, handlers });
    const { client, id } = await gateway.connectWithId();
    await gateway.management.send(post(id, 'in time'));
    const calls = [
      () => gateway.management.send(post(id, 'too much')),
      () => gateway.management.send(new GetConnectionCommand({ ConnectionId: id })),
      () => gateway.management.send(new DeleteConnectionCommand({ ConnectionId: id })),
    ];
    for (const call of calls) await expect(call()).rejects.toBeInstanceOf(LimitExceededException);
    gateway.clock.advance(1000);
    await gateway.management.send(post(id, 'in time again'));
    expect([await client.next(), await client.next()]).toEqual(['in time', 'in time again']);
  });

  it('makes an SDK that is left to itself try three times', async () => {
    const gateway = await startGateway({ limits: { requests: { perSecond: 1, burst: 0 } }, handlers });
    const { id } = await gateway.connectWithId();
    const { endpoint } = gateway;
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const patient = new ApiGatewayManagementApiClient({ endpoint, region: 'eu-west-1', credentials });
    await expect(patient.send(post(id))).rejects.toMatchObject({
      name: 'LimitExceededException',
      $metadata: { httpStatusCode: 429, attempts: 3 },
    });
  });

  it('is one for messages and for calls', async () => {
    const gateway = await startGateway({ limits: { requests: { perSecond: 1, burst: 2 } }, handlers });
    const { client, id } = await gateway.connectWithId();
    client.send('one');
    await gateway.invoked('$default');
    await gateway.management.send(post(id, 'two'));
    await expect(gateway.management.send(post(id, 'three'))).rejects.toBeInstanceOf(LimitExceededException);
    client.send('four');
    expect(await client.next()).toBe('two');
    expect(JSON.parse(await client.next()).message).toBe('Too Many Requests');
  });

  it('is not what a handshake or a reply needs', async () => {
    const limits = { requests: { perSecond: 1, burst: 1 } };
    const gateway = await startGateway({ limits, handlers, replies: ['$default'] });
    await gateway.connect();
    const client = await gateway.connect();
    client.send('only one');
    expect(await client.next()).toBe('only one');
  });
});

describe('the limits of an account', () => {
  it('are those of AWS unless others are given', () => {
    const clock = new ManualClock();
    const throttle = new Throttle(clock, { connections: { perSecond: 1, burst: 1 } });
    expect(ACCOUNT_LIMITS).toEqual({
      connections: { perSecond: 500, burst: 500 },
      requests: { perSecond: 10_000, burst: 5_000 },
    });
    expect([throttle.admitsConnection(), throttle.admitsConnection()]).toEqual([true, false]);
    const admitted = Array.from({ length: 6_000 }, () => throttle.admitsRequest()).filter(Boolean);
    expect(admitted).toHaveLength(5_000);
    clock.advance(100);
    expect(Array.from({ length: 6_000 }, () => throttle.admitsRequest()).filter(Boolean)).toHaveLength(1_000);
  });

  it('set no timer', async () => {
    const gateway = await startGateway({ limits: { requests: { perSecond: 1, burst: 0 } } });
    const client = await gateway.connect();
    client.send('x');
    await client.next();
    client.socket.close();
    await gateway.invoked('$disconnect');
    await gateway.gateway.close();
    expect(gateway.clock.waiting).toBe(0);
  });

  it('hold for all stages together', async () => {
    const { ready, stop } = await bootLocal({
      app: 'test/apps/guarded.ts',
      clock: new ManualClock(),
      limits: { connections: { perSecond: 1, burst: 1 } },
    });
    onTestFinished(stop);
    const open = (stage: string) =>
      Client.open(`${ready.endpoint.replace('http', 'ws')}/${stage}?token=alice`);
    const client = await open('prod');
    await expect(open('beta')).rejects.toThrow('429');
    client.close();
  });
});
