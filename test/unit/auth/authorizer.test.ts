import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { authorizer, type Verdict } from '../../../shared/lambda/authorizer.ts';
import { logger } from '../../../shared/lambda/logger.ts';

const logged: unknown[] = [];
beforeEach(() => {
  logged.length = 0;
  vi.spyOn(logger, 'warn').mockImplementation((...line) => void logged.push(line));
  vi.spyOn(logger, 'error').mockImplementation((...[, error]) => void logged.push(error));
});
afterEach(() => vi.restoreAllMocks());

const METHOD = 'arn:aws:execute-api:eu-west-1:000000000000:api/prod/$connect';
const event = {
  methodArn: METHOD,
  requestContext: {
    ...{ connectionId: 'c', requestId: 'r', routeKey: '$connect', connectedAt: 1, requestTimeEpoch: 1 },
  },
  multiValueHeaders: { Authorization: ['Bearer the-token'] },
};
// What Lambda gives beside the event; the stack reads the request id only.
const context = { awsRequestId: 'aws', getRemainingTimeInMillis: () => 1_000 };
const resultOf = (verdict: Verdict) => authorizer(async () => verdict)(event, context);

it('allows this handshake and nothing else, with the context', async () => {
  const admitted = { principalId: 'alice', context: { userId: 'alice', rights: '{}', expiresAt: 7 } };
  expect(await resultOf(admitted)).toEqual({
    ...admitted,
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: METHOD }],
    },
  });
  expect(logged).toEqual([]);
});

it('denies with a policy, which is 403', async () => {
  const { policyDocument, context: given } = await resultOf({ status: 403, reason: 'user_id' });
  expect([policyDocument.Statement[0].Effect, given]).toEqual(['Deny', undefined]);
});

it('throws the one text that is 401', async () => {
  await expect(resultOf({ status: 401, reason: 'expired' })).rejects.toThrow(/^Unauthorized$/);
});

it.each([401, 403] as const)('logs why it refuses with %s, and nothing of the token', async (status) => {
  await resultOf({ status, reason: 'user_id' }).catch(() => {});
  expect(logged).toEqual([['handshake refused: user_id', { status, reason: 'user_id' }]]);
});

it('logs what is to be done about it, in the line that a terminal shows', async () => {
  const verdict = { status: 401, reason: 'closed', hint: 'open it' } as const;
  await resultOf(verdict).catch(() => {});
  expect(logged).toEqual([['handshake refused: closed: open it', verdict]]);
});

it('lets any other error go on, which is 500, and logs it once', async () => {
  const failing = authorizer(async () => {
    throw new Error('no keys');
  });
  await expect(failing(event, context)).rejects.toThrow('no keys');
  expect(logged).toEqual([new Error('no keys')]);
});
