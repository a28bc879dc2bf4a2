import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpEngine, StageEngine } from '../../infra/local/http/engine.ts';
import { Origins } from '../../infra/local/http/origins.ts';
import { LocalServer } from '../../infra/local/http/server.ts';

const MIB = 1024 * 1024;
const ENGINE_BYTES_MAX = 2 * MIB;
const SCRIPT = 'export const é = 1;\n';

/** Says how much it got. */
const echo: HttpEngine = {
  bodyBytesMax: ({ headers }) => (headers.authorization === undefined ? 0 : ENGINE_BYTES_MAX),
  handle: (_request, body, response) => response.writeHead(200).end(`got ${body.length}`) as undefined,
};
const broken: HttpEngine = {
  handle: () => {
    throw new Error('a secret of the engine');
  },
};
/** Fails when it has begun to answer. */
const halting: HttpEngine = {
  handle: (_request, _body, response) => {
    (response as ServerResponse).writeHead(200, { 'content-length': 5 }).write('hal');
    throw new Error('the second half is missing');
  },
};
const stage: StageEngine = {
  takes: ({ url }) => url === '/prod',
  upgrade: (_request, socket) => void socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
  handle: (_request, _body, response) => response.writeHead(426).end() as undefined,
};

let server: LocalServer;
let port: number;
let log: string[];
let sockets: Socket[];

beforeEach(async () => {
  log = [];
  sockets = [];
  server = new LocalServer(
    (error) => log.push(String(error)),
    new Origins(['http://host.docker.internal:4566']),
  );
  port = await server.listen(0);
  server.serve({
    gateways: new Map([['prod', stage]]),
    engines: new Map([
      ['Echo', echo],
      ['Broken', broken],
      ['Halting', halting],
    ]),
    serviceNames: ['echo', 'execute-api'],
    files: new Map([
      ['/', { contentType: 'text/html; charset=utf-8', body: '<p>' }],
      ['/fanwire.js', { contentType: 'text/javascript; charset=utf-8', body: SCRIPT }],
    ]),
    health: { ok: true },
    controls: new Map([['/_fanwire/faults', echo]]),
  });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
});

function dial(): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

/** Sends bytes as they are, and answers with what first comes back. */
async function exchange(bytes: string, socket = dial()): Promise<string> {
  socket.write(bytes);
  const [answer] = await once(socket, 'data');
  return String(answer);
}

const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n';
const HANDSHAKE =
  'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

