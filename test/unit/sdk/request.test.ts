import { describe, expect, it } from 'vitest';
import { encodeRequest, type Request } from '../../../shared/aws/sdk/request.ts';

const requestOf = (parts: Partial<Request> = {}): Request => ({
  protocol: 'https:',
  hostname: 'dynamodb.eu-west-1.amazonaws.com',
  method: 'POST',
  path: '/',
  headers: { host: 'dynamodb.eu-west-1.amazonaws.com', 'x-amz-target': 'DynamoDB.GetItem' },
  ...parts,
});

describe('encodeRequest', () => {
  it.each<[string, Request['body']]>([
    ['text', '{"a":"ü"}'],
    ['bytes', Buffer.from('{"a":"ü"}')],
  ])('writes a request with a body of %s down as it goes over the wire', (_, body) => {
    expect(encodeRequest(requestOf({ body })).toString()).toBe(
      'POST / HTTP/1.1\r\nhost: dynamodb.eu-west-1.amazonaws.com\r\nx-amz-target: DynamoDB.GetItem\r\n\r\n{"a":"ü"}',
    );
  });

  it('writes a request without a body', () => {
    const request = requestOf({ method: 'GET', path: '/prod/@connections/a%3D', headers: { host: 'x' } });
    expect(String(encodeRequest(request))).toBe('GET /prod/@connections/a%3D HTTP/1.1\r\nhost: x\r\n\r\n');
  });

  it.each<[string, Partial<Request>, string]>([
    ['a path with a space', { path: '/a b' }, 'expected an encoded path, got "/a b"'],
    ['a path with another line', { path: '/\r\nx: y' }, 'expected an encoded path, got "/\\r\\nx: y"'],
    ['no path', { path: '' }, 'expected an encoded path, got ""'],
    ['a query', { query: { a: 'b' } }, 'expected no query, got one to /'],
    [
      'a header of two lines',
      { headers: { a: 'b\r\nc: d' } },
      'expected a header of one line of Latin-1, got "a"',
    ],
    ['a header beyond Latin-1', { headers: { a: '€' } }, 'expected a header of one line of Latin-1, got "a"'],
    ['a bad name', { headers: { 'a b': 'c' } }, 'expected a header of one line of Latin-1, got "a b"'],
    ['a stream', { body: new ReadableStream() }, 'expected a body of text or bytes, got object'],
  ])('refuses %s', (_, parts, message) => {
    expect(() => encodeRequest(requestOf(parts))).toThrow(new TypeError(message));
  });
});
