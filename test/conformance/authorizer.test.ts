import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client, refusal } from './clients.ts';
import { openTarget, type Target, TIMEOUT_MS, tell } from './target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target?.close());

/** The status of a handshake that is refused. */
async function statusOf(token: string, name = randomUUID()): Promise<number | undefined> {
  const { status } = await refusal(new Client(target.stages.token.at({ case: name, token })));
  return status;
}

/** Who was invoked in this case: once a later handshake of the same case is through, whoever was to be has been. */
async function invokedIn(name: string): Promise<string[]> {
  const client = await new Client(target.stages.token.at({ case: name, token: 'allow' })).opened();
  await client.close();
  return (await target.observations.of(name)).map(({ source }) => source).sort();
}

describe('authorizer', { timeout: TIMEOUT_MS }, () => {
  it('AU-ALLOW tells every event of the connection who it is, in texts [inference]', async () => {
    const { client, id } = await target.stages.token.connect({ token: 'allow' });
    await client.ask('a message');
    await client.close();
    for (const eventType of ['CONNECT', 'MESSAGE', 'DISCONNECT'] as const) {
      const { authorizer } = (await target.observations.event(id, eventType)).requestContext;
      tell('g', { [eventType]: authorizer });
      expect(authorizer).toMatchObject({ principalId: 'alice', name: 'Alice', level: '7', isAdmin: 'true' });
    }
  });

  it('AU-DENY is refused with 403 before $connect hears of it [inference]', async () => {
    const name = randomUUID();
    expect(await statusOf('deny', name)).toBe(403);
    expect(await invokedIn(name)).toEqual(['authorizer', 'authorizer', 'route']);
  });

  it('AU-ARN is refused with 403 when only another route is allowed, accepted when the stage is [inference]', async () => {
    expect(await statusOf('allow another')).toBe(403);
    const { client } = await target.stages.token.connect({ token: 'allow stage' });
    await client.close();
  });

  it('AU-401 is refused with 401 when the authorizer throws Unauthorized', async () => {
    expect(await statusOf('unauthorized')).toBe(401);
  });

  it('AU-IDSRC is refused with 401 without an identity source, and nobody is asked', async () => {
    const { token, header } = target.stages;
    const name = randomUUID();
    const refusals = [
      new Client(token.at({ case: name })),
      new Client(token.at({ case: name, token: '' })),
      new Client(header.at({ case: name })),
      new Client(header.at({ case: name, token: 'allow' })),
    ].map(refusal);
    expect((await Promise.all(refusals)).map(({ status }) => status)).toEqual([401, 401, 401, 401]);
    expect(await invokedIn(name)).toEqual(['authorizer', 'route']);

    const { client } = await header.connect({}, { headers: { 'x-tOKEN': 'allow' } });
    await client.close();
  });

  it('AU-ERR is refused with 500 when the authorizer fails, or says nothing that makes sense [inference]', async () => {
    const tokens = ['fail', 'no policy', 'nested context', 'status'];
    expect(await Promise.all(tokens.map((token) => statusOf(token)))).toEqual([500, 500, 500, 500]);
  });

  it('AU-NOCACHE asks the authorizer every time, whatever it said before', async () => {
    const name = randomUUID();
    expect(await invokedIn(name)).toEqual(['authorizer', 'route']);
    expect(await invokedIn(name)).toEqual(['authorizer', 'authorizer', 'route', 'route']);
  });

  it('AU-EVENT has the keys of an authorizer’s event, with Connection and Upgrade, and no body', async () => {
    const { token } = target.stages;
    const { client, id } = await token.connect({ token: 'allow' });
    await client.close();
    const { event } = await target.observations.when(id, ({ source }) => source === 'authorizer');
    expect(Object.keys(event).sort()).toEqual([
      'headers',
      'methodArn',
      'multiValueHeaders',
      'multiValueQueryStringParameters',
      'queryStringParameters',
      'requestContext',
      'stageVariables',
      'type',
    ]);
    const { requestContext, methodArn } = event;
    expect(event).toMatchObject({
      type: 'REQUEST',
      headers: {
        Connection: expect.stringMatching(/^upgrade$/i),
        Upgrade: 'websocket',
        'content-length': '0',
      },
      queryStringParameters: { token: 'allow' },
      multiValueQueryStringParameters: { token: ['allow'] },
      stageVariables: {},
    });
    const { apiId, stage } = requestContext;
    expect(methodArn).toMatch(/^arn:aws:execute-api:[a-z0-9-]+:\d{12}:/);
    expect(methodArn.endsWith(`:${apiId}/${stage}/$connect`)).toBe(true);
    const { requestContext: connect } = await target.observations.event(id, 'CONNECT');
    expect(requestContext).toEqual({
      routeKey: '$connect',
      eventType: 'CONNECT',
      extendedRequestId: requestContext.requestId,
      requestTime: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
      messageDirection: 'IN',
      stage: 'token',
      connectedAt: connect.connectedAt,
      requestTimeEpoch: expect.any(Number),
      identity: { sourceIp: connect.identity.sourceIp },
      requestId: expect.stringMatching(/^[A-Za-z0-9_-]{15}=$/),
      domainName: connect.domainName,
      connectionId: id,
      apiId: connect.apiId,
    });
  });

  it('AU-SUB sees a token among the subprotocols, and $connect agrees to another one', async () => {
    const { stages, observations } = target;
    // As long as that of an identity provider may well be.
    const bearer = `bearer.${'eyJhbGciOiJFUzI1NiJ9.'.repeat(70)}_-0`;
    const offered = { protocols: ['fanwire', bearer] };
    const { client, id } = await stages.token.connect({ token: 'allow', protocol: 'fanwire' }, offered);
    expect(client.socket.protocol).toBe('fanwire');
    const { event: asked } = await observations.when(id, ({ source }) => source === 'authorizer');
    for (const { headers, multiValueHeaders } of [asked, await observations.event(id, 'CONNECT')]) {
      expect(headers['Sec-WebSocket-Protocol'].replaceAll(' ', '')).toBe(`fanwire,${bearer}`);
      expect(multiValueHeaders['Sec-WebSocket-Protocol']).toEqual([headers['Sec-WebSocket-Protocol']]);
    }
    await client.close();
  });

  it('AU-SIZE hands on a result of 8 KB, and refuses with 500 one of a byte more [inference]', async () => {
    const { client, id } = await target.stages.token.connect({ token: `${8 * 1024} bytes` });
    await client.ask('a message');
    const { requestContext } = await target.observations.event(id, 'MESSAGE');
    expect(requestContext.authorizer.padding).toMatch(/^x{7900,8192}$/);
    await client.close();
    expect(await statusOf(`${8 * 1024 + 1} bytes`)).toBe(500);
  });
});
