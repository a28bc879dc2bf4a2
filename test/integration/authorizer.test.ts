import { GoneException, PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { Client } from '../support/client.ts';
import { bootLocal } from '../support/local.ts';
import {
  AUTHORIZER,
  type GatewayEvent,
  type Handler,
  held,
  ok,
  refusal,
  startGateway,
} from './gateway-fixture.ts';

const NOW = Date.UTC(2024, 0, 20, 11, 55, 8);
const CONNECT_ARN = 'arn:aws:execute-api:eu-west-1:000000000000:abcd123456/prod/$connect';

const statement = (Effect: string, Resource: unknown, others: object = {}) => ({
  Action: 'execute-api:Invoke',
  Effect,
  Resource,
  ...others,
});

/** What an authorizer returns, with these statements. */
const result = (Statement: unknown, others: object = {}) => ({
  principalId: 'alice',
  policyDocument: { Version: '2012-10-17', Statement },
  ...others,
});

const allow: Handler = ({ methodArn }) => result([statement('Allow', methodArn)]);

/** What a gateway with this authorizer makes of a handshake; nothing but the authorizer may have been invoked. */
async function refusalBy(authorize: Handler): Promise<{ status: number; log: readonly string[] }> {
  const gateway = await startGateway({ authorize });
  const { status, body } = await refusal(new WebSocket(gateway.url));
  expect(body).not.toContain('secret');
  await gateway.gateway.close();
  expect(gateway.invokedFunctions).toEqual([AUTHORIZER]);
  return { status, log: gateway.log };
}

/** The status that it gets with a policy of these statements: 101 if they let it in. */
async function statusWith(...statements: readonly unknown[]): Promise<number> {
  const gateway = await startGateway({ authorize: () => result(statements) });
  const socket = new WebSocket(gateway.url);
  return Promise.race([
    refusal(socket).then(({ status }) => status),
    new Promise<number>((resolve) => socket.once('open', () => resolve(101))),
  ]);
}

describe('the event of an authorizer', () => {
  it('has exactly the keys of AWS', async () => {
    const gateway = await startGateway({ authorize: allow });
    await gateway.connect({
      query: '?token=a%20b&topic=1&topic=2',
      headers: { 'User-Agent': 'test', 'x-Own': '1' },
    });
    const event = await gateway.invoked(AUTHORIZER);
    const { requestId, connectionId } = event.requestContext;
    const headers = {
      Connection: 'upgrade',
      'content-length': '0',
      Host: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': expect.any(String),
      'Sec-WebSocket-Extensions': expect.any(String),
      Upgrade: 'websocket',
      'User-Agent': 'test',
      'x-Own': '1',
      'X-Amzn-Trace-Id': expect.stringMatching(/^Root=1-65abb49c-[0-9a-f]{24}$/),
      'X-Forwarded-For': '127.0.0.1',
      'X-Forwarded-Port': '443',
      'X-Forwarded-Proto': 'https',
    };
    expect(event).toEqual({
      type: 'REQUEST',
      methodArn: CONNECT_ARN,
      headers,
      multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
      queryStringParameters: { token: 'a b', topic: '2' },
      multiValueQueryStringParameters: { token: ['a b'], topic: ['1', '2'] },
      stageVariables: {},
      requestContext: {
        routeKey: '$connect',
        eventType: 'CONNECT',
        extendedRequestId: requestId,
        requestTime: '20/Jan/2024:11:55:08 +0000',
        messageDirection: 'IN',
        stage: 'prod',
        connectedAt: NOW,
        requestTimeEpoch: NOW,
        identity: { userAgent: 'test', sourceIp: '127.0.0.1' },
        requestId,
        domainName: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
        connectionId,
        apiId: 'abcd123456',
      },
    });
    expect(Object.keys(event)).not.toContain('body');
    expect(Object.keys(event)).not.toContain('isBase64Encoded');
  });

  it('has stage variables when the stage has some', async () => {
    const gateway = await startGateway({ authorize: allow, stageVariables: { table: 'blue' } });
    await gateway.connect();
    expect((await gateway.invoked(AUTHORIZER)).stageVariables).toEqual({ table: 'blue' });
  });

  it('has the content length once, even of a client that sends its own', async () => {
    const gateway = await startGateway({ authorize: allow });
    await gateway.connect({ headers: { 'Content-Length': '0' } });
    const { multiValueHeaders = {} } = await gateway.invoked(AUTHORIZER);
    const lengths = Object.entries(multiValueHeaders).filter(
      ([name]) => name.toLowerCase() === 'content-length',
    );
    expect(lengths).toEqual([['content-length', ['0']]]);
  });

  it('is of the same connection and request as that of $connect, which has no Connection and no Upgrade', async () => {
    const gateway = await startGateway({ authorize: allow });
    await gateway.connect();
    const asked = await gateway.invoked(AUTHORIZER);
    const connected = await gateway.invoked('$connect');
    expect(connected.requestContext.connectionId).toBe(asked.requestContext.connectionId);
    expect(connected.requestContext.requestId).toBe(asked.requestContext.requestId);
    expect(connected.headers?.['X-Amzn-Trace-Id']).toBe(asked.headers?.['X-Amzn-Trace-Id']);
    const names = Object.keys(connected.headers ?? {}).map((name) => name.toLowerCase());
    expect(names).not.toContain('connection');
    expect(names).not.toContain('upgrade');
    expect(names).not.toContain('content-length');
  });
});

describe('what an authorizer says of the caller', () => {
  it('is in CONNECT, MESSAGE and DISCONNECT, with every value as text', async () => {
    const context = { role: 'admin', level: 1, ratio: 0.5, paid: true, empty: '' };
    const gateway = await startGateway({
      authorize: ({ methodArn }) => result(statement('Allow', methodArn), { context }),
    });
    const client = await gateway.connect();
    client.send('hello');
    const events: GatewayEvent[] = [await gateway.invoked('$connect'), await gateway.invoked('$default')];
    client.socket.close();
    events.push(await gateway.invoked('$disconnect'));
    const authorizer = {
      principalId: 'alice',
      role: 'admin',
      level: '1',
      ratio: '0.5',
      paid: 'true',
      empty: '',
    };
    for (const { requestContext } of events) expect(requestContext).toMatchObject({ authorizer });
    expect(events[0]?.requestContext.authorizer).toEqual(authorizer);
  });

  it.each([[{}], [{ context: {} }], [{ context: null }]])(
    'is its principal id alone with %j',
    async (others) => {
      const gateway = await startGateway({
        authorize: ({ methodArn }) => result([statement('Allow', methodArn)], others),
      });
      await gateway.connect();
      expect((await gateway.invoked('$connect')).requestContext.authorizer).toEqual({ principalId: 'alice' });
    },
  );

  it('is each connection’s own: nothing is cached, and the same token is asked about again', async () => {
    let connections = 0;
    const gateway = await startGateway({
      identitySources: ['route.request.querystring.token'],
      authorize: ({ methodArn }) => {
        connections += 1;
        return { ...result([statement('Allow', methodArn)]), principalId: `user ${connections}` };
      },
    });
    for (const principalId of ['user 1', 'user 2']) {
      await gateway.connect({ query: '?token=same' });
      expect((await gateway.invoked('$connect')).requestContext.authorizer).toEqual({ principalId });
    }
    expect(gateway.invokedFunctions).toEqual([AUTHORIZER, '$connect', AUTHORIZER, '$connect']);
  });

  it('is in no event of an API without an authorizer', async () => {
    const gateway = await startGateway();
    await gateway.connect();
    expect((await gateway.invoked('$connect')).requestContext).not.toHaveProperty('authorizer');
  });

  it('counts where there is no $connect route, too', async () => {
    const gateway = await startGateway({ authorize: allow, handlers: { $default: ok } });
    const client = await gateway.connect();
    client.send('hello');
    expect((await gateway.invoked('$default')).requestContext.authorizer).toEqual({ principalId: 'alice' });
  });
});

describe('the policy of an authorizer', () => {
  const ALL = 'arn:aws:execute-api:*';
  const OTHER_STAGE = CONNECT_ARN.replace('/prod/', '/dev/');

  it.each<[string, unknown]>([
    ['the very ARN', CONNECT_ARN],
    ['a * for the route', CONNECT_ARN.replace('$connect', '*')],
    ['a * for stage and route', CONNECT_ARN.replace('prod/$connect', '*')],
    ['a ? for each character', CONNECT_ARN.replace('prod', '????')],
    ['a * alone', '*'],
    ['one ARN of several', [OTHER_STAGE, CONNECT_ARN]],
  ])('lets in with an Allow for %s', async (_, resource) => {
    expect(await statusWith(statement('Allow', resource))).toBe(101);
  });

  it.each<[string, unknown]>([
    ['another stage', OTHER_STAGE],
    ['another API', CONNECT_ARN.replace('abcd123456', 'zzzz999999')],
    ['another route', CONNECT_ARN.replace('$connect', 'publish')],
    ['the stage alone', CONNECT_ARN.replace('/$connect', '')],
    ['one ? too few', CONNECT_ARN.replace('prod', '???')],
    ['nothing', []],
  ])('refuses with 403 an Allow for %s', async (_, resource) => {
    expect(await statusWith(statement('Allow', resource))).toBe(403);
  });

  it('refuses with 403 when a statement denies, whatever others allow', async () => {
    const allowed = statement('Allow', '*');
    expect(await statusWith(allowed, statement('Deny', CONNECT_ARN))).toBe(403);
    expect(await statusWith(statement('Deny', ALL), allowed)).toBe(403);
    expect(await statusWith(statement('Deny', OTHER_STAGE), allowed)).toBe(101);
  });

  it('refuses with 403 when it says nothing', async () => {
    expect(await statusWith()).toBe(403);
  });

  it('is about execute-api:Invoke, in any case, by a wildcard or in a list', async () => {
    const allowing = (Action: unknown) => statusWith(statement('Allow', CONNECT_ARN, { Action }));
    expect(await allowing('execute-api:ManageConnections')).toBe(403);
    expect(await allowing('Execute-API:invoke')).toBe(101);
    expect(await allowing('execute-api:*')).toBe(101);
    expect(await allowing(['sqs:SendMessage', 'execute-api:Invoke'])).toBe(101);
  });

  it('may have one statement that is in no list', async () => {
    const gateway = await startGateway({ authorize: () => result(statement('Allow', CONNECT_ARN)) });
    await gateway.connect();
  });

  it('may look at the address of the client', async () => {
    const from = (address: string) =>
      statement('Allow', CONNECT_ARN, { Condition: { StringEquals: { 'aws:SourceIp': address } } });
    expect(await statusWith(from('127.0.0.1'))).toBe(101);
    expect(await statusWith(from('192.0.2.1'))).toBe(403);
  });
});

describe('a handshake that an authorizer refuses', () => {
  it('gets 403 and the gateway’s own text, and leaves no connection behind', async () => {
    const gateway = await startGateway({ authorize: () => result([statement('Deny', '*')]) });
    const { status, body } = await refusal(new WebSocket(gateway.url));
    const { connectionId, requestId } = (await gateway.invoked(AUTHORIZER)).requestContext;
    expect([status, body]).toEqual([
      403,
      `{"message": "Forbidden", "connectionId":"${connectionId}", "requestId":"${requestId}"}`,
    ]);
    const post = new PostToConnectionCommand({ ConnectionId: connectionId, Data: 'x' });
    await expect(gateway.management.send(post)).rejects.toBeInstanceOf(GoneException);
    await gateway.gateway.close();
    expect(gateway.invokedFunctions).toEqual([AUTHORIZER]);
  });

  it('gets 401 when the function throws Unauthorized', async () => {
    const { status } = await refusalBy(() => {
      throw new Error('Unauthorized');
    });
    expect(status).toBe(401);
  });

  it.each(['unauthorized', 'Unauthorized: a secret', 'a secret'])(
    'gets 500 when the function throws %j',
    async (message) => {
      const { status } = await refusalBy(() => {
        throw new Error(message);
      });
      expect(status).toBe(500);
    },
  );

  const allowed = statement('Allow', '*');
  const { policyDocument } = result([allowed]);
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'Unauthorized'],
    ['a status code', { statusCode: 401, body: 'a secret' }],
    ['what only HTTP APIs know', { isAuthorized: true, context: {} }],
    ['no policy', { principalId: 'alice' }],
    ['no principal id', { policyDocument }],
    ['a policy without statements', { principalId: 'alice', policyDocument: { Version: '2012-10-17' } }],
    ['a statement that is none', result([null])],
    ['an unknown effect', result([{ ...allowed, Effect: 'allow' }])],
    ['keys in another case', result([{ effect: 'Allow', action: '*', resource: '*' }])],
    ['a statement without a resource', result([{ Effect: 'Allow', Action: '*' }])],
    ['a statement without an action', result([{ Effect: 'Allow', Resource: '*' }])],
    ['an action that is no text', result([{ ...allowed, Action: 1 }])],
    ['a resource that is no text', result([{ ...allowed, Resource: 1 }])],
    ['a condition that is null', result([{ ...allowed, Condition: null }])],
    [
      'a condition that nobody knows',
      result([{ ...allowed, Condition: { Guess: { 'aws:SourceIp': 'x' } } }]),
    ],
    ['an object in its context', result([allowed], { context: { user: { name: 'alice' } } })],
    ['a list in its context', result([allowed], { context: { roles: ['admin'] } })],
    ['null in its context', result([allowed], { context: { team: null } })],
    ['a context that is no object', result([allowed], { context: 'a secret' })],
  ])('gets 500 when the function returns %s, and the log the reason', async (_, returned) => {
    const { status, log } = await refusalBy(() => returned);
    expect(status).toBe(500);
    expect(log).toEqual([
      expect.stringMatching(/^the result of authorizer is of no use: Error: expected .*, got /),
    ]);
  });

  it('gets 500 when the result is larger than 8 KB', async () => {
    const sized = (bytes: number) => {
      const padded = (padding: string) => result([allowed], { context: { padding } });
      const missing = bytes - Buffer.byteLength(JSON.stringify(padded('')));
      return padded('x'.repeat(missing));
    };
    expect((await refusalBy(() => sized(8 * 1024 + 1))).status).toBe(500);
    const gateway = await startGateway({ authorize: () => sized(8 * 1024) });
    await gateway.connect();
  });

  it('gets 500 when the function takes too long, whatever it says later', async () => {
    const slow = held();
    const gateway = await startGateway({ authorize: slow.handler });
    const refused = refusal(new WebSocket(gateway.url));
    await gateway.invoked(AUTHORIZER);
    gateway.clock.advance(29_000);
    expect((await refused).status).toBe(500);
    slow.release(result([allowed]));
    await gateway.gateway.close();
    expect(gateway.invokedFunctions).toEqual([AUTHORIZER]);
    expect(gateway.clock.waiting).toBe(0);
  });

  it('tells the log what was wrong with the result, and the client nothing', async () => {
    const gateway = await startGateway({
      authorize: () => result([allowed], { context: { roles: ['admin'] } }),
    });
    const { body } = await refusal(new WebSocket(gateway.url));
    expect(JSON.parse(body).message).toBe('Internal server error');
    expect(gateway.log[0]).toMatch(/expected context to have .*, got \{"roles":\["admin"\]\}$/);
  });

  it('that the gateway drops meanwhile never gets to $connect', async () => {
    const slow = held();
    const gateway = await startGateway({ authorize: slow.handler });
    const socket = new WebSocket(gateway.url);
    const failed = new Promise((resolve) => socket.once('error', resolve));
    await gateway.invoked(AUTHORIZER);
    await gateway.gateway.close();
    await failed;
    slow.release(result([allowed]));
    await refusal(new WebSocket(gateway.url)); // a whole round trip later …
    expect(gateway.invokedFunctions).toEqual([AUTHORIZER]);
  });
});

