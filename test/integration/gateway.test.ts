import { once } from 'node:events';
import { get, request as httpRequest } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  DeleteConnectionCommand,
  GetConnectionCommand,
  GoneException,
  LimitExceededException,
  PayloadTooLargeException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { clientFrame } from '../support/web-socket-frames.ts';
import {
  AUTHORIZER,
  echo,
  HANDSHAKE,
  type Handler,
  held,
  ok,
  refusal,
  startGateway,
  TestClient,
} from './gateway-fixture.ts';

const ID = /^[A-Za-z0-9_-]{15}=$/;
const UNKNOWN_ID = 'L0SM9cOFvHcCIhw=';
const NOW = Date.UTC(2024, 0, 20, 11, 55, 8);
const MINUTE_MS = 60_000;
const KIB = 1024;

const post = (id: string, data: string | Uint8Array) =>
  new PostToConnectionCommand({ ConnectionId: id, Data: data });
const describeConnection = (id: string) => new GetConnectionCommand({ ConnectionId: id });
const remove = (id: string) => new DeleteConnectionCommand({ ConnectionId: id });

const allow: Handler = ({ methodArn }) => ({
  principalId: 'anybody',
  policyDocument: {
    Version: '2012-10-17',
    Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: methodArn }],
  },
});

const throwing = () => {
  throw new Error('a secret of the handler');
};

