import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { assemble as assembleConnect } from '../../../services/connect/assemble.ts';
import { connect } from '../../../services/connect/connect.ts';
import { assemble as assembleDisconnect } from '../../../services/disconnect/assemble.ts';
import { disconnect } from '../../../services/disconnect/disconnect.ts';
import { createAdmissions } from '../../../shared/data/admissions.ts';
import { CONNECTION_TTL_SECONDS, createConnections } from '../../../shared/data/connections.ts';
import { lifecycle } from '../../../shared/lambda/lifecycle.ts';
import { logger } from '../../../shared/lambda/logger.ts';
import type { CompleteLimits } from '../../../shared/protocol/limits.ts';
import { RefusedError } from '../../../shared/retry.ts';
import { type MakeRequest, MemoryDynamoDB } from '../../memory/dynamodb.ts';
import { NOTHING_LIMITED } from '../../support/no-limits.ts';

logger.setLogLevel('SILENT');
const context = { awsRequestId: 'r', getRemainingTimeInMillis: () => 1_000 };
const atOnce: MakeRequest = async (_, perform) => perform();
/** Answers some time later, so that requests of several handshakes mix. */
const later: MakeRequest = async (_, perform) => {
  await new Promise(setImmediate);
  return perform();
};

/** Handshakes as the two routes see them. */
function houseWith(
  limits: Pick<CompleteLimits, 'connections' | 'connectionsPerUser'>,
  makeRequest: MakeRequest = atOnce,
) {
  let nowMs = Date.UTC(2026, 10, 28);
  const now = () => nowMs;
  const tables = new MemoryDynamoDB({ now });
  const dynamodb = tables.client(makeRequest);
  const clock = { now, wait: async () => {}, random: () => 0, newId: () => 'id' };
  const config = {
    ...{ connectionsTable: 'connections', subscriptionsTable: 'subscriptions', accessTable: 'access' },
    ...{ closingQueueUrl: 'closing', authorization: 'required' as const },
    limits: { ...NOTHING_LIMITED, ...limits },
  };
  const late = async () => ({ sqs: {} }) as never; // nothing ends soon
  const connecting = lifecycle((event: Parameters<typeof connect>[0]) =>
    connect(event, assembleConnect(config, { dynamodb, late }, clock)),
  );
  const eventOf = (connectionId: string, userId?: string) => {
    const authorizer = { rights: '{}', ...(userId !== undefined && { userId }) };
    return { requestContext: { connectionId, connectedAt: now(), authorizer } } as never; // no more is read
  };
  return {
    tables,
    advance: (ms: number) => {
      nowMs += ms;
    },
    statusOf: async (connectionId: string, userId?: string) =>
      (await connecting(eventOf(connectionId, userId), context)).statusCode,
    end: (connectionId: string, userId?: string) =>
      disconnect(eventOf(connectionId, userId), assembleDisconnect(config, { dynamodb }, clock)),
    /** `meanwhile` is when all that were there have been seen. */
    recount: (meanwhile: () => Promise<unknown> = async () => {}) => {
      const pages = async function* () {
        yield* createConnections(dynamodb, 'connections', now).all();
        await meanwhile();
      };
      return createAdmissions(dynamodb, config, limits, now).mend(pages());
    },
    expire: () => tables.expire(nowMs),
    rows: () => tables.items('connections').map(({ connectionId }) => connectionId?.S),
  };
}

const statusesOf = (house: ReturnType<typeof houseWith>, ids: readonly string[], userId?: string) =>
  Promise.all(ids.map((id) => house.statusOf(id, userId)));
const idsOf = (count: number) => Array.from({ length: count }, (_, n) => `c${n}`);
const passedIn = (statuses: readonly number[]) => statuses.filter((status) => status === 200).length;

describe('the connections of a user', () => {
  it('are as many as the settings say, and the others get 429', async () => {
    const house = houseWith({ connectionsPerUser: 2 });
    expect([await house.statusOf('a', 'ada'), await house.statusOf('b', 'ada')]).toEqual([200, 200]);
    expect(await house.statusOf('c', 'ada')).toBe(429);
    expect(await house.statusOf('d', 'bob')).toBe(200);
    // Nobody is no user.
    expect(await statusesOf(house, ['e', 'f', 'g'])).toEqual([200, 200, 200]);
    expect(house.rows()).not.toContain('c');
    await house.end('a', 'ada');
    expect(await house.statusOf('h', 'ada')).toBe(200);
    expect(await house.statusOf('i', 'ada')).toBe(429);
  });

  it('are never more, however many handshakes race', async () => {
    const house = houseWith({ connectionsPerUser: 5 }, later);
    expect(passedIn(await statusesOf(house, idsOf(50), 'ada'))).toBe(5);
    expect(house.rows()).toHaveLength(5);
  });

  it('make way when they are gone without a word, or their time is over', async () => {
    const house = houseWith({ connectionsPerUser: 2 });
    await statusesOf(house, ['a', 'b'], 'ada');
    // The sweep, or a 410, has deleted its item.
    await createConnections(house.tables.client(), 'connections', () => 0).close('a');
    expect([await house.statusOf('c', 'ada'), await house.statusOf('d', 'ada')]).toEqual([200, 429]);
    house.advance(CONNECTION_TTL_SECONDS * 1_000 + 1_000);
    expect([await house.statusOf('e', 'ada'), await house.statusOf('f', 'ada')]).toEqual([200, 200]);
    expect(await house.statusOf('g', 'ada')).toBe(429);
  });
});

