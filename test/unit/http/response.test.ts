import { request } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadResponse, ResponseReader } from '../../../shared/aws/http/response.ts';
import { type Answer, BODY_BYTES_MAX, HEAD_BYTES_MAX } from '../../../shared/aws/http/transport.ts';

interface Valid {
  readonly bytes: Buffer;
  readonly status: number;
  readonly body: string;
  /** The body goes on until the socket is closed. */
  readonly untilClose: boolean;
  readonly keepAlive: boolean;
}

const names = fc.string({ unit: fc.constantFrom(..."abcXYZ019-_!#$'*+.^`|~"), minLength: 1, maxLength: 18 });
const values = fc.string({ unit: fc.constantFrom(...'aZ0 \t:;,="()é\u0080'), maxLength: 30 });
const OURS = /^(?:date|connection|content-length|transfer-encoding|x-amzn?-(?:errortype|request-?id))$/i;
const headers = fc
  .array(fc.tuple(names, values), { maxLength: 8 })
  .map((all) => all.filter(([name]) => !OURS.test(name) && name !== '__proto__'));
const texts = fc.string({ unit: fc.constantFrom(...'ab\r\n{}":0é'), maxLength: 400 });
const statuses = fc.constantFrom(200, 201, 204, 304, 400, 403, 410, 413, 429, 500, 503, 599);
const framings = fc.constantFrom('length', 'chunked', 'close');

/** The body in chunks as random as the rest, with extensions and trailers. */
function chunked(body: string, sizes: readonly number[], extension: string, trailer: string): string {
  let text = '';
  let rest = body;
  for (const size of sizes) {
    const chunk = rest.slice(0, size);
    if (chunk === '') break;
    rest = rest.slice(size);
    text += `${chunk.length.toString(16)}${extension}\r\n${chunk}\r\n`;
  }
  if (rest !== '') text += `${rest.length.toString(16).toUpperCase()}\r\n${rest}\r\n`;
  return `${text}0\r\n${trailer}\r\n`;
}

const responses: fc.Arbitrary<Valid> = fc
  .record({
    interim: fc.constantFrom('', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Hints\r\nlink: a\r\n\r\n'),
    status: statuses,
    reason: fc.constantFrom('', ' ', ' OK', ' Not really'),
    before: headers,
    after: headers,
    framing: framings,
    close: fc.boolean(),
    body: texts,
    sizes: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 10 }),
    extension: fc.constantFrom('', ';a', ';a=b'),
    trailer: fc.constantFrom('', 'x-trailer: 1\r\n'),
  })
  .map(({ interim, status, reason, before, after, framing, close, ...rest }) => {
    const lines = (all: readonly (readonly [string, string])[]) =>
      all.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const isEmpty = status === 204 || status === 304;
    const body = isEmpty ? '' : rest.body;
    const length =
      framing === 'length' ? `Content-Length: ${body.length}\r\n` : 'Transfer-Encoding: chunked\r\n';
    const untilClose = framing === 'close' && !isEmpty;
    const sent = framing === 'chunked' ? chunked(body, rest.sizes, rest.extension, rest.trailer) : body;
    const text =
      `${interim}HTTP/1.1 ${status}${reason || ' '}\r\n${lines(before)}` +
      `${framing === 'close' || isEmpty ? '' : length}${close ? 'Connection: close\r\n' : ''}` +
      `Date: Fri, 20 Nov 2026 12:00:00 GMT\r\nX-Amzn-ErrorType: GoneException\r\n${lines(after)}\r\n` +
      `${isEmpty ? '' : sent}`;
    return { bytes: Buffer.from(text, 'latin1'), status, body, untilClose, keepAlive: !close && !untilClose };
  });

