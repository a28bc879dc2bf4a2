import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createHttpApi, type HttpApiSettings } from '../../../../infra/local/apigateway/http/api.ts';
import type { CorsSettings } from '../../../../infra/local/apigateway/http/cors.ts';
import type { HttpApiEvent } from '../../../../infra/local/apigateway/http/event.ts';
import { Throttle } from '../../../../infra/local/apigateway/throttle.ts';
import { LocalServer } from '../../../../infra/local/http/server.ts';
import type { Invocation } from '../../../../infra/local/lambda/invoke.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

type Handler = (event: HttpApiEvent) => unknown;

interface Options extends Partial<Pick<HttpApiSettings, 'cors' | 'stages'>> {
  readonly routes?: Readonly<Record<string, Handler>>;
  readonly handler?: Handler;
  readonly requestsMax?: number;
}

const FAILURE: Invocation = { ok: false, reason: 'threw', errorType: 'Error', errorMessage: 'secret' };

/** An API behind the real server, whose functions and clock belong to the test. */
async function start({
  handler = () => 'ok',
  routes = { $default: handler },
  stages = new Map([['$default', {}]]),
  cors,
  requestsMax = 100,
}: Options) {
  const clock = new ManualClock();
  const events: HttpApiEvent[] = [];
  const throttle = new Throttle(clock, { requests: { perSecond: 1, burst: requestsMax } });
  const api = createHttpApi(
    {
      ...{ apiId: 'abcd123456', region: 'eu-west-1', accountId: '000000000000', stages },
      domainName: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
      routes: Object.keys(routes).map((key) => ({ key, functionArn: key, timeoutMs: 30_000 })),
      ...(cors && { cors }),
    },
    {
      ...{ clock, throttle, randomBytes: (size: number) => Buffer.alloc(size) },
      invoke: async (key, event) => {
        events.push(event as HttpApiEvent);
        try {
          // As it comes from a thread: through JSON.
          const payload = JSON.stringify(await routes[key]?.(event as HttpApiEvent));
          return { ok: true, payload: payload === undefined ? undefined : JSON.parse(payload) };
        } catch {
          return FAILURE;
        }
      },
    },
  );
  const server = new LocalServer(() => {});
  const port = await server.listen(0);
  onTestFinished(() => server.close());
  server.serve({
    ...{ gateways: new Map(), engines: new Map(), serviceNames: [], files: new Map(), health: {} },
    httpApis: new Map([['/_http/abcd123456', api]]),
  });
  const url = `http://localhost:${port}/_http/abcd123456`;
  return { clock, events, port, url, fetch: (path: string, init?: RequestInit) => fetch(url + path, init) };
}

