import { once } from 'node:events';
import { Agent, createServer as createHttpServer, get, STATUS_CODES } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { HttpRequest } from '../../../infra/local/http/engine.ts';
import { readWhole, WholeResponse } from '../../../infra/local/http/loopback/whole.ts';

interface Seen extends HttpRequest {
  readonly body: string;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const latin1 = (raw: string): Buffer => Buffer.from(raw, 'latin1');

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** Node's own HTTP server, which says what it sees in the bytes that come over a real socket. */
class Oracle {
  readonly #server = createHttpServer(async (request, response) => {
    const { method, url, headers } = request;
    const body = hex(Buffer.concat(await request.toArray()));
    this.#saw({ method, url, headers, body });
    response.end();
  });
  #port = 0;
  #saw: (seen: Seen) => void = () => {};

  async start(): Promise<void> {
    this.#port = await listen(this.#server);
  }

  async read(request: Buffer): Promise<Seen> {
    const { promise, resolve, reject } = Promise.withResolvers<Seen>();
    this.#saw = resolve;
    const socket = connect(this.#port, '127.0.0.1').on('error', reject);
    // What it does not understand, it answers itself.
    socket.on('data', (answer) => reject(new Error(`expected a request, got the answer ${answer}`)));
    socket.write(request);
    try {
      return await promise;
    } finally {
      socket.destroy();
    }
  }

  stop(): void {
    this.#server.close();
  }
}

function seenIn(request: Buffer): Seen | undefined {
  const whole = readWhole(request);
  return whole && { ...whole, body: hex(whole.body) };
}

const randomCase = (name: string): fc.Arbitrary<string> => fc.mixedCase(fc.constant(name)).map(String);

/** Names that mean something to a server, or to a JavaScript object, are for the tests of their own. */
const isPlainName = (name: string): boolean =>
  !/^(connection|content-length|expect|host|proxy-connection|set-cookie|trailer|transfer-encoding|upgrade)$/i.test(
    name,
  ) && !(name.toLowerCase() in {});

