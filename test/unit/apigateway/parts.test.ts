import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { requestTime } from '../../../infra/local/apigateway/events.ts';
import { createId, isId } from '../../../infra/local/apigateway/ids.ts';
import { parseProxyResponse } from '../../../infra/local/apigateway/integration.ts';
import { parseConnectionPath } from '../../../infra/local/apigateway/management.ts';

describe('ids', () => {
  it('have the form of AWS and do not repeat', () => {
    const ids = new Set(Array.from({ length: 100_000 }, () => createId(randomBytes)));
    expect(ids.size).toBe(100_000);
    expect([...ids].filter((id) => !/^[A-Za-z0-9_-]{15}=$/.test(id))).toEqual([]);
  });

  it('are made of the 11 random bytes given', () => {
    expect(createId((size) => Buffer.alloc(size, 0xff))).toBe('______________8=');
  });

  it.each(['', 'abc', 'L0SM9cOFvHcCIhw', 'L0SM9cOFvHcCIhw==', 'L0SM9cOFvHc/Ihw=', 'L0SM9cOFvHcCIhw=\n'])(
    'are not %j',
    (text) => expect(isId(text)).toBe(false),
  );
});

it('writes the request time as AWS does', () => {
  expect(requestTime(Date.UTC(2024, 0, 20, 11, 55, 8, 999))).toBe('20/Jan/2024:11:55:08 +0000');
  expect(requestTime(Date.UTC(2026, 11, 1, 0, 0, 0))).toBe('01/Dec/2026:00:00:00 +0000');
});

describe('a proxy response', () => {
  it.each([
    [{}, { statusCode: 200, headers: {}, body: '' }],
    [{ body: 'x' }, { statusCode: 200, headers: {}, body: 'x' }],
    [{ statusCode: null }, { statusCode: 200, headers: {}, body: '' }],
    [{ statusCode: 200 }, { statusCode: 200, headers: {}, body: '' }],
    [
      { statusCode: 200, body: null, headers: null },
      { statusCode: 200, headers: {}, body: '' },
    ],
    [
      { statusCode: 500, body: 'x', headers: { a: 'b' }, multiValueHeaders: {}, isBase64Encoded: false },
      { statusCode: 500, headers: { a: 'b' }, body: 'x' },
    ],
  ])('may be %j', (payload, response) => {
    expect(parseProxyResponse(payload)).toEqual(response);
  });

  it.each([
    undefined,
    null,
    'text',
    [],
    { message: 'x' },
    { statusCode: '200' },
    { statusCode: 200.5 },
    { statusCode: 101 },
    { statusCode: 600 },
    { statusCode: 200, body: { a: 1 } },
    { statusCode: 200, headers: 'x' },
    { statusCode: 200, Data: 'x' },
  ])('may not be %j', (payload) => {
    expect(parseProxyResponse(payload)).toBeUndefined();
  });
});

describe('an @connections path', () => {
  it.each([
    ['/prod/@connections/L0SM9cOFvHcCIhw%3D', 'prod', 'L0SM9cOFvHcCIhw='],
    ['/prod/@connections/L0SM9cOFvHcCIhw=', 'prod', 'L0SM9cOFvHcCIhw='],
    ['/prod/%40connections/L0SM9cOFvHcCIhw%3d', 'prod', 'L0SM9cOFvHcCIhw='],
    ['/dev/@connections/abc', 'dev', 'abc'],
    ['/prod/@connections/', 'prod', ''],
    ['/prod/@connections/%zz', 'prod', '%zz'],
  ])('%s names %s and %j', (path, stage, connectionId) => {
    expect(parseConnectionPath(path)).toEqual({ stage, connectionId });
  });

  it.each([
    '/',
    '/prod',
    '/prod/',
    '/prod/connections/a',
    '/@connections/a',
    '/prod/@connections',
    '/a/b/@connections/c',
  ])('is not %s', (path) => expect(parseConnectionPath(path)).toBeUndefined());
});