describe('the event of a request', () => {
  it('has exactly the keys of AWS', async () => {
    const { fetch, events } = await start({ routes: { 'POST /pets/{id}': () => 'ok' } });
    await fetch('/pets/a%20b?q=1&q=a%2Cb&r=', {
      method: 'POST',
      body: '{"a":1}',
      headers: {
        ...{ 'Content-Type': 'application/json', 'X-Own': 'Ü', 'User-Agent': 'test', Accept: '*/*' },
        ...{ Cookie: 'a=1; b=2', 'X-Forwarded-For': '192.0.2.1', 'X-Amzn-Trace-Id': 'Root=mine' },
        ...{ 'Accept-Language': 'de', 'Sec-Fetch-Mode': 'cors', 'Accept-Encoding': 'gzip' },
      },
    });
    expect(events).toEqual([
      {
        version: '2.0',
        routeKey: 'POST /pets/{id}',
        rawPath: '/pets/a b',
        rawQueryString: 'q=1&q=a%2Cb&r=',
        cookies: ['a=1', 'b=2'],
        headers: {
          accept: '*/*',
          'accept-encoding': 'gzip',
          'accept-language': 'de',
          'content-length': '7',
          'content-type': 'application/json',
          host: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
          'sec-fetch-mode': 'cors',
          'user-agent': 'test',
          'x-amzn-trace-id': `Root=1-65abb49c-${'0'.repeat(24)}`,
          'x-forwarded-for': '192.0.2.1, 127.0.0.1',
          'x-forwarded-port': '443',
          'x-forwarded-proto': 'https',
          'x-own': expect.any(String),
        },
        queryStringParameters: { q: '1,a,b', r: '' },
        requestContext: {
          accountId: '000000000000',
          apiId: 'abcd123456',
          domainName: 'abcd123456.execute-api.eu-west-1.amazonaws.com',
          domainPrefix: 'abcd123456',
          http: {
            method: 'POST',
            path: '/pets/a b',
            protocol: 'HTTP/1.1',
            sourceIp: '127.0.0.1',
            userAgent: 'test',
          },
          requestId: 'AAAAAAAAAAAAAAA=',
          routeKey: 'POST /pets/{id}',
          stage: '$default',
          time: '20/Jan/2024:11:55:08 +0000',
          timeEpoch: Date.UTC(2024, 0, 20, 11, 55, 8),
        },
        body: '{"a":1}',
        pathParameters: { id: 'a b' },
        isBase64Encoded: false,
      },
    ]);
  });

  it('has no key without values', async () => {
    const { fetch, events } = await start({});
    await fetch('');
    expect(Object.keys(events[0] ?? {}).sort()).toEqual(
      [
        'version',
        'routeKey',
        'rawPath',
        'rawQueryString',
        'headers',
        'requestContext',
        'isBase64Encoded',
      ].sort(),
    );
    expect(events[0]).toMatchObject({ rawPath: '/', rawQueryString: '', isBase64Encoded: false });
  });

  it('has headers that came more than once joined with a comma', async () => {
    const { port, events } = await start({});
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'GET /_http/abcd123456/ HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nx-a: 2\r\nAuthorization: a\r\n' +
        'Authorization: b\r\nConnection: close\r\n\r\n',
    );
    expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /);
    expect(events[0]?.headers).toMatchObject({ 'x-a': '1,2', authorization: 'a,b' });
    expect(events[0]?.headers).not.toHaveProperty('connection');
  });

  it.each([
    ['text/csv', false],
    ['TEXT/plain; charset=utf-8', false],
    ['application/json;charset=utf-8', false],
    ['application/xml', false],
    ['application/javascript', false],
    ['application/x-www-form-urlencoded', true],
    ['application/octet-stream', true],
    ['application/vnd.api+json', true],
    ['multipart/form-data; boundary=x', true],
    ['', true],
  ])('with a body of type "%s" says whether it is in base64: %s', async (type, isBase64Encoded) => {
    const { fetch, events } = await start({});
    await fetch('/', { method: 'PUT', body: Buffer.from('Grüße'), headers: { 'content-type': type } });
    const body = isBase64Encoded ? Buffer.from('Grüße').toString('base64') : 'Grüße';
    expect(events[0]).toMatchObject({ body, isBase64Encoded });
  });

  it.each([
    ['/prod/pets/1', 'prod', '/prod/pets/1', { color: 'blue' }],
    ['/pets/1', '$default', '/pets/1', undefined],
  ])('of %s is of the stage %s', async (path, stage, rawPath, stageVariables) => {
    const { fetch, events } = await start({
      routes: { 'GET /pets/{id}': () => 'ok' },
      stages: new Map([
        ['$default', {}],
        ['prod', { color: 'blue' }],
      ]),
    });
    expect((await fetch(path)).status).toBe(200);
    expect(events[0]).toMatchObject({
      ...{ rawPath, requestContext: { stage, http: { path: rawPath } }, pathParameters: { id: '1' } },
    });
    expect(events[0]?.stageVariables).toEqual(stageVariables);
  });
});

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain;charset=UTF-8';