describe('a request that would rather speak another protocol', () => {
  it.each([
    ['GET', '/fanwire.js', '200 OK', '', SCRIPT],
    ['GET', '/_fanwire/health', '200 OK', '', '"ok": true'],
    ['HEAD', '/', '200 OK', '', ''],
    ['POST', '/', '200 OK', 'X-Amz-Target: Echo.Do\r\nAuthorization: x\r\n', 'got 3'],
    ['GET', '/prod', '426 Upgrade Required', '', ''],
  ])(
    '%s %s is answered as any other, and the connection stays',
    async (method, path, status, headers, body) => {
      const socket = dial();
      const content = method === 'POST' ? 'Content-Length: 3\r\n\r\nabc' : '\r\n';
      for (let turn = 0; turn < 2; turn++) {
        const request = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${H2C}${headers}${content}`;
        const answer = await exchange(request, socket);
        expect(answer.startsWith(`HTTP/1.1 ${status}\r\n`)).toBe(true);
        expect(answer).toContain(body);
      }
    },
  );

  it.each(['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13x, WEBSOCKET,h2c'])(
    'or a WebSocket, as %j says, gets one',
    async (upgrade) => {
      const answer = await exchange(
        `GET /prod HTTP/1.1\r\nHost: localhost\r\n${HANDSHAKE}Upgrade: ${upgrade}\r\n\r\n`,
      );
      expect(answer).toBe('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    },
  );

  it('asks for no WebSocket with a POST, whose body is read', async () => {
    const headers = `${HANDSHAKE}Upgrade: websocket\r\nX-Amz-Target: Echo.Do\r\nAuthorization: x\r\n`;
    const answer = await exchange(
      `POST / HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: 3\r\n\r\nabc`,
    );
    expect(answer).toContain('got 3');
  });
});

// RFC 9112 §3.2.2: a server takes it, though only clients of proxies send it.
describe('a target in absolute form', () => {
  it.each([
    ['GET http://localhost:4566/fanwire.js', '', '200 OK', SCRIPT],
    ['GET HTTP://a/_fanwire/health?x=/y', '', '200 OK', '"ok": true'],
    ['GET http://a', '', '200 OK', '<p>'],
    ['GET http://a?x', '', '200 OK', '<p>'],
    ['GET http://a/prod', '', '426 Upgrade Required', ''],
    ['GET ws://a/prod', `${HANDSHAKE}Upgrade: websocket\r\n`, '101 Switching Protocols', ''],
    ['GET http://a/nowhere', '', '404 Not Found', ''],
  ])('is as good as its path: %s', async (target, headers, status, body) => {
    const answer = await exchange(`${target} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
    expect(answer.startsWith(`HTTP/1.1 ${status}\r\n`)).toBe(true);
    expect(answer).toContain(body);
  });
});

// Browsers let every page open a WebSocket to this machine, and send a POST as a form would; with DNS rebinding a page
// reads the answers as well.
describe('a web page of another machine', () => {
  const REQUESTS: readonly [what: string, start: string, headers: string, served: string][] = [
    ['a handshake', 'GET /prod', `${HANDSHAKE}Upgrade: websocket\r\n`, '101'],
    ['@connections', 'POST /prod', 'Content-Length: 0\r\n', '426'],
    ['an AWS service', 'POST /', 'X-Amz-Target: Echo.Do\r\nAuthorization: x\r\nContent-Length: 0\r\n', '200'],
    ['what controls the system', 'POST /_fanwire/faults', 'Content-Length: 0\r\n', '200'],
    ['its health', 'GET /_fanwire/health', '', '200'],
    ['the page', 'GET /', '', '200'],
    ['the client', 'GET /fanwire.js', '', '200'],
    ['a preflight', 'OPTIONS /fanwire.js', 'Access-Control-Request-Method: GET\r\n', '204'],
    ['what is not there', 'GET /nowhere', '', '404'],
  ];
  const send = (start: string, headers: string, from: string): Promise<string> =>
    exchange(`${start} HTTP/1.1\r\n${from}${headers}\r\n`);

  describe.each(REQUESTS)('asks for %s', (_what, start, headers, served) => {
    it.each([
      [
        'Host: localhost\r\nOrigin: https://evil.example\r\n',
        'got one of https://evil.example; --allow-origin',
      ],
      ['Host: localhost\r\nOrigin: null\r\n', 'got one of null; --allow-origin null'],
      ['Host: evil.example\r\n', 'got evil.example; --allow-origin http://evil.example'],
      [
        'Host: evil.example:4566\r\nOrigin: http://evil.example:4566\r\n',
        'http://evil.example:4566 allows it',
      ],
    ])('and gets 403, with the option that allows it: %j', async (from, message) => {
      const answer = await send(start, headers, from);
      expect(answer).toMatch(/^HTTP\/1.1 403 Forbidden\r\n/);
      expect(answer).toContain(message);
      expect(answer.toLowerCase()).not.toContain('access-control-');
    });

    it.each([
      'Host: localhost\r\n',
      'Host: 127.0.0.1:4566\r\nOrigin: http://localhost:3000\r\n',
      'Host: host.docker.internal:4566\r\nOrigin: http://host.docker.internal:4566\r\n',
    ])('but one of this machine, or one that is allowed, is served: %j', async (from) => {
      expect(await send(start, headers, from)).toMatch(new RegExp(`^HTTP/1.1 ${served} `));
    });
  });

  it('is refused while the system starts, too', async () => {
    const early = new LocalServer((error) => log.push(String(error)));
    const url = `http://127.0.0.1:${await early.listen(0)}/`;
    const statuses = ['http://localhost', 'https://evil.example'].map(
      async (origin) => (await fetch(url, { headers: { origin } })).status,
    );
    expect(await Promise.all(statuses)).toEqual([503, 403]);
    await early.close();
  });
});

describe('files', () => {
  const url = (path: string): string => `http://127.0.0.1:${port}${path}`;

  it.each(['GET', 'HEAD'])(
    'are there for %s, and for pages of other origins that are served',
    async (method) => {
      const response = await fetch(url('/fanwire.js'), { method });
      expect(response.status).toBe(200);
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(SCRIPT)));
      expect(await response.text()).toBe(method === 'GET' ? SCRIPT : '');
    },
  );

  it('say to a browser that asks first what it may do', async () => {
    const response = await fetch(url('/fanwire.js'), { method: 'OPTIONS' });
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, OPTIONS',
      'access-control-allow-headers': '*',
    });
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('take no %s', async (method) => {
    const response = await fetch(url('/'), { method, body: 'x' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect(await response.text()).toBe(`expected one of GET, HEAD, OPTIONS, got ${method}\n`);
  });

  it('that do not exist are 404', async () => {
    expect((await fetch(url('/nowhere'))).status).toBe(404);
  });
});

describe('an SDK that asks for what does not run here', () => {
  const config = () => ({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });

  it.each([
    ['dynamodb', () => new DynamoDBClient(config()).send(new ListTablesCommand({}))],
    ['events', () => new EventBridgeClient(config()).send(new PutEventsCommand({ Entries: [] }))],
  ])('hears it: %s', async (name, call) => {
    await expect(call()).rejects.toMatchObject({
      name: 'UnknownOperationException',
      message: `expected a service that Fanwire runs locally (echo, execute-api), got ${name}`,
    });
  });

  it('of @connections hears where the stage is missing', async () => {
    const client = new ApiGatewayManagementApiClient(config());
    const post = new PostToConnectionCommand({ ConnectionId: 'L0SM9cOFvHcCIhw=', Data: 'x' });
    await expect(client.send(post)).rejects.toMatchObject({
      name: 'ForbiddenException',
      message: expect.stringMatching(
        /^expected \/prod\/@connections\/\{connectionId\}, got \/@connections\//,
      ),
    });
  });
});

describe('bodies', () => {
  const head = (length: number, more = '') =>
    `POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: Echo.Do\r\n${more}Content-Length: ${length}\r\n\r\n`;

  it('of what is not signed are not waited for, whatever their size', async () => {
    expect(await exchange(head(16 * MIB))).toContain('got 0');
  });

  it('that are larger than the service takes are refused before they come, as SDKs read it', async () => {
    const answer = await exchange(head(ENGINE_BYTES_MAX + 1, 'Authorization: x\r\n'));
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain('x-amzn-ErrorType: PayloadTooLargeException');
    expect(answer).toContain(`expected at most ${ENGINE_BYTES_MAX} bytes`);
  });

  it('that were not wanted do not harm the next request of the connection', async () => {
    const socket = dial();
    expect(await exchange(head(3 * MIB), socket)).toContain('got 0');
    socket.write('x'.repeat(3 * MIB));
    expect(await exchange(`${head(3, 'Authorization: x\r\n')}abc`, socket)).toContain('got 3');
  });
});

describe('what fails', () => {
  it('is an error that SDKs read and that tells nothing of the inside, and the log says it', async () => {
    const socket = dial();
    for (let turn = 0; turn < 2; turn++) {
      const request =
        'POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: Broken.Do\r\nContent-Length: 0\r\n\r\n';
      const answer = await exchange(request, socket);
      expect(answer).toMatch(/^HTTP\/1.1 500 /);
      expect(answer).toContain('x-amzn-ErrorType: InternalFailure');
      expect(answer).not.toContain('secret');
    }
    expect(log).toEqual(['Error: a secret of the engine', 'Error: a secret of the engine']);
  });

  it('in the middle of an answer ends the connection, so that its client does not wait for the rest', async () => {
    const socket = dial();
    const closed = once(socket, 'close');
    const request =
      'POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: Halting.Do\r\nContent-Length: 0\r\n\r\n';
    expect(await exchange(request, socket)).toMatch(/^HTTP\/1.1 200 /);
    await closed;
    expect(log).toEqual(['Error: the second half is missing']);
  });

  it('is nobody who resets during a handshake that comes too early', async () => {
    const early = new LocalServer((error) => log.push(String(error)));
    const earlyPort = await early.listen(0);
    for (let turn = 0; turn < 20; turn++) {
      const socket = connect(earlyPort, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(`GET /prod HTTP/1.1\r\nHost: localhost\r\n${HANDSHAKE}Upgrade: websocket\r\n\r\n`);
      socket.resetAndDestroy();
    }
    const answer = await (await fetch(`http://127.0.0.1:${earlyPort}/`)).text();
    expect(answer).toBe('starting\n');
    await early.close();
  });
});