describe('identity sources', () => {
  const QUERY = 'route.request.querystring.token';
  const HEADER = 'route.request.header.X-Auth';

  it.each<[string, readonly string[], string, Record<string, string>]>([
    ['a query that is not there', [QUERY], '', {}],
    ['a parameter that is not there', [QUERY], '?other=1', {}],
    ['a parameter that is empty', [QUERY], '?token=', {}],
    ['a parameter without a value', [QUERY], '?token', {}],
    ['a parameter in another case', [QUERY], '?Token=1', {}],
    ['a header that is not there', [HEADER], '?X-Auth=1', {}],
    ['a header that is empty', [HEADER], '', { 'X-Auth': '' }],
    ['one of two that is not there', [QUERY, HEADER], '?token=1', {}],
  ])('are %s: 401, and nobody is asked', async (_, identitySources, query, headers) => {
    const gateway = await startGateway({ authorize: allow, identitySources });
    const { status, body } = await refusal(new WebSocket(gateway.url + query, { headers }));
    expect([status, JSON.parse(body).message]).toEqual([401, 'Unauthorized']);
    await gateway.gateway.close();
    expect(gateway.invokedFunctions).toEqual([]);
  });

  it.each<[string, readonly string[], string, Record<string, string>]>([
    ['a parameter', [QUERY], '?token=1', {}],
    ['a parameter that is a blank', [QUERY], '?token=%20', {}],
    ['a header', [HEADER], '', { 'X-Auth': '1' }],
    ['a header in another case', [HEADER], '', { 'x-auTH': '1' }],
    ['all of several', [QUERY, HEADER], '?token=1', { 'X-Auth': '1' }],
    ['none', [], '', {}],
  ])('are given with %s', async (_, identitySources, query, headers) => {
    const gateway = await startGateway({ authorize: allow, identitySources });
    await gateway.connect({ query, headers });
    expect(gateway.invokedFunctions).toEqual([AUTHORIZER, '$connect']);
  });

  it.each(['$request.header.Auth', 'route.request.path.id', 'route.request.header.', 'context.stage'])(
    'may not be %s',
    async (source) => {
      await expect(startGateway({ authorize: allow, identitySources: [source] })).rejects.toThrow(
        `expected an identity source route.request.header.… or route.request.querystring.…, got ${source}`,
      );
    },
  );
});

it('runs the authorizer of somebody’s own CDK app', async () => {
  const { ready, stop } = await bootLocal({ app: 'test/apps/guarded.ts' });
  onTestFinished(stop);
  await expect(Client.open(ready.websocketUrl)).rejects.toThrow('401');
  await expect(Client.open(`${ready.websocketUrl}?token=forged`)).rejects.toThrow('401');
  await expect(Client.open(`${ready.websocketUrl}?token=banned`)).rejects.toThrow('403');
  const client = await Client.open(`${ready.websocketUrl}?token=alice`);
  client.send('whoami');
  expect(await client.wait(() => true)).toEqual({ principalId: 'alice', level: '3' });
  await client.close();
});