const segment = fc.oneof(
  fc.stringMatching(/^[\x21-\x7e]{0,12}$/),
  fc.constantFrom(
    '@connections',
    '%40connections',
    'L0SM9cOFvHcCIhw%3D',
    'L0SM9cOFvHcCIhw=',
    'prod',
    '..',
    '?a=b&c',
    '#',
  ),
);
const name = fc.oneof(
  fc.stringMatching(/^[\w!#$%&'*+.^`|~-]{1,20}$/).filter(isPlainName),
  fc
    .constantFrom('X-Amz-Date', 'x-amz-target', 'Authorization', 'content-type', 'Cookie', 'User-Agent')
    .chain(randomCase),
);
const space = fc.constantFrom('', ' ', '\t', '  ', ' \t ');
const value = fc.oneof(
  fc.constant(''),
  fc.stringMatching(/^[!-~]$/),
  fc.stringMatching(/^[!-~][\t -~\x80-\xff]{0,40}[!-~\x80-\xff]$/),
);
const field = fc
  .tuple(name, space, value, space)
  .map(([name, before, value, after]) => ({ name, line: `${name}:${before}${value}${after}` }));
const fieldsOf = fc.uniqueArray(field, { maxLength: 12, selector: ({ name }) => name.toLowerCase() });
const body = fc.oneof(
  fc.constant(new Uint8Array()),
  fc.uint8Array({ maxLength: 5 * 1024, size: 'max' }),
  fc.json().map((json) => Buffer.from(json)),
);

const plainRequest = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    path: fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`),
    fields: fieldsOf,
    host: randomCase('host'),
    length: randomCase('content-length'),
    lengthSpace: space,
    connection: fc.constantFrom(undefined, 'Connection: keep-alive', 'connection:keep-alive '),
    isLengthLeftOut: fc.boolean(),
    body,
  })
  .map(({ method, path, fields, host, length, lengthSpace, connection, isLengthLeftOut, body }) => {
    const hasLength = body.length > 0 || !isLengthLeftOut;
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `${host}: 127.0.0.1:4566`,
      ...fields.map(({ line }) => line),
      ...(connection === undefined ? [] : [connection]),
      ...(hasLength ? [`${length}:${lengthSpace}${body.length}${lengthSpace}`] : []),
    ];
    return Buffer.concat([latin1(`${lines.join('\r\n')}\r\n\r\n`), body]);
  });

describe('a whole request', () => {
  const oracle = new Oracle();
  beforeAll(() => oracle.start());
  afterAll(() => oracle.stop());

  it('is what Node’s server sees in the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(plainRequest, async (request) => {
        expect(seenIn(request)).toEqual(await oracle.read(request));
      }),
      { numRuns: 500 },
    );
  });

  it('is what Node’s server sees, or it is left to it, whatever byte is another', async () => {
    // The host comes first here, where no change hits it.
    const start = 'GET /prod/@connections/L0SM9cOFvHcCIhw%3D HTTP/1.1\r\nhost: 127.0.0.1:4566\r\n';
    const rest = latin1('Content-Type: text/plain\r\nx-a: b c\r\ncontent-length: 4\r\n\r\nbody');
    const byte = fc.oneof(fc.constantFrom(...latin1('\r\n\t :,;059aA_')), fc.nat({ max: 0xff }));
    const change = fc.tuple(
      fc.nat({ max: rest.length }),
      fc.nat({ max: 2 }),
      fc.array(byte, { maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(change, async ([at, removed, added]) => {
        const request = Buffer.concat([
          latin1(start),
          rest.subarray(0, at),
          added,
          rest.subarray(at + removed),
        ]);
        const seen = seenIn(request);
        if (seen) expect(seen).toEqual(await oracle.read(request));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is read the same when it comes again', () => {
    const request = latin1('POST /a HTTP/1.1\r\nHost: a\r\nX-Of: b\r\ncontent-length: 1\r\n\r\nx');
    expect(seenIn(request)).toEqual(seenIn(request));
    expect(seenIn(request)?.headers).toEqual({ host: 'a', 'x-of': 'b', 'content-length': '1' });
  });

  it('has its own authorization, not that of another with the same head', () => {
    const signed = (signature: string) =>
      readWhole(latin1(`GET / HTTP/1.1\r\nhost: a\r\nauthorization: ${signature}\r\n\r\n`))?.headers;
    expect([signed('1'), signed('2'), signed('1')].map((headers) => headers?.authorization)).toEqual([
      '1',
      '2',
      '1',
    ]);
  });

  it.each([
    ['authorization: a', 'x-a: b'],
    ['x-a: b', 'authorization: a'],
    ['authorization:', 'x-a: b'],
    ['x-a: b', 'authorization:'],
    ['x-authorization: a'],
    ['x-a: authorization:b'],
    ['x-authorization: a', 'authorization: b', 'x-a: authorization: c'],
  ])('is what Node’s server sees, wherever it has an authorization: %s, %s', async (...lines) => {
    const request = latin1(['GET / HTTP/1.1', 'host: a', ...lines, '', ''].join('\r\n'));
    expect(seenIn(request)).toEqual(await oracle.read(request));
  });

  it('has its own headers, not those of the one before it', () => {
    const headers = (...lines: string[]) =>
      readWhole(latin1(['GET / HTTP/1.1', 'host: a', ...lines, '', ''].join('\r\n')))?.headers;
    expect(headers('x-n: 1', 'authorization: a', 'x-m: 1')).toMatchObject({ 'x-n': '1', 'x-m': '1' });
    expect(headers('x-n: 2', 'authorization: a', 'x-m: 1')).toMatchObject({ 'x-n': '2', 'x-m': '1' });
    expect(headers('x-n: 2', 'authorization: a', 'x-m: 2')).toMatchObject({ 'x-n': '2', 'x-m': '2' });
    expect(headers('x-n: 2', 'authorization: a')).toEqual({ host: 'a', 'x-n': '2', authorization: 'a' });
    expect(headers('x-n: 2')).toEqual({ host: 'a', 'x-n': '2' });
  });
});

describe('what is left to a real server', () => {
  const request = (...lines: string[]): string =>
    ['POST / HTTP/1.1', 'host: a', ...lines, '', ''].join('\r\n');

  it.each([
    ['nothing at all', ''],
    ['a head that goes on', 'POST / HTTP/1.1\r\nhost: a\r\n'],
    ['a head whose last line break goes on', 'POST / HTTP/1.1\r\nhost: a\r\n\r'],
    ['a body that goes on', `${request('content-length: 3')}ab`],
    ['a body that is longer than it should', `${request('content-length: 1')}ab`],
    ['a body of unknown length', `${request()}ab`],
    ['a second request behind it', request() + request()],
    ['a second request behind its body', `${request('content-length: 2')}ab${request()}`],
    ['a chunked body', `${request('Transfer-Encoding: chunked')}0\r\n\r\n`],
    [
      'a chunked body with a length',
      `${request('content-length: 5', 'transfer-encoding: chunked')}0\r\n\r\n`,
    ],
    ['a trailer', request('trailer: x-sum')],
    ['an expectation', request('Expect: 100-continue')],
    ['an upgrade', request('Connection: Upgrade', 'Upgrade: websocket')],
    ['an upgrade that does not say so', request('Upgrade: websocket')],
    ['the last request of its connection', request('Connection: close')],
    ['options of the connection', request('connection: keep-alive, x-a')],
    ['a request to no host', 'GET / HTTP/1.1\r\nx-a: b\r\n\r\n'],
    ['a head that is long', request(`x-a: ${'b'.repeat(9_000)}`)],
    ['a header that Node makes a list of', request('set-cookie: a')],
    ['what a proxy is told', request('proxy-connection: close')],
    ['a header that comes twice', request('x-a: b', 'X-A: b')],
    ['an authorization that comes twice', request('authorization: a', 'authorization: b')],
    ['an authorization that comes twice, written twice', request('Authorization: a', 'authorization: b')],
    ['an authorization that is not well formed', request('authorization: a\x00')],
    ['a length that comes twice', `${request('content-length: 2', 'content-length: 2')}ab`],
    ['a header that every object has', request('constructor: a', '__proto__: b')],
    ['a control character', request('x-a: b\x00c')],
    ['a delete character', request('x-a: b\x7fc')],
    ['a line break without its return', request('x-a: b\nx-b: c')],
    ['a return without its line break', request('x-a: b\rx-b: c')],
    ['a header over two lines', request('x-a: b', ' c')],
    ['a header with a space before its colon', request('x-a : b')],
    ['a header without a name', request(': b')],
    ['a header without a colon', request('x-a')],
    ['an older HTTP', request().replace('HTTP/1.1', 'HTTP/1.0')],
    ['a newer HTTP', request().replace('HTTP/1.1', 'HTTP/2.0')],
    ['an empty line before it', `\r\n${request()}`],
    ...['HEAD', 'OPTIONS', 'PATCH', 'CONNECT', 'post', 'POSTS'].map((method) => [
      `the method ${method}`,
      request().replace('POST', method),
    ]),
    ['a delete character in its URL', request().replace('/', '/\x7f')],
    ...['http://a/', '*', 'a:80', '', '/a b', '/é'].map((url) => [
      `the URL “${url}”`,
      request().replace('/', url),
    ]),
    ...['1, 1', '+1', '01', '1.0', '0x1', '1e0', '-1', '', '1;', 'a'].map((length) => [
      `the length “${length}”`,
      `${request(`content-length: ${length}`)}a`,
    ]),
  ])('is %s', (_, raw = '') => {
    expect(readWhole(latin1(raw))).toBeUndefined();
  });

  it('is not the plain request that these are made of', () => {
    expect(readWhole(latin1(`${request('content-length: 1', 'x-a: b')}a`))).toMatchObject({
      method: 'POST',
      url: '/',
    });
  });
});

interface Answer {
  readonly status: number | undefined;
  readonly message: string | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** What Node's own client sees in answers that are written to it, one after another on one socket. */
async function received(...writes: readonly ((response: WholeResponse) => void)[]): Promise<Answer[]> {
  const queue = [...writes];
  const server = createServer((socket) =>
    socket.on('data', () => queue.shift()?.(new WholeResponse((bytes) => socket.write(bytes)))),
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => {
    agent.destroy();
    server.close();
  });
  const port = await listen(server);
  const answers: Answer[] = [];
  for (const index of writes.keys()) {
    const freed = once(agent, 'free');
    const request = get({ port, host: '127.0.0.1', agent });
    const [response] = await once(request, 'response');
    const { statusCode: status, statusMessage: message, headers } = response;
    answers.push({ status, message, headers, body: await text(response) });
    expect(request.reusedSocket).toBe(index > 0); // or the answer before did not end where it should
    await freed;
  }
  return answers;
}

describe('a whole response', () => {
  const date = 'Sat, 20 Jan 2024 11:55:08 GMT';

  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2024, 0, 20, 11, 55, 8, 999) }));
  afterEach(() => void vi.useRealTimers());

  it('is a plain 200 when nobody says anything else', async () => {
    const plain = { status: 200, message: 'OK', headers: { date, 'content-length': '0' }, body: '' };
    expect(
      await received(
        (response) => response.end(),
        (response) => response.end(''),
        (response) => response.writeHead(200).end(),
      ),
    ).toEqual([plain, plain, plain]);
  });

  it('has the headers and the text that it was given', async () => {
    const body = JSON.stringify({ FailedEntryCount: 0 });
    const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'content-length': body.length };
    expect(await received((response) => response.writeHead(200, headers).end(body))).toEqual([
      {
        status: 200,
        message: 'OK',
        headers: {
          date,
          'content-type': 'application/x-amz-json-1.1',
          'content-length': String(body.length),
        },
        body,
      },
    ]);
  });

  it('has headers without a text, too', async () => {
    const [answer] = await received((response) => response.writeHead(200, { 'x-a': 'b' }).end());
    expect(answer?.headers).toEqual({ date, 'x-a': 'b', 'content-length': '0' });
  });

  it('names its error as @connections does', async () => {
    const [gone] = await received((response) => {
      response.statusCode = 410;
      response.setHeader('x-amzn-ErrorType', 'GoneException');
      response.end();
    });
    expect(gone).toEqual({
      status: 410,
      message: STATUS_CODES[410],
      headers: { date, 'x-amzn-errortype': 'GoneException', 'content-length': '0' },
      body: '',
    });
  });

  it('has no length with a 204', async () => {
    const [closed, next] = await received(
      (response) => response.writeHead(204).end(),
      (response) => response.end('next'),
    );
    expect(closed).toEqual({ status: 204, message: 'No Content', headers: { date }, body: '' });
    expect(next?.body).toBe('next');
  });

  it.each([
    ['two bytes a character', 'Grüße'],
    ['three', '世界'],
    ['four', '𝄞'],
    ['one, and many of them', 'x'.repeat(200_000)],
  ])('has as many bytes as its text: %s', async (_, text) => {
    const [answer] = await received((response) => response.end(text));
    expect(answer?.body).toBe(text);
    expect(answer?.headers['content-length']).toBe(String(Buffer.byteLength(text)));
  });

  it('is sent once', async () => {
    const [answer] = await received((response) => {
      response.end('the first');
      response.end('the second');
    });
    expect(answer?.body).toBe('the first');
  });

  it('has a header once, in what was said of it last', async () => {
    const [answer] = await received((response) => {
      response.setHeader('Content-Type', 'text/plain');
      response.writeHead(500, { 'content-type': 'application/json' }).end('{}');
    });
    expect(answer).toMatchObject({ status: 500, headers: { 'content-type': 'application/json' } });
  });

  it('has bytes that are no text, and a header of several values in as many lines', async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x0d, 0x0a]);
    const [answer] = await received((response) =>
      response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end(bytes),
    );
    expect(answer?.headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'content-length': '4' });
  });

  it('is dated in the second in which it ends', async () => {
    const endingAt = (ms: number, body?: string) => (response: WholeResponse) => {
      vi.setSystemTime(Date.UTC(2024, 0, 20, 11, 55) + ms);
      response.end(body);
    };
    const answers = await received(
      endingAt(8_999),
      endingAt(9_000),
      endingAt(9_999, 'text'),
      endingAt(10_000, 'text'),
      endingAt(10_500),
      endingAt(9_500),
    );
    const seconds = answers.map(({ headers }) => /:(\d\d) GMT$/.exec(String(headers.date))?.[1]);
    expect(seconds).toEqual(['08', '09', '09', '10', '10', '09']);
  });
});