describe('what a function returns', () => {
  it.each<[unknown, number, string, string]>([
    ['hello', 200, JSON_TYPE, 'hello'],
    [{ a: 1 }, 200, JSON_TYPE, '{"a":1}'],
    [{ body: 'x' }, 200, JSON_TYPE, '{"body":"x"}'],
    [[1], 200, JSON_TYPE, '[1]'],
    [7, 200, JSON_TYPE, '7'],
    [null, 200, JSON_TYPE, 'null'],
    [undefined, 200, JSON_TYPE, 'null'],
    [{ statusCode: 404 }, 404, TEXT_TYPE, ''],
    [{ statusCode: 201, body: 'hi' }, 201, TEXT_TYPE, 'hi'],
    [{ statusCode: 200, body: 'hi', headers: { 'Content-Type': 'text/html' } }, 200, 'text/html', 'hi'],
    [{ statusCode: 200, body: 'R3LDvMOfZQ==', isBase64Encoded: true }, 200, TEXT_TYPE, 'Grüße'],
    [{ statusCode: 200, body: 'hi', multiValueHeaders: {} }, 200, TEXT_TYPE, 'hi'],
  ])('%j is an answer', async (returned, status, type, body) => {
    const { fetch } = await start({ handler: () => returned });
    const response = await fetch('/');
    expect([response.status, response.headers.get('content-type')]).toEqual([status, type]);
    expect(await response.text()).toBe(body);
    expect(response.headers.get('apigw-requestid')).toBe('AAAAAAAAAAAAAAA=');
  });

  it('may have headers, and cookies each in a line of its own', async () => {
    const { fetch } = await start({
      handler: () => ({
        statusCode: 200,
        headers: { 'X-Count': 1, 'x-yes': true, 'Content-Length': '999', connection: 'close' },
        cookies: ['a=1; Secure', 'b=2'],
        body: 'four',
      }),
    });
    const { headers } = await fetch('/');
    expect(headers.getSetCookie()).toEqual(['a=1; Secure', 'b=2']);
    expect([headers.get('x-count'), headers.get('x-yes'), headers.get('content-length')]).toEqual([
      ...['1', 'true', '4'],
    ]);
  });

  it.each([
    { statusCode: '200' },
    { statusCode: null },
    { statusCode: 99 },
    { statusCode: 101 },
    { statusCode: 200, body: { a: 1 } },
    { statusCode: 200, headers: { a: ['b'] } },
    { statusCode: 200, headers: { 'a b': 'c' } },
    { statusCode: 200, headers: { a: 'b\r\nset-cookie: c' } },
    { statusCode: 200, cookies: 'a=1' },
    { statusCode: 200, cookies: ['a=1\r\nx: y'] },
    { statusCode: 200, isBase64Encoded: 'yes' },
  ])('%j is none', async (returned) => {
    const { fetch } = await start({ handler: () => returned });
    const response = await fetch('/');
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('{"message":"Internal Server Error"}');
  });
});

describe('the API itself answers', () => {
  const said = async (response: Response) => [
    response.status,
    response.headers.get('content-type'),
    await response.text(),
  ];

  it('500 for a function that fails, without its words', async () => {
    const { fetch } = await start({
      handler: () => {
        throw new Error('secret');
      },
    });
    expect(await said(await fetch('/'))).toEqual([500, JSON_TYPE, '{"message":"Internal Server Error"}']);
  });

  it('503 for one that takes too long', async () => {
    const entered = Promise.withResolvers<void>();
    const { fetch, clock } = await start({
      handler: () => {
        entered.resolve();
        return new Promise(() => {});
      },
    });
    const response = fetch('/');
    await entered.promise;
    clock.advance(30_000);
    expect(await said(await response)).toEqual([503, JSON_TYPE, '{"message":"Service Unavailable"}']);
  });

  it.each(['/other', '/prod/pets', '/%24default/pets'])('404 for %s, which is no route', async (path) => {
    const { fetch, events } = await start({ routes: { 'GET /pets': () => 'ok' } });
    expect(await said(await fetch(path))).toEqual([404, JSON_TYPE, '{"message":"Not Found"}']);
    expect(events).toEqual([]);
  });

  it('404 where no stage is', async () => {
    const { fetch } = await start({ stages: new Map([['prod', {}]]) });
    expect((await fetch('/pets')).status).toBe(404);
    expect((await fetch('/prod')).status).toBe(200);
  });

  it('413 for a body of more than 10 MB, and takes one of 10 MB', async () => {
    const { fetch, events } = await start({});
    const put = (bytes: number) => fetch('/', { method: 'PUT', body: Buffer.alloc(bytes) });
    expect(await said(await put(10 * 1024 * 1024 + 1))).toEqual([
      ...[413, JSON_TYPE, '{"message":"Request Entity Too Large"}'],
    ]);
    expect((await put(10 * 1024 * 1024)).status).toBe(200);
    expect(events).toHaveLength(1);
  });

  it('429 for more requests than the account may make', async () => {
    const { fetch } = await start({ requestsMax: 1 });
    expect((await fetch('/')).status).toBe(200);
    expect(await said(await fetch('/'))).toEqual([429, JSON_TYPE, '{"message":"Too Many Requests"}']);
  });

  it('nothing for another API', async () => {
    const { url } = await start({});
    for (const path of ['zzzz', '', 'abcd1234567']) {
      expect((await fetch(`${new URL(url).origin}/_http/${path}`)).status).toBe(404);
    }
  });
});