/** Cuts anywhere; fewer cuts when it shrinks. */
const cuts = fc.array(fc.nat(2_000), { maxLength: 12 });
function pieces(bytes: Buffer, at: readonly number[]): Buffer[] {
  const sorted = [0, ...at.filter((cut) => cut < bytes.length), bytes.length].toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

function read(reader: ResponseReader, all: readonly Buffer[]): Answer | undefined {
  const answers = all.filter((piece) => piece.length > 0).map((piece) => reader.read(piece));
  return answers.find((answer) => answer !== undefined) ?? reader.end();
}
const textOf = (answer: Answer | undefined): string => Buffer.from(answer?.body ?? []).toString('latin1');
const readAll = (text: string): Answer | undefined =>
  read(new ResponseReader(), [Buffer.from(text, 'latin1')]);

/** What Node's own client makes of the same bytes. */
function nodeReads(bytes: Buffer): Promise<{ status: number; body: string; headers: NodeJS.Dict<unknown> }> {
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof nodeReads>>>();
  const socket = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      done();
      this.push(bytes);
      this.push(null);
    },
  });
  const sent = request({ createConnection: () => socket, method: 'POST' }, (response) => {
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('error', reject);
    response.on('end', () => {
      const body = Buffer.concat(parts).toString('latin1');
      resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
    });
  });
  sent.on('error', reject);
  sent.end('x');
  return promise;
}

