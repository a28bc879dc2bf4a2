import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type HttpReply, httpRoute } from '../../shared/lambda/http-route.ts';
import { logger } from '../../shared/lambda/logger.ts';

const logged: unknown[] = [];
beforeEach(() => {
  logged.length = 0;
  vi.spyOn(logger, 'warn').mockImplementation((...line) => void logged.push(line));
  vi.spyOn(logger, 'error').mockImplementation((...line) => void logged.push(line));
});
afterEach(() => vi.restoreAllMocks());

const context = { awsRequestId: 'aws', getRemainingTimeInMillis: () => 1_000 };
const answerTo = (run: () => Promise<HttpReply>) => httpRoute(run)({ headers: {} }, context);
const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
const throttled = Object.assign(new Error('secret'), { name: 'ThrottlingException' });

it('answers with a status and a body that nobody keeps', async () => {
  expect(await answerTo(async () => ({ status: 201, body: { a: 1 } }))).toEqual({
    ...{ statusCode: 201, headers, body: '{"a":1}' },
  });
  expect(logged).toEqual([]);
});

it.each([
  ['unauthenticated', 401],
  ['expired', 401],
  ['forbidden', 403],
  ['unavailable', 503],
] as const)(
  'answers an error %s with %i and in Fanwire’s words, and keeps the reason for the log',
  async (code, statusCode) => {
    const answer = await answerTo(async () => ({ code, message: 'expected a, got b', reason: 'why' }));
    expect(answer).toEqual({ statusCode, headers, body: `{"code":"${code}","message":"expected a, got b"}` });
    expect(logged).toEqual([['request refused: why', { code, reason: 'why' }]]);
  },
);

it.each([
  ['throttle', throttled, 503, 'unavailable'],
  ['failure', new Error('secret'), 500, 'internal'],
])('answers a %s without its words, which are in the log', async (_, error, statusCode, code) => {
  const answer = await answerTo(() => Promise.reject(error));
  expect(answer).toMatchObject({ statusCode, headers });
  expect(JSON.parse(answer.body)).toEqual({ code, message: expect.not.stringContaining('secret') });
  expect(logged).toEqual([['invocation failed', error]]);
});

it('tells whoever has asked too often when to ask again, in milliseconds and as HTTP does', async () => {
  const refused = { code: 'rate_limited', message: 'expected a, got b', retryAfterMs: 1_001 } as const;
  expect(await answerTo(async () => refused)).toEqual({
    statusCode: 429,
    headers: { ...headers, 'retry-after': '2' },
    body: JSON.stringify(refused),
  });
});