/** A plain HTTP call, for what the SDK does not show or would not send. */
async function call(url: string, method = 'GET') {
  const request = httpRequest(url, { method, agent: false });
  request.end();
  const [response] = await once(request, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** What an `Upgrade` request gets that the `ws` client would not make. */
async function rawUpgrade(port: number, lines: readonly string[]): Promise<string> {
  const socket = connectTcp({ port, host: '127.0.0.1' });
  socket.write(`${[...lines, 'Host: localhost', 'Connection: Upgrade'].join('\r\n')}\r\n\r\n`);
  const [head] = await once(socket, 'data');
  socket.destroy();
  return String(head);
}

describe('handshake', () => {
  it('stays pending until $connect has ended, and then gets its 101', async () => {
    const connect = held();
    const gateway = await startGateway({ handlers: { $connect: connect.handler } });
    const socket = new WebSocket(gateway.url);
    const opened = once(socket, 'open');
    await gateway.invoked('$connect');
    await call(gateway.endpoint); // a whole round trip later …
    expect(socket.readyState).toBe(WebSocket.CONNECTING);
    expect(gateway.gateway.connectionCount).toBe(0);
    connect.release({ statusCode: 200 });
    await opened;
    expect(gateway.gateway.connectionCount).toBe(1);
  });

  it('shows one connection id from $connect to $disconnect', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    expect(id).toMatch(ID);
    client.send('hello');
    expect((await gateway.invoked('$default')).requestContext.connectionId).toBe(id);
    client.socket.close();
    expect((await gateway.invoked('$disconnect')).requestContext.connectionId).toBe(id);
  });

  it.each([400, 401, 403, 418, 302, 500])(
    'is refused with the %i that $connect returns',
    async (statusCode) => {
      const gateway = await startGateway({
        handlers: { $connect: () => ({ statusCode, body: 'a secret of the handler' }), $disconnect: ok },
      });
      const { status, body } = await refusal(new WebSocket(gateway.url));
      expect(status).toBe(statusCode);
      expect(body).not.toContain('secret');
      const { connectionId } = (await gateway.invoked('$connect')).requestContext;
      await expect(gateway.management.send(post(connectionId, 'x'))).rejects.toBeInstanceOf(GoneException);
      await gateway.gateway.close();
      expect(gateway.invokedRoutes).toEqual(['$connect']);
    },
  );

  it('is refused with the gateway’s own error text', async () => {
    const gateway = await startGateway({ handlers: { $connect: () => ({ statusCode: 403 }) } });
    const { body } = await refusal(new WebSocket(gateway.url));
    const { connectionId, requestId } = (await gateway.invoked('$connect')).requestContext;
    expect(body).toBe(
      `{"message": "Forbidden", "connectionId":"${connectionId}", "requestId":"${requestId}"}`,
    );
  });

  it.each([{ statusCode: 201 }, { statusCode: 204 }, { statusCode: 299 }, {}, { body: 'x' }])(
    'is accepted with %j too',
    async (response) => {
      const gateway = await startGateway({ handlers: { $connect: () => response } });
      expect((await gateway.connect()).socket.readyState).toBe(WebSocket.OPEN);
    },
  );

  it.each([
    ['throws', throwing],
    ['returns nothing', () => undefined],
    ['returns null', () => null],
    ['returns a text', () => 'x'],
    ['returns a key that is not of a response', () => ({ statusCode: 200, ConnectionId: 'x' })],
    [
      'chooses a subprotocol that would break the response',
      () => ({
        statusCode: 200,
        headers: { 'Sec-WebSocket-Protocol': 'a\r\nX-Injected: yes' },
      }),
    ],
  ])('is refused with 502 when $connect %s', async (_name, handler) => {
    const gateway = await startGateway({ handlers: { $connect: handler, $disconnect: ok } });
    const { status, body } = await refusal(new WebSocket(gateway.url));
    expect(status).toBe(502);
    expect(body).not.toContain('secret');
    await gateway.gateway.close();
    expect(gateway.invokedRoutes).toEqual(['$connect']);
  });

  it('is refused with 504 when $connect outlasts its integration', async () => {
    const connect = held();
    const gateway = await startGateway({ handlers: { $connect: connect.handler, $disconnect: ok } });
    const refused = refusal(new WebSocket(gateway.url));
    await gateway.invoked('$connect');
    gateway.clock.advance(29_000);
    expect((await refused).status).toBe(504);
    connect.release({ statusCode: 200 }); // too late to mean anything
    await gateway.gateway.close();
    expect(gateway.invokedRoutes).toEqual(['$connect']);
  });

  it('is accepted without asking anybody when there is no $connect route', async () => {
    const gateway = await startGateway({ handlers: { $default: ok } });
    await gateway.connect();
    expect(gateway.invokedRoutes).toEqual([]);
  });

  it.each(['/dev', '/', '/prod/more', '/production'])('is refused with 403 at %s', async (path) => {
    const gateway = await startGateway();
    const { status } = await refusal(new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`));
    expect(status).toBe(403);
    expect(gateway.invokedRoutes).toEqual([]);
  });

  it('that is the first has the functions made ready that it leads to: of $connect, and of the first message', async () => {
    const handlers = { $connect: ok, $disconnect: ok, $default: ok, subscribe: ok, publish: ok };
    const gateway = await startGateway({ handlers });
    await gateway.connect();
    expect(gateway.preparedFunctions).toEqual(['$connect', 'subscribe']);
    await gateway.connect();
    expect(gateway.preparedFunctions).toHaveLength(2);
  });

  it('may end its path with a slash', async () => {
    const gateway = await startGateway();
    const socket = new WebSocket(`${gateway.url}/?a=b`);
    await once(socket, 'open');
    expect((await gateway.invoked('$connect')).queryStringParameters).toEqual({ a: 'b' });
  });

  it.each(['', '/', '?a=b', '/more', '/more/of/it'])(
    'is asked for with 426 when a plain GET comes to the stage%s',
    async (rest) => {
      const gateway = await startGateway();
      const { status, headers } = await call(`${gateway.endpoint}${rest}`);
      expect(status).toBe(426);
      expect(headers.upgrade).toBe('websocket');
    },
  );

  it.each(['websocket', 'WebSocket', 'h2c, websocket', 'websocket,h2c', 'foo/1 ,\twebSOCKET , bar'])(
    'may ask for %j',
    async (upgrade) => {
      const gateway = await startGateway();
      const answer = await rawUpgrade(gateway.port, [
        'GET /prod HTTP/1.1',
        `Upgrade: ${upgrade}`,
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ]);
      expect(answer).toMatch(/^HTTP\/1.1 101 /);
      expect((await gateway.invoked('$connect')).headers).not.toHaveProperty('Upgrade');
    },
  );

  it.each([
    ['another protocol', 426, ['GET /prod HTTP/1.1', 'Upgrade: h2c']],
    ['a protocol of nearly that name', 426, ['GET /prod HTTP/1.1', 'Upgrade: websocket2, xwebsocket']],
    [
      'another version',
      400,
      [
        'GET /prod HTTP/1.1',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 12',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ],
    ],
    ['no key', 400, ['GET /prod HTTP/1.1', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']],
    [
      'a subprotocol that is offered twice',
      400,
      [
        'GET /prod HTTP/1.1',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol: a',
        'Sec-WebSocket-Protocol: a',
      ],
    ],
    [
      'a method other than GET',
      426,
      [
        'POST /prod HTTP/1.1',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ],
    ],
  ])('with %s is refused with %i before $connect hears of it', async (_name, status, lines) => {
    const gateway = await startGateway();
    expect(await rawUpgrade(gateway.port, lines)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(gateway.invokedRoutes).toEqual([]);
  });

  it.each(['$connect', AUTHORIZER])(
    'is refused with 500 where %s cannot even be asked, and the log says it',
    async (broken) => {
      const gateway = await startGateway({ authorize: allow, broken: [broken] });
      expect((await refusal(new WebSocket(gateway.url))).status).toBe(500);
      expect(gateway.log).toEqual([`a handshake failed: Error: ${broken} is broken`]);
    },
  );

  it('that the client gives up leaves no connection and no $disconnect', async () => {
    const connect = held();
    const gateway = await startGateway({ handlers: { $connect: connect.handler, $disconnect: ok } });
    const client = new TestClient(new WebSocket(gateway.url));
    const { connectionId } = (await gateway.invoked('$connect')).requestContext;
    client.socket.terminate();
    await client.closed;
    await call(gateway.endpoint); // by now the server has heard of it too
    connect.release({ statusCode: 200 });
    await expect(gateway.management.send(post(connectionId, 'x'))).rejects.toBeInstanceOf(GoneException);
    await gateway.gateway.close();
    expect(gateway.invokedRoutes).toEqual(['$connect']);
  });

  it('that the client resets meanwhile harms nobody', async () => {
    const connect = held();
    const gateway = await startGateway({ handlers: { $connect: connect.handler, $disconnect: ok } });
    const socket = connectTcp({ port: gateway.port, host: '127.0.0.1' });
    socket.write(HANDSHAKE);
    await gateway.invoked('$connect');
    socket.resetAndDestroy();
    await call(gateway.endpoint); // by now the server has heard of it too
    connect.release({ statusCode: 403 });
    await gateway.gateway.close();
    expect(gateway.invokedRoutes).toEqual(['$connect']);
  });
});

describe('subprotocols and extensions', () => {
  it('are the subprotocol that $connect returns, in any case of its header', async () => {
    const gateway = await startGateway({
      handlers: { $connect: () => ({ statusCode: 200, headers: { 'sec-websocket-PROTOCOL': 'b' } }) },
    });
    const client = await gateway.connect({ protocols: ['a', 'b'] });
    expect(client.socket.protocol).toBe('b');
    expect((await gateway.invoked('$connect')).headers?.['Sec-WebSocket-Protocol']).toBe('a,b');
  });

  it('are none when $connect returns none, so that the client fails the connection', async () => {
    const gateway = await startGateway();
    const socket = new WebSocket(gateway.url, ['a']);
    const upgraded = once(socket, 'upgrade');
    const [error] = await once(socket, 'error');
    expect(error.message).toBe('Server sent no subprotocol');
    const [response] = await upgraded;
    expect(response.statusCode).toBe(101);
    expect(response.headers).not.toHaveProperty('sec-websocket-protocol');
  });

  it('leave out permessage-deflate, though the handler sees the offer', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect({ perMessageDeflate: true });
    expect(client.socket.extensions).toBe('');
    const { headers } = await gateway.invoked('$connect');
    expect(headers?.['Sec-WebSocket-Extensions']).toContain('permessage-deflate');
  });

  it('are all that the 101 takes from $connect', async () => {
    const gateway = await startGateway({
      handlers: { $connect: () => ({ statusCode: 200, headers: { 'X-Other': 'value' }, body: 'text' }) },
    });
    const socket = new WebSocket(gateway.url);
    const [response] = await once(socket, 'upgrade');
    expect(Object.keys(response.headers).sort()).toEqual(['connection', 'sec-websocket-accept', 'upgrade']);
  });
});

describe('the CONNECT event', () => {
  it('has exactly the keys of AWS', async () => {
    const gateway = await startGateway();
    await gateway.connect({ headers: { 'User-Agent': 'test', 'x-Own': '1' } });
    const event = await gateway.invoked('$connect');
    const { requestId, connectionId } = event.requestContext;
    expect(event).toEqual({
      headers: expect.any(Object),
      multiValueHeaders: expect.any(Object),
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
      isBase64Encoded: false,
    });
    expect(Object.keys(event)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/body|query|stage/i)]),
    );
    expect([requestId, connectionId]).toEqual([expect.stringMatching(ID), expect.stringMatching(ID)]);
    expect(requestId).not.toBe(connectionId);
  });

  it('keeps the case of the client’s headers and adds those of AWS', async () => {
    const gateway = await startGateway();
    await gateway.connect({ headers: { 'x-Own': '1', 'User-Agent': 'test', Origin: 'https://app.example' } });
    const { headers, multiValueHeaders } = await gateway.invoked('$connect');
    expect(headers).toEqual({
      Host: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
      Origin: 'https://app.example',
      'User-Agent': 'test',
      'x-Own': '1',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': expect.any(String),
      'Sec-WebSocket-Extensions': expect.any(String),
      'X-Amzn-Trace-Id': expect.stringMatching(/^Root=1-65abb49c-[0-9a-f]{24}$/),
      'X-Forwarded-For': '127.0.0.1',
      'X-Forwarded-Port': '443',
      'X-Forwarded-Proto': 'https',
    });
    expect(multiValueHeaders).toEqual(
      Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, [value]])),
    );
  });

  it('has every value of a repeated header, and the last one alone', async () => {
    const gateway = await startGateway();
    await gateway.connect({ headers: { 'x-Own': ['1', '2'] as unknown as string } }); // the types of `ws` know one
    const { headers, multiValueHeaders } = await gateway.invoked('$connect');
    expect(headers?.['x-Own']).toBe('2');
    expect(multiValueHeaders?.['x-Own']).toEqual(['1', '2']);
  });

  it('appends to X-Forwarded-For and believes nothing else about the way here', async () => {
    const gateway = await startGateway();
    await gateway.connect({
      headers: { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-port': '1', 'x-amzn-trace-id': 'mine' },
    });
    const { headers } = await gateway.invoked('$connect');
    expect(headers).toMatchObject({ 'X-Forwarded-For': '192.0.2.1, 127.0.0.1', 'X-Forwarded-Port': '443' });
    expect(headers).not.toHaveProperty('x-forwarded-port');
    expect(headers).not.toHaveProperty('x-amzn-trace-id');
  });

  it('has the query, decoded, with every value and with the last one alone', async () => {
    const gateway = await startGateway();
    await gateway.connect({ query: '?token=a%20b&topic=1&topic=2&empty=' });
    const event = await gateway.invoked('$connect');
    expect(event.queryStringParameters).toEqual({ token: 'a b', topic: '2', empty: '' });
    expect(event.multiValueQueryStringParameters).toEqual({ token: ['a b'], topic: ['1', '2'], empty: [''] });
  });

  it('has no query keys for a bare question mark', async () => {
    const gateway = await startGateway();
    await gateway.connect({ query: '?' });
    expect(await gateway.invoked('$connect')).not.toHaveProperty('queryStringParameters');
  });

  it('has stage variables when the stage has some', async () => {
    const gateway = await startGateway({ stageVariables: { table: 'blue' } });
    await gateway.connect();
    expect((await gateway.invoked('$connect')).stageVariables).toEqual({ table: 'blue' });
  });

  it('has no user agent when the client has none', async () => {
    const gateway = await startGateway();
    await gateway.connect();
    expect((await gateway.invoked('$connect')).requestContext.identity).toEqual({ sourceIp: '127.0.0.1' });
  });
});

describe('the MESSAGE event', () => {
  it('has exactly the keys of AWS, and no headers', async () => {
    const gateway = await startGateway({ handlers: { $connect: ok, publish: ok } });
    const { client, id } = await gateway.connectWithId();
    gateway.clock.advance(1500);
    client.send('{"action":"publish", "data":"ä"}');
    const event = await gateway.invoked('publish');
    const { requestId, messageId } = event.requestContext;
    expect(event).toEqual({
      requestContext: {
        routeKey: 'publish',
        messageId,
        eventType: 'MESSAGE',
        extendedRequestId: requestId,
        requestTime: '20/Jan/2024:11:55:09 +0000',
        messageDirection: 'IN',
        stage: 'prod',
        connectedAt: NOW,
        requestTimeEpoch: NOW + 1500,
        identity: { sourceIp: '127.0.0.1' },
        requestId,
        domainName: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
        connectionId: id,
        apiId: 'abcd123456',
      },
      body: '{"action":"publish", "data":"ä"}',
      isBase64Encoded: false,
    });
    expect([requestId, messageId]).toEqual([expect.stringMatching(ID), expect.stringMatching(ID)]);
    expect(new Set([requestId, messageId, id]).size).toBe(3);
  });

  it('has request and message ids of its own every time', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    client.send('a');
    client.send('b');
    const [a, b] = [await gateway.invoked('$default'), await gateway.invoked('$default')];
    expect(a.requestContext.requestId).not.toBe(b.requestContext.requestId);
    expect(a.requestContext.messageId).not.toBe(b.requestContext.messageId);
  });
});

describe('the DISCONNECT event', () => {
  it('has exactly the keys of AWS, and its four headers', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    gateway.clock.advance(2000);
    client.socket.close();
    const event = await gateway.invoked('$disconnect');
    const { requestId } = event.requestContext;
    expect(event).toEqual({
      headers: {
        Host: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
        'x-api-key': '',
        'X-Forwarded-For': '',
        'x-restapi': '',
      },
      multiValueHeaders: {
        Host: ['abcd123456.execute-api.eu-west-1.amazonaws.com'],
        'x-api-key': [''],
        'X-Forwarded-For': [''],
        'x-restapi': [''],
      },
      requestContext: {
        routeKey: '$disconnect',
        disconnectStatusCode: 1005,
        eventType: 'DISCONNECT',
        extendedRequestId: requestId,
        requestTime: '20/Jan/2024:11:55:10 +0000',
        messageDirection: 'IN',
        disconnectReason: 'Client-side close frame status not set',
        stage: 'prod',
        connectedAt: NOW,
        requestTimeEpoch: NOW + 2000,
        identity: { sourceIp: '127.0.0.1' },
        requestId,
        domainName: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
        connectionId: id,
        apiId: 'abcd123456',
      },
      isBase64Encoded: false,
    });
  });

  it.each([
    [1000, ''],
    [1001, ''],
    [4001, 'bye'],
  ])('passes on that the client closed with %i %j', async (code, reason) => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    client.socket.close(code, reason);
    expect((await gateway.invoked('$disconnect')).requestContext).toMatchObject({
      disconnectStatusCode: code,
      disconnectReason: reason,
    });
  });

  it('says 1006 of a client whose TCP connection broke', async () => {
    const gateway = await startGateway();
    const { raw } = await gateway.connectRaw();
    raw.socket.resetAndDestroy();
    expect((await gateway.invoked('$disconnect')).requestContext).toMatchObject({
      disconnectStatusCode: 1006,
      disconnectReason: '',
    });
  });

  it('says 1002 of a client that broke the protocol', async () => {
    const gateway = await startGateway();
    const { raw } = await gateway.connectRaw();
    raw.socket.write(clientFrame({ masked: false }));
    expect(closeCode(await raw.nextFrame())).toBe(1002);
    raw.socket.end();
    expect((await gateway.invoked('$disconnect')).requestContext.disconnectStatusCode).toBe(1002);
  });

  it('comes once, however a connection ends', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    const deleted = gateway.management.send(remove(id));
    client.socket.close(4000);
    await deleted.catch(() => {}); // gone already, or deleted: the order is open
    await client.closed;
    await gateway.gateway.close();
    expect(gateway.invokedRoutes).toEqual(['$connect', '$disconnect']);
  });

  it('may fail without harm', async () => {
    const gateway = await startGateway({
      handlers: { $connect: ok, $disconnect: throwing, $default: echo },
      replies: ['$default'],
    });
    const [first, second] = [await gateway.connect(), await gateway.connect()];
    first.socket.close();
    await gateway.invoked('$disconnect');
    second.send('still here');
    expect(await second.next()).toBe('still here');
  });

  it('may not even be invoked, which the log says', async () => {
    const gateway = await startGateway({ broken: ['$disconnect'] });
    const { client, id } = await gateway.connectWithId();
    client.socket.close();
    await client.closed;
    await gateway.gateway.close();
    expect(gateway.log).toEqual([`$disconnect of ${id} failed: Error: $disconnect is broken`]);
  });

  it('may have no route', async () => {
    const gateway = await startGateway({ handlers: { $connect: ok } });
    const { client, id } = await gateway.connectWithId();
    client.socket.close();
    await client.closed;
    await expect(gateway.management.send(post(id, 'x'))).rejects.toBeInstanceOf(GoneException);
    expect(gateway.invokedRoutes).toEqual(['$connect']);
  });
});

describe('routing', () => {
  const handlers = { $connect: ok, $disconnect: ok, $default: ok, publish: ok, '5': ok };

  it.each([
    ['{"action":"publish"}', 'publish'],
    ['{"action":5}', '5'],
    ['{"action":"unknown"}', '$default'],
    ['{}', '$default'],
    ['[]', '$default'],
    ['"publish"', '$default'],
    ['publish', '$default'],
    ['', '$default'],
    ['{"action":"$connect"}', '$default'],
    ['{"action":"$disconnect"}', '$default'],
  ])('sends %s to %s', async (message, routeKey) => {
    const gateway = await startGateway({ handlers });
    const client = await gateway.connect();
    client.send(message);
    const event = await gateway.invoked(routeKey);
    expect(event.requestContext.routeKey).toBe(routeKey);
    expect(event.body).toBe(message);
    expect(gateway.invokedRoutes).toEqual(['$connect', routeKey]);
  });

  it('answers Forbidden where there is neither route nor $default, and keeps the connection', async () => {
    const gateway = await startGateway({ handlers: { $connect: ok, echo }, replies: ['echo'] });
    const { client, id } = await gateway.connectWithId();
    client.send({ action: 'unknown' });
    expect(await client.next()).toMatch(errorFrame('Forbidden', id));
    client.send({ action: 'echo' });
    expect(await client.next()).toBe('{"action":"echo"}');
  });

  it('joins several values of the message if the expression does', async () => {
    const gateway = await startGateway({
      handlers: { 'chat/join': ok },
      routeSelectionExpression: '$request.body.service/$request.body.action',
    });
    const client = await gateway.connect();
    client.send({ service: 'chat', action: 'join' });
    expect((await gateway.invoked('chat/join')).requestContext.routeKey).toBe('chat/join');
  });
});

const escaped = (text: string) => text.replace(/[=\-_$]/g, '\\$&');

/** To the byte: a space after the first colon and after the commas, none after the other colons. */
const errorFrame = (message: string, connectionId: string) =>
  new RegExp(
    `^\\{"message": "${message}", "connectionId":"${escaped(connectionId)}", "requestId":"[A-Za-z0-9_-]{15}="\\}$`,
  );

describe('replies', () => {
  it.each([
    ['throws', throwing],
    ['returns nothing', () => undefined],
    ['returns a body that is no text', () => ({ statusCode: 200, body: { a: 1 } })],
    ['returns more than a client may be sent', () => ({ statusCode: 200, body: 'x'.repeat(128 * KIB + 1) })],
  ])('are Internal server error when the handler %s', async (_name, handler) => {
    const gateway = await startGateway({
      handlers: { $connect: ok, $default: handler },
      replies: ['$default'],
    });
    const { client, id } = await gateway.connectWithId();
    client.send('x');
    const frame = await client.next();
    expect(frame).toMatch(errorFrame('Internal server error', id));
    expect(JSON.parse(frame).requestId).toBe((await gateway.invoked('$default')).requestContext.requestId);
  });

  it('are Internal server error where the function cannot even be asked, and the log says it', async () => {
    const gateway = await startGateway({ broken: ['$default'] });
    const { client, id } = await gateway.connectWithId();
    client.send('hello');
    expect(await client.next()).toMatch(errorFrame('Internal server error', id));
    expect(gateway.log).toEqual([`a message of ${id} failed: Error: $default is broken`]);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('are errors on one-way routes too', async () => {
    const gateway = await startGateway({ handlers: { $connect: ok, $default: throwing } });
    const { client, id } = await gateway.connectWithId();
    client.send('x');
    expect(await client.next()).toMatch(errorFrame('Internal server error', id));
  });

  it('are Endpoint request timed out once the integration has, whatever the handler does later', async () => {
    const slow = held();
    const gateway = await startGateway({
      handlers: { $connect: ok, slow: slow.handler, $default: echo },
      replies: ['slow', '$default'],
      timeoutMs: 5000,
    });
    const { client, id } = await gateway.connectWithId();
    client.send({ action: 'slow' });
    await gateway.invoked('slow');
    gateway.clock.advance(4999);
    client.send('not yet');
    expect(await client.next()).toBe('not yet');
    gateway.clock.advance(1);
    expect(await client.next()).toMatch(errorFrame('Endpoint request timed out', id));
    slow.release({ statusCode: 200, body: 'too late' });
    client.send('open');
    expect(await client.next()).toBe('open');
  });

  it.each([200, 500])('are the body that the handler returns, with a %i as well', async (statusCode) => {
    const gateway = await startGateway({
      handlers: { $connect: ok, $default: ({ body }) => ({ statusCode, body }) },
      replies: ['$default'],
    });
    const client = await gateway.connect();
    client.send('grüße');
    expect(await client.next()).toBe('grüße');
  });

  it('are the body without a status code, too', async () => {
    const gateway = await startGateway({
      handlers: { $connect: () => ({}), $default: ({ body }) => ({ body }) },
      replies: ['$default'],
    });
    const client = await gateway.connect();
    client.send('hello');
    expect(await client.next()).toBe('hello');
  });

  it('are nothing without a route response, and nothing without a body', async () => {
    const gateway = await startGateway({
      handlers: { $connect: echo, oneWay: echo, empty: ok, $default: echo },
      replies: ['$connect', 'empty', '$default'],
    });
    const client = await gateway.connect();
    client.send({ action: 'oneWay' });
    client.send({ action: 'empty' });
    await Promise.all([gateway.invoked('oneWay'), gateway.invoked('empty')]);
    client.send('last');
    expect(await client.next()).toBe('last');
  });

  it('come as their handlers end: one message of a connection waits for no other', async () => {
    const slow = held();
    const gateway = await startGateway({
      handlers: { $connect: ok, slow: slow.handler, $default: echo },
      replies: ['slow', '$default'],
    });
    const client = await gateway.connect();
    client.send({ action: 'slow' });
    client.send('fast');
    expect(await client.next()).toBe('fast');
    slow.release({ statusCode: 200, body: 'slow' });
    expect(await client.next()).toBe('slow');
  });

  it('to a client that left are dropped', async () => {
    const slow = held();
    const gateway = await startGateway({
      handlers: { $connect: ok, $disconnect: ok, slow: slow.handler },
      replies: ['slow'],
    });
    const client = await gateway.connect();
    client.send({ action: 'slow' });
    await gateway.invoked('slow');
    client.socket.close();
    await gateway.invoked('$disconnect');
    slow.release({ statusCode: 200, body: 'x' });
    expect((await gateway.connect()).socket.readyState).toBe(WebSocket.OPEN);
  });
});

function closeCode({ opcode, payload }: { opcode: number; payload: Buffer }): number {
  expect(opcode).toBe(0x8);
  return payload.readUInt16BE(0);
}

describe('limits', () => {
  it('take a frame of 32 KB', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    client.send('x'.repeat(32 * KIB));
    expect((await gateway.invoked('$default')).body).toHaveLength(32 * KIB);
  });

  it('close with 1009 on a frame of one byte more', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    client.send('x'.repeat(32 * KIB + 1));
    expect((await client.closed).code).toBe(1009);
    expect((await gateway.invoked('$disconnect')).requestContext.disconnectStatusCode).toBe(1009);
    expect(gateway.invokedRoutes).toEqual(['$connect', '$disconnect']);
  });

  it('handle what came before the frame that is too long, in the same packet, and nothing after it', async () => {
    const gateway = await startGateway();
    const { raw } = await gateway.connectRaw();
    const frames = ['before', 'x'.repeat(32 * KIB + 1), 'after'].map((data) =>
      clientFrame({ payload: Buffer.from(data) }),
    );
    raw.socket.write(Buffer.concat(frames));
    expect(closeCode(await raw.nextFrame())).toBe(1009);
    raw.socket.end(clientFrame({ opcode: 0x8 }));
    await gateway.invoked('$disconnect');
    expect((await gateway.invoked('$default')).body).toBe('before');
    expect(gateway.invokedRoutes).toEqual(['$connect', '$default', '$disconnect']);
  });

  it('take a message of 128 KB in four frames', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    for (const fin of [false, false, false, true]) client.socket.send('x'.repeat(32 * KIB), { fin });
    expect((await gateway.invoked('$default')).body).toHaveLength(128 * KIB);
  });

  it('close with 1009 on a message of one byte more', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    for (let frame = 0; frame < 4; frame += 1) client.socket.send('x'.repeat(32 * KIB), { fin: false });
    client.socket.send('x', { fin: true });
    expect((await client.closed).code).toBe(1009);
    expect((await gateway.invoked('$disconnect')).requestContext.disconnectStatusCode).toBe(1009);
    expect(gateway.invokedRoutes).toEqual(['$connect', '$disconnect']);
  });

  it('close with 1003 on a binary frame, and handle nothing after it', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    client.socket.send(Buffer.from('x'));
    client.socket.send('text');
    expect((await client.closed).code).toBe(1003);
    expect((await gateway.invoked('$disconnect')).requestContext.disconnectStatusCode).toBe(1003);
    expect(gateway.invokedRoutes).toEqual(['$connect', '$disconnect']);
  });

  it('close with 1007 on text that is not UTF-8', async () => {
    const gateway = await startGateway();
    const { raw } = await gateway.connectRaw();
    raw.socket.write(clientFrame({ payload: Buffer.from([0xff]) }));
    expect(closeCode(await raw.nextFrame())).toBe(1007);
    raw.socket.end();
    expect((await gateway.invoked('$disconnect')).requestContext.disconnectStatusCode).toBe(1007);
  });

  it('cut off a client that does not answer a close frame', async () => {
    const gateway = await startGateway();
    const { raw, id } = await gateway.connectRaw();
    await gateway.management.send(remove(id));
    expect(closeCode(await raw.nextFrame())).toBe(1000);
    expect((await gateway.invoked('$disconnect')).requestContext.disconnectStatusCode).toBe(1000);
  });
});

describe('time limits', () => {
  it('close after 10 minutes without a message', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    gateway.clock.advance(10 * MINUTE_MS - 1);
    client.send('alive?');
    await gateway.invoked('$default');
    gateway.clock.advance(10 * MINUTE_MS - 1);
    expect(gateway.gateway.connectionCount).toBe(1);
    gateway.clock.advance(1);
    expect(await client.closed).toEqual({ code: 1001, reason: 'Going away' });
    expect((await gateway.invoked('$disconnect')).requestContext).toMatchObject({
      disconnectStatusCode: 1001,
      disconnectReason: 'Going away',
    });
  });

  it('are put off by a post', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    gateway.clock.advance(9 * MINUTE_MS);
    await gateway.management.send(post(id, 'x'));
    gateway.clock.advance(9 * MINUTE_MS);
    await gateway.management.send(describeConnection(id));
    gateway.clock.advance(MINUTE_MS);
    expect((await client.closed).code).toBe(1001);
  });

  it('are not put off by a ping, which is answered, nor by a look at the connection', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    gateway.clock.advance(9 * MINUTE_MS);
    client.socket.ping('are you there');
    const [payload] = await once(client.socket, 'pong');
    expect(String(payload)).toBe('are you there');
    await gateway.management.send(describeConnection(id));
    gateway.clock.advance(MINUTE_MS);
    expect((await client.closed).code).toBe(1001);
    expect(gateway.invokedRoutes).not.toContain('$default');
  });

  it('close after 2 hours, whatever happens', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    for (let minutes = 0; minutes < 117; minutes += 9) {
      await gateway.management.send(post(id, 'x'));
      gateway.clock.advance(9 * MINUTE_MS);
    }
    await gateway.management.send(post(id, 'x'));
    gateway.clock.advance(3 * MINUTE_MS - 1);
    await gateway.management.send(post(id, 'x'));
    gateway.clock.advance(1);
    expect(await client.closed).toEqual({ code: 1001, reason: 'Going away' });
    expect((await gateway.invoked('$disconnect')).requestContext).toMatchObject({
      disconnectStatusCode: 1001,
      disconnectReason: 'Going away',
    });
  });
});

describe('posting to a connection', () => {
  it('delivers text and answers 200 with nothing in it', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    const { $metadata } = await gateway.management.send(post(id, 'grüße'));
    expect($metadata.httpStatusCode).toBe(200);
    expect(await client.next()).toBe('grüße');
    expect(await call(`${gateway.endpoint}/@connections/${id}`, 'POST')).toMatchObject({
      status: 200,
      body: '',
    });
    expect(await client.next()).toBe('');
  });

  it('delivers what one caller posts in its order', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    for (const data of ['1', '2', '3']) await gateway.management.send(post(id, data));
    expect([await client.next(), await client.next(), await client.next()]).toEqual(['1', '2', '3']);
  });

  it.each([
    ['@connections', '='],
    ['%40connections', '='],
    ['@connections', '%3D'],
    ['%40connections', '%3d'],
  ])('accepts %s with an id that ends in %s', async (marker, padding) => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    const path = `${marker}/${id.replace('=', padding)}?unused=1`;
    expect((await call(`${gateway.endpoint}/${path}`, 'POST')).status).toBe(200);
    expect(await client.next()).toBe('');
  });

  it('is gone for an id that never was, with the type in a header and an empty body', async () => {
    const gateway = await startGateway();
    await expect(gateway.management.send(post(UNKNOWN_ID, 'x'))).rejects.toBeInstanceOf(GoneException);
    const { status, headers, body } = await call(`${gateway.endpoint}/@connections/${UNKNOWN_ID}`, 'POST');
    expect({ status, type: headers['x-amzn-errortype'], body }).toEqual({
      status: 410,
      type: 'GoneException',
      body: '',
    });
  });

  it('is gone for a client that closed', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    client.socket.close();
    await gateway.invoked('$disconnect');
    const { management } = gateway;
    await expect(management.send(post(id, 'x'))).rejects.toBeInstanceOf(GoneException);
    await expect(management.send(describeConnection(id))).rejects.toBeInstanceOf(GoneException);
    await expect(management.send(remove(id))).rejects.toBeInstanceOf(GoneException);
  });

  it.each(['abc', 'L0SM9cOFvHcCIhw', '%zz'])('is a bad request for the id %s', async (id) => {
    const gateway = await startGateway();
    await expect(gateway.management.send(post(id, 'x'))).rejects.toMatchObject({
      name: 'BadRequestException',
      message: `Invalid connectionId: ${id}`,
      $metadata: { httpStatusCode: 400 },
    });
  });

  it('is gone from inside $connect, and works after the 101', async () => {
    const attempts: unknown[] = [];
    const gateway = await startGateway({
      handlers: {
        $connect: async ({ requestContext: { connectionId } }) => {
          const posted = gateway.management.send(post(connectionId, 'x'));
          attempts.push(await posted.catch((error) => error.name));
          const described = gateway.management.send(describeConnection(connectionId));
          attempts.push(await described.catch((error) => error.name));
          return { statusCode: 200 };
        },
      },
    });
    const { client, id } = await gateway.connectWithId();
    expect(attempts).toEqual(['GoneException', 'GoneException']);
    await gateway.management.send(post(id, 'now'));
    expect(await client.next()).toBe('now');
  });

  it('takes 128 KB, in frames of at most 32 KB that make one message', async () => {
    const gateway = await startGateway();
    const { raw, id } = await gateway.connectRaw();
    await gateway.management.send(post(id, 'x'.repeat(128 * KIB)));
    const frames = [
      await raw.nextFrame(),
      await raw.nextFrame(),
      await raw.nextFrame(),
      await raw.nextFrame(),
    ];
    expect(frames.map(({ opcode, fin, payload }) => [opcode, fin, payload.length])).toEqual([
      [1, false, 32 * KIB],
      [0, false, 32 * KIB],
      [0, false, 32 * KIB],
      [0, true, 32 * KIB],
    ]);
  });

  it('keeps a message whole whose characters lie across frames', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    const data = `x${'é'.repeat(40 * KIB)}`;
    await gateway.management.send(post(id, data));
    expect(await client.next()).toBe(data);
  });

  it('refuses one byte more with 413, and delivers nothing of it', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    await expect(gateway.management.send(post(id, 'x'.repeat(128 * KIB + 1)))).rejects.toBeInstanceOf(
      PayloadTooLargeException,
    );
    await gateway.management.send(post(id, 'small'));
    expect(await client.next()).toBe('small');
  });

  it('replaces bytes that are no text, so that the connection survives them', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    await gateway.management.send(post(id, Uint8Array.of(0x61, 0xff, 0x62)));
    expect(await client.next()).toBe('a\uFFFDb');
  });

  it('is refused with 429 while a client does not read, and works again once it does', async () => {
    const gateway = await startGateway();
    const { raw, id } = await gateway.connectRaw();
    const other = await gateway.connectWithId();
    raw.socket.pause();
    const posted = await postUntilFull(() => gateway.management.send(post(id, 'x'.repeat(128 * KIB))));
    await gateway.management.send(post(other.id, 'not held up'));
    expect(await other.client.next()).toBe('not held up');
    raw.socket.resume();
    for (let frame = 0; frame < 4 * posted; frame += 1) await raw.nextFrame();
    await gateway.management.send(post(id, 'caught up'));
    expect((await raw.nextFrame()).payload.toString()).toBe('caught up');
  });

  it('that races a close delivers or is gone, nothing else', async () => {
    const gateway = await startGateway();
    for (const end of ['close', 'terminate'] as const) {
      const { client, id } = await gateway.connectWithId();
      const posts = Array.from({ length: 40 }, async (_, index) => {
        if (index === 20) client.socket[end]();
        return gateway.management.send(post(id, 'x')).then(
          ({ $metadata }) => $metadata.httpStatusCode,
          (error) => error.name,
        );
      });
      const outcomes = new Set(await Promise.all(posts));
      outcomes.delete(200);
      expect([...outcomes].filter((outcome) => outcome !== 'GoneException')).toEqual([]);
      await gateway.invoked('$disconnect');
      await expect(gateway.management.send(post(id, 'x'))).rejects.toBeInstanceOf(GoneException);
    }
  });
});

/** More than any kernel buffers on a loopback connection, in posts of 128 KB. */
const POSTS_MAX = 2000;

async function postUntilFull(postOnce: () => Promise<unknown>): Promise<number> {
  for (let posted = 0; posted < POSTS_MAX; posted += 1) {
    const error = await postOnce().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) continue;
    expect(error).toBeInstanceOf(LimitExceededException);
    return posted;
  }
  throw new Error(`expected a 429 within ${POSTS_MAX} posts, got none`);
}

describe('describing a connection', () => {
  it('tells when it connected, when it was last active, and who it is', async () => {
    const gateway = await startGateway();
    await gateway.connect({ headers: { 'User-Agent': 'test' } });
    const id = (await gateway.invoked('$connect')).requestContext.connectionId;
    gateway.clock.advance(1000);
    expect(await gateway.management.send(describeConnection(id))).toMatchObject({
      ConnectedAt: new Date(NOW),
      LastActiveAt: new Date(NOW),
      Identity: { SourceIp: '127.0.0.1', UserAgent: 'test' },
    });
  });

  it('moves the last activity with messages in either direction', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    const lastActiveAt = async () =>
      (await gateway.management.send(describeConnection(id))).LastActiveAt?.getTime();
    gateway.clock.advance(1000);
    client.send('in');
    await gateway.invoked('$default');
    expect(await lastActiveAt()).toBe(NOW + 1000);
    gateway.clock.advance(1000);
    await gateway.management.send(post(id, 'out'));
    expect(await lastActiveAt()).toBe(NOW + 2000);
  });
});

describe('deleting a connection', () => {
  it('closes it with 1000 and tells $disconnect; a second time it is gone', async () => {
    const gateway = await startGateway();
    const { client, id } = await gateway.connectWithId();
    expect((await gateway.management.send(remove(id))).$metadata.httpStatusCode).toBe(204);
    await expect(gateway.management.send(remove(id))).rejects.toBeInstanceOf(GoneException);
    expect((await client.closed).code).toBe(1000);
    expect((await gateway.invoked('$disconnect')).requestContext).toMatchObject({
      connectionId: id,
      disconnectStatusCode: 1000,
      disconnectReason: 'Connection Closed Normally',
    });
  });

  it('ends it at once: what the client sends before it hears of it is not handled', async () => {
    const gateway = await startGateway();
    const { raw, id } = await gateway.connectRaw();
    await gateway.management.send(remove(id));
    raw.socket.end(
      Buffer.concat([clientFrame({ payload: Buffer.from('late') }), clientFrame({ opcode: 0x8 })]),
    );
    await gateway.invoked('$disconnect');
    expect(gateway.invokedRoutes).toEqual(['$connect', '$disconnect']);
  });
});

describe('other calls', () => {
  it('to another stage are forbidden', async () => {
    const gateway = await startGateway();
    const { id } = await gateway.connectWithId();
    const { status, headers, body } = await call(
      `http://127.0.0.1:${gateway.port}/dev/@connections/${id}`,
      'POST',
    );
    expect({ status, type: headers['x-amzn-errortype'], body }).toEqual({
      status: 403,
      type: 'ForbiddenException',
      body: '{"message":"Forbidden"}',
    });
  });

  it('with a method that is none of the three are 403, like any resource that does not exist', async () => {
    const gateway = await startGateway();
    const { id } = await gateway.connectWithId();
    const { status, body } = await call(`${gateway.endpoint}/@connections/${id}`, 'PUT');
    expect({ status, body }).toEqual({ status: 403, body: '{"message":"Missing Authentication Token"}' });
  });

  it('to a path that is not the stage’s are left to others', async () => {
    const gateway = await startGateway();
    expect((await call(`http://127.0.0.1:${gateway.port}/console`)).status).toBe(404);
  });
});

describe('faults that a test injects', () => {
  it('answer before anything else is looked at', async () => {
    const seen: string[][] = [];
    const gateway = await startGateway({
      faults: {
        management: (method, id) => {
          seen.push([method, id]);
          return { outcome: 500 };
        },
      },
    });
    const { client, id } = await gateway.connectWithId();
    await expect(gateway.management.send(post(id, 'x'))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 500 },
    });
    await expect(gateway.management.send(describeConnection('abc'))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 500 },
    });
    expect(seen).toEqual([
      ['POST', id],
      ['GET', 'abc'],
    ]);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
  });

  it.each([
    [410, 'GoneException'],
    [429, 'LimitExceededException'],
    [403, 'ForbiddenException'],
    [413, 'PayloadTooLargeException'],
  ])('of %i are a %s to the SDK', async (status, name) => {
    const gateway = await startGateway({ faults: { management: () => ({ outcome: status }) } });
    await expect(gateway.management.send(post(UNKNOWN_ID, 'x'))).rejects.toMatchObject({ name });
  });

  it('may be an answer that never comes, which holds up nobody else', async () => {
    let hangs = true;
    const gateway = await startGateway({
      faults: { management: () => (hangs ? { outcome: 'hang' } : undefined) },
    });
    const { client, id } = await gateway.connectWithId();
    const hung = get(`${gateway.endpoint}/@connections/${id}`, { agent: false });
    hung.on('error', () => {});
    let answered = false;
    hung.once('response', () => {
      answered = true;
    });
    hung.flushHeaders();
    await call(gateway.endpoint); // by now the first request is in
    hangs = false;
    await gateway.management.send(post(id, 'x'));
    expect(await client.next()).toBe('x');
    expect(answered).toBe(false);
    hung.destroy();
  });
});

