import { describe, expect, it } from 'vitest';
import { connect, protocolAnswer } from '../../../services/connect/connect.ts';
import { subscribe } from '../../../services/subscribe/subscribe.ts';
import { createGuard } from '../../../shared/auth/guard.ts';
import { publisherOf } from '../../../shared/auth/publisher.ts';
import { CONNECTION_TTL_SECONDS } from '../../../shared/data/connections.ts';
import { bearerOf } from '../../../shared/lambda/bearer.ts';
import type { ConnectEvent } from '../../../shared/lambda/events.ts';
import { parseSubscribe } from '../../../shared/protocol/parse.ts';
import { namespacesOf } from '../../support/namespaces.ts';
import { NEVER_RENEWED, NO_TOKENS } from '../../support/no-guard.ts';
import { NO_ADMISSIONS, NO_LIMITS, NOTHING_LIMITED } from '../../support/no-limits.ts';
import { TopicLog } from '../../support/topic-log.ts';

const NOW_MS = Date.UTC(2026, 10, 20);
const MINUTE_MS = 60_000;
const GRACE_MS = 30_000;
/** The items of connections that live by the token that they were opened with. */
const UNRENEWED = {
  addSubscription: async () => ({ shard: 0, standing: NEVER_RENEWED }),
  noteEnd: async () => {},
  standing: async () => NEVER_RENEWED,
};
const rights = JSON.stringify({ 'chat/*': ['subscribe'] });
const expiresAt = (NOW_MS + MINUTE_MS) / 1000;

it('without a right to history nobody rewinds, and what is missed is told as lost', async () => {
  const house = (operations: string[]) => {
    const log = new TopicLog();
    const bearer = bearerOf({ rights: JSON.stringify({ 'chat/*': operations }) });
    const deps = {
      ...log.reading(),
      logs: log.logs(),
      connections: UNRENEWED,
      subscriptions: { put: async () => true },
      shards: { ensure: async () => 1 },
      namespaces: namespacesOf({ chat: log.namespace }),
      subscriptionsMax: 10,
      guard: createGuard({ authorization: 'required', connections: UNRENEWED, now: () => log.nowMs }),
      takeToken: NO_TOKENS.takeGrant,
      limits: NO_LIMITS,
      random: () => 0,
    };
    const ask = (command: object) => {
      const frame = parseSubscribe({ action: 'subscribe', topic: log.topic, ...command });
      return subscribe({ connectionId: 'c', connectedAtMs: log.nowMs, bearer, frame }, deps);
    };
    return { log, ask };
  };
  for (const [operations, mayRead] of [
    [['subscribe'], false],
    [['subscribe', 'history'], true],
  ] as const) {
    const { log, ask } = house([...operations]);
    await log.publish(log.draft('a'), log.draft('b'));
    const { epoch } = await log.log();
    const recovered = await ask({ position: { epoch, offset: 0 } });
    expect(recovered).toMatchObject(
      mayRead
        ? { recovered: true, messages: expect.anything() }
        : { recovered: false, reason: 'recovery_off' },
    );
    if (mayRead) expect(await ask({ rewind: 2 })).toMatchObject({ offset: 2, messages: expect.anything() });
    else await expect(ask({ rewind: 2 })).rejects.toMatchObject({ code: 'forbidden' });
  }
});

describe('what there is for a connection', () => {
  const authorizer = { userId: 'ada', rights, expiresAt };
  const opened = async (
    requestContext: Partial<ConnectEvent['requestContext']>,
    authorization: 'required' | 'none',
    more: Partial<ConnectEvent> = {},
  ) => {
    const rows: object[] = [];
    const connections = { open: async (row: object) => void rows.push(row), close: async () => undefined };
    const revocations = { isRevoked: async () => false };
    const event = {
      requestContext: { connectionId: 'c', connectedAt: NOW_MS, ...requestContext },
      ...more,
    } as ConnectEvent;
    const closings = { closeAt: async () => {} };
    const places = { admissions: NO_ADMISSIONS, placesMax: NOTHING_LIMITED };
    await connect(event, { connections, authorization, revocations, closings, ...places, now: () => NOW_MS });
    return { row: rows[0], answer: protocolAnswer(event) };
  };

  it('ends with its token and the grace', async () => {
    const { row } = await opened({ authorizer }, 'required');
    expect(row).toMatchObject({ userId: 'ada', tokenEndsAtMs: NOW_MS + MINUTE_MS + GRACE_MS });
    const put: number[] = [];
    const deps = {
      connections: UNRENEWED,
      subscriptions: { put: async (_: object, seconds: number) => put.push(seconds) > 0 },
      shards: { ensure: async () => 1 },
      namespaces: namespacesOf({}),
      subscriptionsMax: 1,
      random: () => 0,
    };
    const frame = parseSubscribe({ action: 'subscribe', topic: 'chat/lobby' });
    for (const bearer of [bearerOf(authorizer), bearerOf({ rights })]) {
      const guard = createGuard({ authorization: 'required', connections: UNRENEWED, now: () => NOW_MS });
      const input = { connectionId: 'c', connectedAtMs: NOW_MS, bearer, frame };
      await subscribe(input, { ...deps, guard } as never); // no more is used of a topic without history
    }
    const [withToken, anonymous] = put.map((seconds) => seconds * 1000 - NOW_MS);
    expect([withToken, anonymous]).toEqual([MINUTE_MS + GRACE_MS, CONNECTION_TTL_SECONDS * 1000]);
  });

  it('is not noted if the authorizer was to be asked, and was not', async () => {
    await expect(opened({}, 'required')).rejects.toThrow('expected an authorizer');
  });

  it('is of the user that it says only where nobody is asked', async () => {
    const queryStringParameters = { userId: 'root' };
    expect((await opened({}, 'none', { queryStringParameters })).row).toMatchObject({ userId: 'root' });
    const { row } = await opened({ authorizer: { rights } }, 'required', { queryStringParameters });
    expect(row).not.toHaveProperty('userId');
  });

  it.each([
    [['fanwire, bearer.abc'], { 'Sec-WebSocket-Protocol': 'fanwire' }],
    [['bearer.abc', 'fanwire'], { 'Sec-WebSocket-Protocol': 'fanwire' }],
    [['graphql-ws'], undefined],
    [[], undefined],
  ])('answers those who offer %j with the one that is spoken', async (offers, expected) => {
    const multiValueHeaders = { 'sec-websocket-protocol': offers };
    expect((await opened({}, 'none', { multiValueHeaders })).answer).toEqual(expected);
  });
});

it('a bearer has what its token can be revoked by, if it has a token', () => {
  const issuedAt = NOW_MS / 1000;
  expect(bearerOf({ rights, tokenId: 'one', issuedAt })).toMatchObject({
    tokenId: 'one',
    issuedAtMs: NOW_MS,
  });
  expect(Object.keys(bearerOf({ rights, tokenId: '' }))).toEqual(['rights', 'expiresAtMs']);
});

it.each([
  [{ bearer: bearerOf({ rights, userId: 'ada' }) }, { userId: 'ada' }],
  [{ bearer: bearerOf({ rights, userId: '' }) }, {}],
  [{ bearer: bearerOf({ rights }) }, {}],
  [{}, { connectionId: 'c' }],
])('a publisher is told by its verified name, or not at all: %o', (from, publisher) => {
  expect(publisherOf({ connectionId: 'c', ...from })).toEqual(publisher);
});
