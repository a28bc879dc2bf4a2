import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { logger } from '../../shared/lambda/logger.ts';
import { route } from '../../shared/lambda/route.ts';
import { type AckFrame, ack } from '../../shared/protocol/acks.ts';
import { ClientError } from '../../shared/protocol/errors.ts';
import { parsePing } from '../../shared/protocol/parse.ts';
import { RefusedError } from '../../shared/retry.ts';

const logged: unknown[] = [];
beforeEach(() => {
  logged.length = 0;
  vi.spyOn(logger, 'error').mockImplementation((...[, error]) => void logged.push(error));
});
afterEach(() => vi.restoreAllMocks());

const event = (body: string) => ({
  requestContext: {
    connectionId: 'c',
    requestId: 'r',
    routeKey: 'ping',
    connectedAt: 1,
    requestTimeEpoch: 1,
  },
  body,
});
// What Lambda gives beside the event; the stack reads the request id only.
const context = { awsRequestId: 'aws', getRemainingTimeInMillis: () => 1_000 };

const answerOf = async (run: () => never | AckFrame<'ping'>, body = '{"action":"ping","id":"7"}') => {
  const { statusCode, body: reply } = await route(parsePing, run)(event(body), context);
  return [statusCode, JSON.parse(String(reply))];
};

it('answers with what the route says', async () => {
  expect(await answerOf(() => ack('ping', { id: '7' }, {}))).toEqual([
    200,
    { type: 'ack', id: '7', action: 'ping' },
  ]);
});

it("answers the caller's fault with its code and the id of the command", async () => {
  const fault = () => {
    throw new ClientError('limit_exceeded', 'expected less, got more');
  };
  const frame = { type: 'error', id: '7', code: 'limit_exceeded', message: 'expected less, got more' };
  expect(await answerOf(fault)).toEqual([200, frame]);
  expect(logged).toEqual([]);
});

it('tells the client nothing of any other error but the id of the command, and logs it once', async () => {
  const failure = () => {
    throw new Error('the secret is 42');
  };
  const [status, frame] = await answerOf(failure);
  expect([status, frame]).toEqual([
    200,
    { type: 'error', id: '7', code: 'internal', message: 'something went wrong here' },
  ]);
  expect(logged).toEqual([new Error('the secret is 42')]);
});

it.each([
  Object.assign(new Error('the secret is 42'), { name: 'ProvisionedThroughputExceededException' }),
  new RefusedError('the secret is 42'),
])('tells the client to come again when a service is throttled, and logs it: %s', async (error) => {
  const failure = () => {
    throw error;
  };
  const message = 'expected a service to take it, got throttled; send it again';
  expect(await answerOf(failure)).toEqual([200, { type: 'error', id: '7', code: 'unavailable', message }]);
  expect(logged).toEqual([error]);
});

it.each([500, 503])('tells the client to come again when a service answers %i', async (httpStatusCode) => {
  const error = Object.assign(new Error('the secret is 42'), { $metadata: { httpStatusCode } });
  const failure = () => {
    throw error;
  };
  const message = 'expected a service to take it, got an error of it; send it again';
  expect(await answerOf(failure)).toEqual([200, { type: 'error', id: '7', code: 'unavailable', message }]);
  expect(logged).toEqual([error]);
});

it('does not tell it so of a request that the service finds wrong', async () => {
  const failure = () => {
    throw Object.assign(new Error('no such table'), { $metadata: { httpStatusCode: 400 } });
  };
  expect(await answerOf(failure)).toMatchObject([200, { code: 'internal' }]);
});

it('names the command of a frame that is too deep, so that its client does not wait', async () => {
  const deep = `{"id":"7","data":${'['.repeat(600)}${']'.repeat(600)}}`;
  const [, frame] = await answerOf(() => ack('ping', {}, {}), deep);
  expect(frame).toMatchObject({ type: 'error', id: '7', code: 'bad_request' });
});

it('does not echo an id that is too long to be one', async () => {
  const [, frame] = await answerOf(() => ack('ping', {}, {}), JSON.stringify({ id: 'x'.repeat(10_000) }));
  expect(frame).toMatchObject({ type: 'error', code: 'bad_request' });
  expect(frame).not.toHaveProperty('id');
});

it.each<[string, Record<string, string | number> | undefined, object]>([
  [
    'the user whom an authorizer names, and what it says of that one',
    { userId: 'alice', rights: '{"chat/*":["subscribe"]}', expiresAt: 2 },
    { bearer: { userId: 'alice', rights: { 'chat/*': ['subscribe'] }, expiresAtMs: 2_000 } },
  ],
  ['nobody without an authorizer', undefined, {}],
  ['nobody where it names nobody', { userId: '' }, { bearer: { rights: {}, expiresAtMs: Infinity } }],
])('tells the route of %s', async (_, authorizer, expected) => {
  const { requestContext, body } = event('{"action":"ping"}');
  const inputs: unknown[] = [];
  const run = (input: unknown) => {
    inputs.push(input);
    return ack('ping', {}, {});
  };
  await route(parsePing, run)(
    { requestContext: { ...requestContext, ...(authorizer && { authorizer }) }, body },
    context,
  );
  expect(inputs).toEqual([{ connectionId: 'c', connectedAtMs: 1, frame: { positions: [] }, ...expected }]);
});
