import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from './clients.ts';
import { ORIGIN, openTarget, type Target, TIMEOUT_MS } from './target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target?.close());

const id = expect.stringMatching(/^[A-Za-z0-9_-]{15}=$/);
const text = expect.any(String);
const epochMs = expect.any(Number);

/** What every event says of its request and of its connection. */
const commonContext = {
  extendedRequestId: id,
  requestTime: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
  messageDirection: 'IN',
  stage: 'main',
  connectedAt: epochMs,
  requestTimeEpoch: epochMs,
  requestId: id,
  domainName: expect.stringMatching(/^[a-z0-9]+\.execute-api\.[a-z0-9-]+\.amazonaws\.com$/),
  connectionId: id,
  apiId: text,
};

/** Connects, does `close`, and answers with what $disconnect was told. */
async function disconnected(close: (client: { socket: import('ws').WebSocket }) => void) {
  const { client, id } = await target.stages.main.connect();
  close(client);
  return target.observations.event(id, 'DISCONNECT');
}

describe('events', { timeout: TIMEOUT_MS }, () => {
  it('EV-CONNECT has exactly the keys of AWS, every value of a header, and headers in the client’s case', async () => {
    const { stages, observations } = target;
    const raw = await RawClient.connect(stages.main.url, [
      `Origin: ${ORIGIN}`,
      'User-Agent: conformance',
      'x-MIXED-case: 1',
      'X-Twice: a',
      'X-Twice: b',
    ]);
    const { connectionId } = await raw.ask({ action: 'pub' });
    const event = await observations.event(connectionId, 'CONNECT');
    raw.socket.destroy();

    const single: Record<string, unknown> = {
      Host: event.requestContext.domainName,
      Origin: ORIGIN,
      'User-Agent': 'conformance',
      'x-MIXED-case': '1',
      'Sec-WebSocket-Key': text,
      'Sec-WebSocket-Version': '13',
      'X-Amzn-Trace-Id': expect.stringMatching(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}/),
      'X-Forwarded-For': expect.stringContaining(event.requestContext.identity.sourceIp),
      'X-Forwarded-Port': '443',
      'X-Forwarded-Proto': 'https',
    };
    const multiple = Object.fromEntries(Object.entries(single).map(([name, value]) => [name, [value]]));
    expect(event).toEqual({
      headers: { ...single, 'X-Twice': expect.stringMatching(/^[ab]$/) },
      multiValueHeaders: { ...multiple, 'X-Twice': ['a', 'b'] },
      requestContext: {
        ...commonContext,
        routeKey: '$connect',
        eventType: 'CONNECT',
        identity: { userAgent: 'conformance', sourceIp: text },
      },
      isBase64Encoded: false,
    });

    const { client, name } = await stages.main.connect({ empty: '', a: 'ä b' });
    await client.close();
    const query = { case: name, empty: '', a: 'ä b' };
    expect(await observations.event(name, 'CONNECT')).toMatchObject({
      queryStringParameters: query,
      multiValueQueryStringParameters: { case: [name], empty: [''], a: ['ä b'] },
    });
  });

  it('EV-MESSAGE has exactly the keys of AWS: no headers, one request id twice, a message id', async () => {
    const { stages, observations } = target;
    const { client, id: connectionId } = await stages.main.connect();
    const body = '{"action":"pub", "data":"ä"}';
    await client.ask(body);
    await client.close();
    const connect = (await observations.event(connectionId, 'CONNECT')).requestContext;
    const event = await observations.event(connectionId, 'MESSAGE');
    expect(event).toEqual({
      requestContext: {
        ...commonContext,
        routeKey: 'pub',
        messageId: id,
        eventType: 'MESSAGE',
        identity: { sourceIp: text },
        connectedAt: connect.connectedAt,
        extendedRequestId: event.requestContext.requestId,
        connectionId,
        apiId: connect.apiId,
        domainName: connect.domainName,
      },
      body,
      isBase64Encoded: false,
    });
    const { requestId, messageId } = event.requestContext;
    expect(new Set([requestId, messageId, connectionId, connect.requestId]).size).toBe(4);
  });

  it('EV-DISC-1005 tells $disconnect in words that the client closed without a code', async () => {
    const { requestContext } = await disconnected(({ socket }) => socket.close());
    expect(requestContext).toMatchObject({
      disconnectStatusCode: 1005,
      disconnectReason: 'Client-side close frame status not set',
    });
  });

  it('EV-DISC-CODE tells $disconnect the code and the reason of the client [inference]', async () => {
    const [away, own] = await Promise.all([
      disconnected(({ socket }) => socket.close(1001)),
      disconnected(({ socket }) => socket.close(4001, 'x')),
    ]);
    expect(away.requestContext).toMatchObject({ disconnectStatusCode: 1001, disconnectReason: '' });
    expect(own.requestContext).toMatchObject({ disconnectStatusCode: 4001, disconnectReason: 'x' });
  });

  it('EV-DISC-HDR has exactly the keys of AWS, and four headers whatever the client sent', async () => {
    const event = await disconnected(({ socket }) => socket.close());
    const { domainName } = event.requestContext;
    expect(event).toEqual({
      headers: { Host: domainName, 'x-api-key': '', 'X-Forwarded-For': '', 'x-restapi': '' },
      multiValueHeaders: {
        Host: [domainName],
        'x-api-key': [''],
        'X-Forwarded-For': [''],
        'x-restapi': [''],
      },
      requestContext: {
        ...commonContext,
        routeKey: '$disconnect',
        eventType: 'DISCONNECT',
        disconnectStatusCode: 1005,
        disconnectReason: text,
        identity: { sourceIp: text },
      },
      isBase64Encoded: false,
    });
  });
});