it('the places of a user are kept for as long as the newest of its connections may last', async () => {
  const house = houseWith({ connectionsPerUser: 2 });
  await house.statusOf('a', 'ada');
  house.advance((CONNECTION_TTL_SECONDS * 1_000) / 2);
  await house.statusOf('b', 'ada');
  house.advance((CONNECTION_TTL_SECONDS * 1_000) / 2 + 1_000);
  house.expire();
  expect(house.rows()).toEqual(['b']);
  expect([await house.statusOf('c', 'ada'), await house.statusOf('d', 'ada')]).toEqual([200, 429]);
});

describe('all connections', () => {
  it('are as many as the settings say, and the others get 429', async () => {
    const house = houseWith({ connections: 3 }, later);
    expect(passedIn(await statusesOf(house, idsOf(10)))).toBe(3);
    expect(house.rows()).toHaveLength(3);
    const [open = ''] = house.rows();
    await house.end(open);
    expect(await statusesOf(house, ['x', 'y'])).toEqual(expect.arrayContaining([200, 429]));
  });

  it('are not counted when they are refused for another reason', async () => {
    const house = houseWith({ connections: 3, connectionsPerUser: 1 });
    expect(passedIn(await statusesOf(house, idsOf(10), 'ada'))).toBe(1);
    expect(await statusesOf(house, ['x', 'y', 'z'])).toEqual([200, 200, 429]);
  });

  it('are counted anew by the sweep, which finds those that went without a word, and those from before', async () => {
    const house = houseWith({ connections: 3 });
    const connections = createConnections(house.tables.client(), 'connections', () => Date.UTC(2026, 10, 28));
    await connections.open({ connectionId: 'old', connectedAtMs: Date.UTC(2026, 10, 28) });
    expect(await house.recount()).toBe(1);
    expect(await statusesOf(house, ['a', 'b', 'c'])).toEqual([200, 200, 429]);
    await connections.close('a');
    expect(await house.recount()).toBe(-1);
    expect(await house.recount()).toBe(0);
    expect(await statusesOf(house, ['d', 'e'])).toEqual([200, 429]);
  });

  it('are not miscounted because of those that come and go while they are counted', async () => {
    const house = houseWith({ connections: 3 });
    await statusesOf(house, ['a', 'b']);
    expect(await house.recount(() => house.end('a'))).toBe(0);
    expect(await house.recount(() => house.statusOf('c'))).toBe(0);
    expect(await statusesOf(house, ['d', 'e'])).toEqual([200, 429]);
    // Of five two were never counted: that one ends is no mistake.
    const connectedAtMs = Date.UTC(2026, 10, 28);
    const connections = createConnections(house.tables.client(), 'connections', () => connectedAtMs);
    for (const connectionId of ['x', 'y']) await connections.open({ connectionId, connectedAtMs });
    expect(await house.recount(() => house.end('b'))).toBe(2);
  });

  it('are never fewer than none, however often their end is told', async () => {
    const house = houseWith({ connections: 1 });
    await house.statusOf('a');
    for (let n = 0; n < 3; n++) await house.end('a');
    expect(await statusesOf(house, ['b', 'c'])).toEqual([200, 429]);
  });
});

describe('while the table of limits', () => {
  const throttled = new RefusedError('throttled');
  const down = Object.assign(new Error('down'), { $metadata: { httpStatusCode: 500 } });
  /** Fails in operations of the table, while there is an error to fail with. */
  function failing(...operations: readonly string[]) {
    const mood: { error: Error | undefined } = { error: undefined };
    const makeRequest: MakeRequest = async ({ table, operation }, perform) => {
      if (mood.error && table === 'access' && operations.includes(operation)) throw mood.error;
      return perform();
    };
    return { mood, house: houseWith({ connections: 3, connectionsPerUser: 1 }, makeRequest) };
  }

  it.each([
    ['is throttled', throttled],
    ['is down', down],
  ])('%s, connections are let in and closed uncounted, and the log says so', async (_, error) => {
    const { mood, house } = failing('UpdateItem', 'GetItem');
    mood.error = error;
    const warn = vi.spyOn(logger, 'warn');
    onTestFinished(() => warn.mockRestore());
    expect(await statusesOf(house, ['a', 'b', 'c', 'd'], 'ada')).toEqual([200, 200, 200, 200]);
    expect(warn).toHaveBeenCalledWith('allowance not asked', expect.objectContaining({ error, times: 1 }));
    await house.end('a', 'ada');
    expect(house.rows()).toEqual(['b', 'c', 'd']);
    mood.error = undefined;
    await house.recount();
    expect(await house.statusOf('e', 'bob')).toBe(429);
  });

  it('cannot be asked what was revoked, nobody with a token is let in', async () => {
    const { mood, house } = failing('UpdateItem', 'GetItem', 'BatchGetItem');
    mood.error = throttled;
    expect(await house.statusOf('a', 'ada')).toBe(500);
    expect(house.rows()).toEqual([]);
  });

  it('fails for another reason, that is a failure', async () => {
    const { mood, house } = failing('UpdateItem');
    mood.error = new Error('AccessDenied');
    expect(await house.statusOf('a')).toBe(500);
    await expect(house.end('a')).rejects.toThrow('AccessDenied');
  });
});

it('writes nothing where nothing is limited', async () => {
  const house = houseWith({});
  expect(passedIn(await statusesOf(house, idsOf(5), 'ada'))).toBe(5);
  await house.end('c0', 'ada');
  expect(await house.recount()).toBe(0);
  expect(house.tables.items('access')).toEqual([]);
});