describe('pages of other origins', () => {
  const APP = 'http://app.localhost:3000';
  const FOREIGN = 'http://other.localhost:3000';
  const cors: CorsSettings = {
    ...{ allowOrigins: [APP], allowMethods: ['POST', 'GET'], allowHeaders: ['authorization', 'x-own'] },
    ...{ exposeHeaders: ['x-id'], allowCredentials: false, maxAgeSeconds: 60 },
  };
  const preflight = (origin: string) => ({
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  });
  const corsOf = ({ headers }: Response) =>
    Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));
  const said = async (response: Response) => [response.status, corsOf(response), await response.text()];
  const handler: Handler = () => ({
    ...{ statusCode: 200, body: 'ok' },
    headers: { 'Access-Control-Allow-Origin': '*', 'access-control-max-age': '1', 'x-id': '1' },
  });

  it('are told before, by the API itself, what they may', async () => {
    const { fetch, events } = await start({ cors, handler });
    expect(await said(await fetch('/any', preflight(APP)))).toEqual([
      204,
      {
        'access-control-allow-origin': APP,
        'access-control-allow-methods': 'POST,GET',
        'access-control-allow-headers': 'authorization,x-own',
        'access-control-max-age': '60',
      },
      '',
    ]);
    expect(await said(await fetch('/any', preflight(FOREIGN)))).toEqual([204, {}, '']);
    expect(events).toEqual([]);
  });

  it('get an answer with what the API says of them, whatever the function says', async () => {
    const { fetch } = await start({ cors, handler });
    const asking = async (origin: string) => said(await fetch('/', { headers: { origin } }));
    expect(await asking(APP)).toEqual([
      200,
      { 'access-control-allow-origin': APP, 'access-control-expose-headers': 'x-id' },
      'ok',
    ]);
    expect(await asking(FOREIGN)).toEqual([200, {}, 'ok']);
    expect(await said(await fetch('/'))).toEqual([200, {}, 'ok']);
  });

  it.each<[readonly string[], string | undefined]>([
    [['*'], '*'],
    [['http://*'], APP],
    [['https://*'], undefined],
    [[`${APP}/`], undefined],
    [['http://localhost:3000'], undefined],
  ])('may by %j get %s', async (allowOrigins, allowed) => {
    const { fetch } = await start({ cors: { ...cors, allowOrigins, allowCredentials: true } });
    const answered = corsOf(await fetch('/', preflight(APP)));
    expect(answered['access-control-allow-origin']).toBe(allowed);
    expect(answered['access-control-allow-credentials']).toBe(allowed && 'true');
  });

  it.each([
    ['no method', { method: 'OPTIONS', headers: { origin: APP } }],
    ['no origin', { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } }],
    ['another method', { method: 'POST', headers: { origin: APP, 'access-control-request-method': 'POST' } }],
  ])('ask a route with %s', async (_, init) => {
    const { fetch, events } = await start({ cors });
    expect((await fetch('/', init)).status).toBe(200);
    expect(events).toHaveLength(1);
  });

  it('are the function’s to answer where the API has no word', async () => {
    const { fetch, events } = await start({ handler });
    expect(corsOf(await fetch('/', preflight(APP)))).toEqual({
      ...{ 'access-control-allow-origin': '*', 'access-control-max-age': '1' },
    });
    expect(events[0]?.requestContext.http.method).toBe('OPTIONS');
  });
});
