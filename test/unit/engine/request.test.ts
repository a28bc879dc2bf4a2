import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RequestWriter } from '../../../shared/delivery/engine/request.ts';
import type { SignedRequest } from '../../../shared/delivery/engine/signer.ts';

const requestAt = (date: string, sessionToken?: string, body = '{}'): SignedRequest => ({
  path: '/prod/@connections/a%3D',
  stamp: { date, sessionToken, authorization: `AWS4 of ${date}, Signature=` },
  signature: 'abc',
  body: Buffer.from(body),
  signedAtMs: 0,
});
const written = (date: string, token = '', body = '{}'): string =>
  `POST /prod/@connections/a%3D HTTP/1.1\r\nhost: example.com:8080\r\ncontent-type: application/octet-stream\r\n` +
  `x-amz-date: ${date}\r\n${token}authorization: AWS4 of ${date}, Signature=abc\r\n` +
  `content-length: ${body.length}\r\n\r\n${body}`;

it('writes every request with the headers of its own second', () => {
  const writer = new RequestWriter('example.com:8080');
  const dates = ['1', '1', '2', '1'];
  expect(dates.map((date) => String(writer.bytesOf(requestAt(date), false)))).toEqual(
    dates.map((date) => written(date)),
  );
  expect(String(writer.bytesOf(requestAt('3', 'token'), false))).toBe(
    written('3', 'x-amz-security-token: token\r\n'),
  );
});

it('takes the same room again once a request is written, if there is enough', () => {
  const writer = new RequestWriter('example.com:8080');
  const first = writer.bytesOf(requestAt('1'), true);
  const unwritten = writer.bytesOf(requestAt('2'), false);
  expect([String(first), String(unwritten)]).toEqual([written('1'), written('2')]);
  const longer = writer.bytesOf(requestAt('3', undefined, '{ }'), true);
  expect([String(longer), longer.buffer === first.buffer]).toEqual([written('3', '', '{ }'), true]);
  const body = 'x'.repeat(5_000);
  const large = writer.bytesOf(requestAt('1', undefined, body), true);
  expect([String(large), large.buffer === first.buffer]).toEqual([written('1', '', body), false]);
});

it('writes any request after any other as if it were the first', () => {
  const stamps = ['1', '2'].map((date) => requestAt(date, date === '1' ? 'token' : undefined).stamp);
  const bodies = ['{}', '[]', '{"a":1}', 'x'.repeat(5_000)].map((text) => Buffer.from(text));
  const requests = fc.record({
    path: fc.constantFrom('/prod/@connections/a%3D', '/prod/@connections/b%3D', '/prod/@connections/bc%3D'),
    stamp: fc.constantFrom(...stamps),
    signature: fc.constantFrom('abc', 'def', 'ghij'),
    body: fc.constantFrom(...bodies),
    signedAtMs: fc.constant(0),
    traceId: fc.constantFrom(undefined, 'Root=1', 'Root=2'),
  });
  const steps = fc.array(fc.record({ request: requests, isWritten: fc.boolean() }), { maxLength: 12 });
  fc.assert(
    fc.property(steps, (all) => {
      const writer = new RequestWriter('example.com:8080');
      for (const { request, isWritten } of all) {
        const alone = new RequestWriter('example.com:8080').bytesOf(request, false);
        expect(String(writer.bytesOf(request, isWritten))).toBe(String(alone));
      }
    }),
    { numRuns: 1_000 },
  );
});