describe('ResponseReader', () => {
  it('reads a response the same however it is cut up, and is ready for the next', () => {
    fc.assert(
      fc.property(fc.array(responses, { minLength: 1, maxLength: 3 }), cuts, (all, at) => {
        const reader = new ResponseReader();
        for (const { bytes, status, body, keepAlive } of all) {
          const answer = read(reader, pieces(bytes, at));
          expect(answer).toMatchObject({ status, errorType: 'GoneException' });
          expect(textOf(answer)).toBe(body);
          expect(reader.keepAlive).toBe(keepAlive);
          expect(reader.begun).toBe(false);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps every header only for whoever wants them all, and makes a list of those with one name', () => {
    const head = 'HTTP/1.1 204 No Content\r\nX-Amzn-Query-Error: a;b\r\nvary: x\r\nVary: y\r\nconstructor: z';
    const bytes = Buffer.from(`${head}\r\n\r\n`);
    expect(read(new ResponseReader({ allHeaders: true }), [bytes])?.headers).toEqual({
      'x-amzn-query-error': 'a;b',
      vary: 'x, y',
      constructor: 'z',
    });
    expect(read(new ResponseReader(), [bytes])?.headers).toBeUndefined();
  });

  it('takes as long a body as it is told to', () => {
    const body = 'x'.repeat(BODY_BYTES_MAX + 1);
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    expect(() => read(new ResponseReader(), [bytes])).toThrow(BadResponse);
    expect(textOf(read(new ResponseReader({ bodyBytesMax: body.length }), [bytes]))).toBe(body);
  });

  it('reads one byte at a time', () => {
    fc.assert(
      fc.property(responses, ({ bytes, status, body }) => {
        const answer = read(
          new ResponseReader(),
          [...bytes].map((byte) => Buffer.from([byte])),
        );
        expect([answer?.status, textOf(answer)]).toEqual([status, body]);
      }),
    );
  });

  it('reads what the client of node:http reads', async () => {
    await fc.assert(
      fc.asyncProperty(responses, async ({ bytes }) => {
        const node = await nodeReads(bytes);
        const ours = read(new ResponseReader({ allHeaders: true }), [bytes]);
        expect({ status: ours?.status, body: textOf(ours), date: ours?.date }).toEqual({
          status: node.status,
          body: node.body,
          date: node.headers.date,
        });
        expect(ours?.headers).toEqual(node.headers);
      }),
      { numRuns: 500 },
    );
  });

  /** Never throws anything else, and never asks for more than its limits. */
  function survives(all: readonly Buffer[]): void {
    const reader = new ResponseReader();
    try {
      for (const piece of all) if (reader.read(piece)) return;
      reader.end();
    } catch (error) {
      expect(error).toBeInstanceOf(BadResponse);
    }
  }

  it('refuses garbage with its own error, or waits for more', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 3_000 }),
      fc
        .uint8Array({ maxLength: 300 })
        .map((bytes) => Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n'), bytes])),
      fc
        .string({ unit: fc.constantFrom(...'HTP/1.0 2\r\n:;a'), maxLength: 300 })
        .map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(garbage, cuts, (bytes, at) => survives(pieces(Buffer.from(bytes), at))),
      { numRuns: 3_000 },
    );
  });

  it('survives responses with bytes changed, lost and doubled', () => {
    const change = fc.tuple(fc.nat(1_000), fc.nat(255), fc.constantFrom('set', 'cut', 'insert'));
    fc.assert(
      fc.property(
        responses,
        fc.array(change, { minLength: 1, maxLength: 4 }),
        cuts,
        ({ bytes }, changes, at) => {
          const changed = [...bytes];
          for (const [index, byte, how] of changes) {
            changed.splice(index % bytes.length, how === 'insert' ? 0 : 1, ...(how === 'cut' ? [] : [byte]));
          }
          survives(pieces(Buffer.from(changed), at));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  const endless: Record<string, [string, string]> = {
    head: ['HTTP/1.1 200 OK\r\na: ', 'a'],
    headers: ['HTTP/1.1 200 OK\r\n', 'a: b\r\n'],
    'interim heads': ['', 'HTTP/1.1 100 Continue\r\n\r\n'],
    body: ['HTTP/1.1 200 OK\r\n\r\n', 'a'],
    chunks: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\na\r\n'],
    'chunk line': ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;', 'a'],
    trailers: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n', 'a: b\r\n'],
  };
  for (const [what, [start, more]] of Object.entries(endless)) {
    it(`gives up on an endless ${what} at its limit`, () => {
      const reader = new ResponseReader();
      reader.read(Buffer.from(start));
      const chunk = Buffer.from(more.repeat(100));
      const limit = (6 * BODY_BYTES_MAX + HEAD_BYTES_MAX) / chunk.length; // a chunk of one byte has five more
      const flood = () => {
        for (let n = 0; n <= limit + 1; n++) reader.read(chunk);
      };
      expect(flood).toThrow(BadResponse);
    });
  }

  it('accepts a head and a body just as long as it may be', () => {
    const head = (length: number) => {
      const text = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\na: \r\n\r\n';
      return text.replace('a: ', `a: ${'x'.repeat(length - text.length)}`);
    };
    expect(readAll(head(HEAD_BYTES_MAX))?.status).toBe(200);
    expect(() => readAll(head(HEAD_BYTES_MAX + 1))).toThrow(BadResponse);
    const body = (length: number) =>
      `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n${'x'.repeat(length)}`;
    expect(readAll(body(BODY_BYTES_MAX))?.body.length).toBe(BODY_BYTES_MAX);
    expect(() => readAll(body(BODY_BYTES_MAX + 1))).toThrow(BadResponse);
  });

  const refused: Record<string, string> = {
    'another protocol': 'HTTP/2 200\r\n\r\n',
    'an upgrade': 'HTTP/1.1 101 Switching\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na',
    'a length beside chunks': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    'a length that is no number': 'HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na',
    'another coding': 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n',
    'a bare line feed': 'HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n',
    'a folded line': 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n',
    'a space before the colon': 'HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n',
    'a chunk longer than it says': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n',
    'a chunk of negative size': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n',
  };
  for (const [what, text] of Object.entries(refused)) {
    it(`refuses ${what}`, () => expect(() => readAll(text)).toThrow(BadResponse));
  }

  it('never uses a socket again that says more than it was asked', () => {
    const reader = new ResponseReader();
    const answer = reader.read(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab'));
    expect([textOf(answer), reader.keepAlive]).toEqual(['a', false]);
  });

  it('keeps a socket of HTTP/1.0 only if it is told to', () => {
    const keeps = (head: string) => {
      const reader = new ResponseReader();
      reader.read(Buffer.from(`${head}\r\ncontent-length: 0\r\n\r\n`));
      return reader.keepAlive;
    };
    expect(keeps('HTTP/1.0 200 OK')).toBe(false);
    expect(keeps('HTTP/1.0 200 OK\r\nconnection: Keep-Alive')).toBe(true);
    expect(keeps('HTTP/1.1 200 OK\r\nconnection: foo, Close')).toBe(false);
  });

  it('has no answer of a response that was cut off', () => {
    fc.assert(
      fc.property(responses, fc.nat(), ({ bytes, untilClose }, length) => {
        fc.pre(!untilClose);
        expect(read(new ResponseReader(), [bytes.subarray(0, length % bytes.length)])).toBeUndefined();
      }),
    );
  });
});