describe('closing the gateway', () => {
  it('closes every socket with 1001 and waits for the last $disconnect', async () => {
    const disconnect = held();
    const gateway = await startGateway({ handlers: { $connect: ok, $disconnect: disconnect.handler } });
    const clients = [await gateway.connect(), await gateway.connect()];
    let isClosed = false;
    const closing = gateway.gateway.close().then(() => {
      isClosed = true;
    });
    expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual([
      { code: 1001, reason: 'Going away' },
      { code: 1001, reason: 'Going away' },
    ]);
    await Promise.all([gateway.invoked('$disconnect'), gateway.invoked('$disconnect')]);
    await call(gateway.endpoint); // a whole round trip later …
    expect(isClosed).toBe(false);
    disconnect.release({ statusCode: 200 });
    await closing;
    expect(gateway.gateway.connectionCount).toBe(0);
  });

  it('drops handshakes that are still pending', async () => {
    const connect = held();
    const gateway = await startGateway({ handlers: { $connect: connect.handler, $disconnect: ok } });
    const socket = new WebSocket(gateway.url);
    const failed = once(socket, 'error');
    await gateway.invoked('$connect');
    await gateway.gateway.close();
    await failed;
    connect.release({ statusCode: 200 });
    expect(gateway.invokedRoutes).toEqual(['$connect']);
  });

  it('refuses further handshakes with 503', async () => {
    const gateway = await startGateway();
    await gateway.gateway.close();
    expect((await refusal(new WebSocket(gateway.url))).status).toBe(503);
  });

  it('leaves no timer behind', async () => {
    const gateway = await startGateway();
    const client = await gateway.connect();
    client.send('x');
    await gateway.invoked('$default');
    client.socket.close();
    await client.closed;
    await gateway.gateway.close();
    expect(gateway.clock.waiting).toBe(0);
  });
});
