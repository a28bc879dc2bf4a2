import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { assemble as assembleClose } from '../../../services/close/assemble.ts';
import { type CloseDeps, close } from '../../../services/close/close.ts';
import { assemble as assembleConnect } from '../../../services/connect/assemble.ts';
import { connect } from '../../../services/connect/connect.ts';
import { grant } from '../../../shared/auth/grants.ts';
import { parseJwt, tokenIdOf } from '../../../shared/auth/jwt.ts';
import { type RevocationOptions, revocation } from '../../../shared/auth/revocation.ts';
import { createSubjects } from '../../../shared/auth/subject.ts';
import { userIdOf } from '../../../shared/auth/user.ts';
import { type Connections, createConnections } from '../../../shared/data/connections.ts';
import { createRevocations } from '../../../shared/data/revocations.ts';
import { createSubscriptions } from '../../../shared/data/subscriptions.ts';
import type { ConnectEvent, QueueRecord } from '../../../shared/lambda/events.ts';
import { lifecycle } from '../../../shared/lambda/lifecycle.ts';
import { logger } from '../../../shared/lambda/logger.ts';
import { parsePattern } from '../../../shared/protocol/topic.ts';
import { MemoryDynamoDB } from '../../memory/dynamodb.ts';
import { CLAIMS, ISSUER, signingKey } from '../../support/issuer.ts';
import { NOTHING_LIMITED } from '../../support/no-limits.ts';
import { queueRecord } from '../../support/records.ts';

const isNoted = async (connections: Pick<Connections, 'standing'>, connectionId: string) =>
  (await connections.standing(connectionId)) !== undefined;

const NOW_MS = Date.UTC(2026, 10, 20);
const NOW_SECONDS = NOW_MS / 1000;
const GRACE_SECONDS = 30;
const MINUTE_MS = 60_000;
const pattern = parsePattern('chat/lobby');

const logged: unknown[] = [];
beforeEach(() => {
  logged.length = 0;
  vi.spyOn(logger, 'warn').mockImplementation((...line) => void logged.push(line));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

interface Delayed {
  readonly body: string;
  readonly atMs: number;
}

/** Everything that opens and closes connections, on tables in memory and a clock that is moved by hand. */
function houseOf() {
  let nowMs = NOW_MS;
  /** How far behind the index of users is. */
  let lagMs = 0;
  const clock = { now: () => nowMs, wait: async () => {}, random: () => 0, newId: () => 'id' };
  const tables = new MemoryDynamoDB({ now: clock.now });
  const dynamodb = tables.client(async ({ isEventual }, perform) => perform(isEventual ? { lagMs } : {}));
  const delayed: Delayed[] = [];
  const buried: { readonly body: string; readonly reason: string }[] = [];
  const sqs = {
    send: async ({ input }: never) => {
      const { QueueUrl, MessageBody: body, DelaySeconds = 0, MessageAttributes } = input as SentInput;
      if (QueueUrl === 'dead letters')
        buried.push({ body, reason: MessageAttributes?.reason?.StringValue ?? '' });
      else delayed.push({ body, atMs: nowMs + DelaySeconds * 1000 });
    },
  } as never;
  const config = {
    ...{ connectionsTable: 'connections', subscriptionsTable: 'subscriptions', accessTable: 'access' },
    ...{ closingQueueUrl: 'closing', badEventsUrl: 'dead letters' },
    authorization: 'required',
    limits: NOTHING_LIMITED,
  } as const;
  const connectDeps = assembleConnect(config, { dynamodb, late: async () => ({ sqs }) }, clock);
  const connections = createConnections(dynamodb, 'connections', clock.now);
  const subscriptions = createSubscriptions(dynamodb, 'subscriptions', clock);
  /** Those that API Gateway knows, and the frames that they have got. */
  const open = new Map<string, object[]>();
  const closed: Record<string, object[]> = {};
  const closeDeps: CloseDeps = {
    ...assembleClose(config, { dynamodb, sqs, management: {} as never }, clock),
    post: async (connectionId, frame) => {
      open.get(connectionId)?.push(JSON.parse(Buffer.from(frame).toString()));
      return { outcome: open.has(connectionId) ? 'delivered' : 'gone' };
    },
    disconnect: async (connectionId) => {
      const frames = open.get(connectionId);
      if (frames) closed[connectionId] = frames;
      return open.delete(connectionId);
    },
  };
  /** The same with the deadlines that it has; posts have no answer. */
  const hangingDeps: CloseDeps = assembleClose(
    config,
    {
      ...{ dynamodb, sqs },
      management: {
        send: async ({ input }: { readonly input: { readonly ConnectionId: string } }) =>
          'Data' in input ? new Promise(() => {}) : open.delete(input.ConnectionId),
      } as never,
    },
    clock,
  );
  /** `until` is what happens before API Gateway has the answer of `$connect`. */
  const shake = async (
    connectionId: string,
    authorizer: object,
    { deps = connectDeps, until = async () => {} } = {},
  ): Promise<number> => {
    const handshake = lifecycle((event: ConnectEvent) => connect(event, deps));
    const requestContext = { connectionId, connectedAt: nowMs, authorizer };
    const context = { awsRequestId: 'aws', getRemainingTimeInMillis: () => 1_000 };
    const { statusCode } = await handshake({ requestContext } as never, context);
    await until();
    if (statusCode === 200) open.set(connectionId, []);
    return statusCode;
  };
  const work = (records: readonly QueueRecord[], deps = closeDeps, stopAtMs = Infinity) =>
    close(records, deps, stopAtMs);
  const revokeRecord = (detail: object, atMs = nowMs) =>
    queueRecord({ messageId: 'm', body: revokeEvent(detail, atMs), sentAtMs: nowMs });
  return {
    ...{
      shake,
      connections,
      subscriptions,
      connectDeps,
      closeDeps,
      hangingDeps,
      open,
      closed,
      delayed,
      buried,
      work,
    },
    revokeRecord,
    revocations: createRevocations(dynamodb, 'access', clock),
    /** A back end revokes; the event comes to the worker. */
    revoke: (detail: object, atMs = nowMs) => work([revokeRecord(detail, atMs)]),
    subscribe: async (connectionId: string) => {
      await connections.addSubscription(connectionId, pattern, 0, 10);
      await subscriptions.put({ connectionId, pattern, shard: 0 }, NOW_SECONDS + 7_200);
    },
    subscribers: async () => (await Array.fromAsync(subscriptions.subscribers({ pattern, shard: 0 }))).flat(),
    lag: (ms: number) => {
      lagMs = ms;
    },
    /** Lets time pass; the queue hands out what is due meanwhile. */
    pass: async (ms: number) => {
      const endMs = nowMs + ms;
      for (;;) {
        const [due] = delayed.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
        if (!due) break;
        delayed.splice(delayed.indexOf(due), 1);
        nowMs = Math.max(nowMs, due.atMs);
        expect((await work([queueRecord({ messageId: 'm', body: due.body })])).failed).toEqual([]);
      }
      nowMs = endMs;
    },
  };
}
interface SentInput {
  readonly QueueUrl: string;
  readonly MessageBody: string;
  readonly DelaySeconds?: number;
  readonly MessageAttributes?: Readonly<Record<string, { readonly StringValue: string }>>;
}

const revokeEvent = (detail: unknown, atMs: number): string =>
  JSON.stringify({
    ...{ id: 'e', time: new Date(atMs).toISOString(), 'detail-type': 'fanwire.revoke' },
    ...{ source: 'my.shop', detail },
  });

const tokenOf = (userId: string, issuedAt = NOW_SECONDS, tokenId = 'one', expiresIn = 3_600) => ({
  ...{ userId, issuedAt, tokenId, rights: '{}', expiresAt: issuedAt + expiresIn },
});
const closing = (code: string, reconnect: boolean) => ({
  ...{ type: 'closing', code, reconnect, message: expect.any(String) },
});

describe('a handshake', () => {
  it('with a token that was revoked is refused, and leaves nothing', async () => {
    const { shake, revoke, connections } = houseOf();
    await revoke({ userId: 'ada' });
    expect(await shake('c', tokenOf('ada'))).toBe(401);
    expect(await isNoted(connections, 'c')).toBe(false);
    const reason = 'expected a good token, got one that was revoked';
    expect(logged).toEqual([[`handshake refused: ${reason}`, { status: 401, reason }]]);
  });

  it.each([
    ['that was issued later', tokenOf('ada', NOW_SECONDS + 1)],
    ['of somebody else', tokenOf('adam')],
    ['of nobody', { rights: '{}' }],
  ])('with a token %s goes on', async (_, token) => {
    const { shake, revoke, connections } = houseOf();
    await revoke({ userId: 'ada' });
    expect(await shake('c', token)).toBe(200);
    expect(await isNoted(connections, 'c')).toBe(true);
  });

  it('with one token of a user is refused, and with another goes on', async () => {
    const { shake, revoke } = houseOf();
    await revoke({ userId: 'ada', tokenId: 'one' });
    expect(await shake('c', tokenOf('ada', NOW_SECONDS + 1, 'one'))).toBe(401);
    expect(await shake('d', tokenOf('ada', NOW_SECONDS, 'two'))).toBe(200);
  });

  it('that has passed the authorizer when its token is revoked is refused', async () => {
    const { shake, revoke, connectDeps, connections } = houseOf();
    const open = async (...row: Parameters<typeof connections.open>) => {
      await revoke({ userId: 'ada' });
      await connections.open(...row);
    };
    const deps = { ...connectDeps, connections: { ...connections, open } };
    expect(await shake('c', tokenOf('ada'), { deps })).toBe(401);
    expect(await isNoted(connections, 'c')).toBe(false);
  });

  it('that has seen nothing of a revocation is closed when it is over, though the index lags behind', async () => {
    const { shake, revoke, lag, pass, open, closed } = houseOf();
    lag(8_000);
    const until = async () => void (await revoke({ userId: 'ada' }));
    expect(await shake('c', tokenOf('ada'), { until })).toBe(200);
    await pass(30_000);
    expect([...open.keys()]).toEqual([]);
    expect(closed).toEqual({ c: [closing('revoked', false)] });
  });

  it('that was found before API Gateway could close it is closed when it is over', async () => {
    const { shake, revoke, pass, open, connections } = houseOf();
    const until = async () => void (await revoke({ userId: 'ada' }));
    expect(await shake('c', tokenOf('ada'), { until })).toBe(200);
    expect([...open.keys()]).toEqual(['c']);
    await pass(30_000);
    expect([...open.keys()]).toEqual([]);
    expect(await isNoted(connections, 'c')).toBe(false);
  });
});

describe('a revocation', () => {
  it('of a user closes all connections of that user, and none of another', async () => {
    const { shake, revoke, closed, open, subscribe, subscribers, connections } = houseOf();
    for (const id of ['a1', 'a2']) await shake(id, tokenOf('ada', NOW_SECONDS - 60, id));
    await shake('b', tokenOf('bob'));
    await shake('nobody', { rights: '{}' });
    for (const id of ['a1', 'b']) await subscribe(id);
    expect(await revoke({ userId: 'ada' })).toEqual({ failed: [], remarks: undefined });
    expect(closed).toEqual({ a1: [closing('revoked', false)], a2: [closing('revoked', false)] });
    expect([...open.keys()]).toEqual(['b', 'nobody']);
    expect(await subscribers()).toEqual(['b']);
    expect([await isNoted(connections, 'a1'), await isNoted(connections, 'b')]).toEqual([false, true]);
  });

  it('of one token closes its connections, which may come again with another', async () => {
    const { shake, revoke, closed, open } = houseOf();
    for (const id of ['one', 'two']) await shake(id, tokenOf('ada', NOW_SECONDS, id));
    await revoke({ userId: 'ada', tokenId: 'one' });
    expect(closed).toEqual({ one: [closing('revoked', true)] });
    expect([...open.keys()]).toEqual(['two']);
  });

  it('that comes again cuts nothing that is newer', async () => {
    const { shake, revoke, pass, closed, open } = houseOf();
    await revoke({ userId: 'ada' });
    await pass(1_000);
    expect(await shake('new', tokenOf('ada', NOW_SECONDS + 1))).toBe(200);
    await pass(30_000);
    await revoke({ userId: 'ada' }, NOW_MS);
    await pass(30_000);
    expect([closed, [...open.keys()]]).toEqual([{}, ['new']]);
  });

  it('is of the whole second, and of no time that is still to come', async () => {
    const { shake, revoke, pass, closed, open } = houseOf();
    await pass(700);
    await shake('same', tokenOf('ada', NOW_SECONDS));
    await shake('next', tokenOf('ada', NOW_SECONDS + 1));
    await revoke({ userId: 'ada' }, NOW_MS + MINUTE_MS);
    expect([Object.keys(closed), [...open.keys()]]).toEqual([['same'], ['next']]);
  });

  it('finds a connection by the token that it was renewed with, too', async () => {
    const { shake, revoke, closed, closeDeps, work } = houseOf();
    await shake('c', tokenOf('ada', NOW_SECONDS - 60, 'old'));
    const renewedWith = (issuedAtMs: number) => ({
      ...closeDeps,
      connections: {
        ...closeDeps.connections,
        held: async () => ({
          endsAtMs: NOW_MS + MINUTE_MS,
          tokens: [
            { tokenId: 'old', issuedAtMs: NOW_MS - MINUTE_MS },
            { tokenId: 'new', issuedAtMs },
          ] as const,
        }),
      },
    });
    const ofUser = queueRecord({
      messageId: 'm',
      body: revokeEvent({ userId: 'ada' }, NOW_MS),
      sentAtMs: NOW_MS,
    });
    // What it was opened with gives it rights still, but its client has a token that is good.
    await work([ofUser], renewedWith(NOW_MS + 1_000));
    expect(closed.c).toEqual([closing('revoked', true)]);
    await shake('c', tokenOf('ada', NOW_SECONDS + 60, 'old'));
    await work([ofUser], renewedWith(NOW_MS));
    expect(closed.c).toEqual([closing('revoked', false)]);
    await shake('c', tokenOf('ada', NOW_SECONDS + 60, 'old'));
    await revoke({ userId: 'ada', tokenId: 'other' });
    expect(closed.c).toHaveLength(1);
  });

  it('looks three times in all, and then no more', async () => {
    const { revoke, delayed, pass } = houseOf();
    await revoke({ userId: 'ada' });
    const times: number[] = [];
    while (delayed[0]) {
      times.push(delayed[0].atMs - NOW_MS);
      await pass(12_000);
    }
    expect(times).toEqual([12_000, 24_000]);
  });

  it.each<[string, string, RegExp]>([
    ['no user', revokeEvent({}, NOW_MS), /userId .* got nothing/],
    ['a user that is none', revokeEvent({ userId: 'a/b' }, NOW_MS), /userId .* got "a\/b"/],
    [
      'an id that is too long',
      revokeEvent({ userId: 'ada', tokenId: 'x'.repeat(65) }, NOW_MS),
      /tokenId .*SHA-256/,
    ],
    ['a token that is none', revokeEvent({ userId: 'ada', tokenId: 'a b' }, NOW_MS), /tokenId .* got "a b"/],
    ['fields that nobody knows', revokeEvent({ userId: 'ada', token: 'x' }, NOW_MS), /token/],
    ['no object', revokeEvent('ada', NOW_MS), /detail to be an object/],
    ['no time', JSON.stringify({ id: 'e', detail: { userId: 'ada' } }), /a time/],
    ['no JSON', 'revoke ada', /an EventBridge event/],
  ])('with %s becomes a dead letter that says why', async (_, body, reason) => {
    const { work, buried } = houseOf();
    const good = queueRecord({ messageId: 'good', body: revokeEvent({ userId: 'ada' }, NOW_MS) });
    expect(await work([queueRecord({ messageId: 'bad', body }), good])).toMatchObject({ failed: [] });
    expect(buried).toEqual([{ body, reason: expect.stringMatching(reason) }]);
  });

  it('closes the others when one cannot be closed, and comes again for that one', async () => {
    const { shake, work, open, closeDeps } = houseOf();
    for (const id of ['a', 'b', 'c']) await shake(id, tokenOf('ada'));
    const disconnect = async (id: string) => {
      if (id === 'b') throw new Error('throttled');
      return closeDeps.disconnect(id);
    };
    const record = queueRecord({
      messageId: 'm',
      body: revokeEvent({ userId: 'ada' }, NOW_MS),
      sentAtMs: NOW_MS,
    });
    const other = queueRecord({ messageId: 'n', body: '{"connectionIds":[]}' });
    const { failed } = await work([record, other], { ...closeDeps, disconnect });
    expect(failed).toEqual([{ record, reason: new Error('throttled') }]);
    expect([...open.keys()]).toEqual(['b']);
    await work([record]);
    expect([...open.keys()]).toEqual([]);
  });

  it('begins nothing new when its time is over', async () => {
    const { shake, work, open, closeDeps } = houseOf();
    await shake('a', tokenOf('ada'));
    const record = queueRecord({
      messageId: 'm',
      body: revokeEvent({ userId: 'ada' }, NOW_MS),
      sentAtMs: NOW_MS,
    });
    expect((await work([record], closeDeps, NOW_MS)).failed).toHaveLength(1);
    expect([...open.keys()]).toEqual(['a']);
  });

  it('closes a thousand connections that hang within half a minute', async () => {
    const { shake, open, work, hangingDeps, revokeRecord } = houseOf();
    const ids = Array.from({ length: 1_000 }, (_, n) => `c${n}`);
    for (const id of ids) await shake(id, tokenOf('ada'));
    vi.useFakeTimers({ now: NOW_MS, toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const startedAtMs = Date.now();
    const one = work([revokeRecord({ userId: 'ada' })], hangingDeps);
    let isDone = false;
    one.finally(() => {
      isDone = true;
    });
    while (!isDone) await vi.advanceTimersByTimeAsync(100);
    expect(await one).toEqual({ failed: [], remarks: { untold: 1_000 } });
    expect(Date.now() - startedAtMs).toBeLessThan(15_000);
    expect([...open.keys()]).toEqual([]);
  });

  it('closes a connection that does not take the frame', async () => {
    const { shake, work, open, closeDeps, connections } = houseOf();
    await shake('a', tokenOf('ada'));
    const post = async () => ({ outcome: 'unanswered', reason: '' }) as const;
    const record = queueRecord({
      messageId: 'm',
      body: revokeEvent({ userId: 'ada' }, NOW_MS),
      sentAtMs: NOW_MS,
    });
    expect(await work([record], { ...closeDeps, post })).toEqual({ failed: [], remarks: { untold: 1 } });
    expect([[...open.keys()], await isNoted(connections, 'a')]).toEqual([[], false]);
  });
});

describe('the end of a token', () => {
  const SHORT_SECONDS = 60;
  const endMs = (SHORT_SECONDS + GRACE_SECONDS) * 1000;

  it('that is near when a connection opens closes it then, and not before', async () => {
    const { shake, pass, open, closed, connections } = houseOf();
    await shake('c', tokenOf('ada', NOW_SECONDS, 'one', SHORT_SECONDS));
    await pass(endMs - 1);
    expect([...open.keys()]).toEqual(['c']);
    await pass(1);
    expect(closed).toEqual({ c: [closing('expired', true)] });
    expect(await isNoted(connections, 'c')).toBe(false);
  });

  it('that is far asks for nothing when a connection opens', async () => {
    const { shake, delayed } = houseOf();
    await shake('c', tokenOf('ada'));
    await shake('nobody', { rights: '{}' });
    expect(delayed).toEqual([]);
  });

  it('is the one of the newest token', async () => {
    const { shake, pass, open, closed, connections } = houseOf();
    await shake('c', tokenOf('ada', NOW_SECONDS, 'one', SHORT_SECONDS));
    // Its row says another end by then, which is soon; at last one that is far.
    const renew = (endsAtMs: number) =>
      connections.open({ connectionId: 'c', userId: 'ada', connectedAtMs: NOW_MS, tokenEndsAtMs: endsAtMs });
    await renew(NOW_MS + 2 * endMs);
    await pass(endMs);
    expect([...open.keys()]).toEqual(['c']);
    await pass(endMs - 1);
    expect(closed).toEqual({});
    await renew(NOW_MS + 3_600_000);
    await pass(1);
    expect([...open.keys()]).toEqual(['c']);
  });

  it('is looked at once, however often it was put off', async () => {
    const { shake, pass, open, closed, delayed, connections, closeDeps } = houseOf();
    await shake('c', tokenOf('ada', NOW_SECONDS, 'one', SHORT_SECONDS));
    for (let n = 1; n <= 100; n++) {
      const tokenEndsAtMs = NOW_MS + endMs + n * 5_000;
      await connections.open({ connectionId: 'c', userId: 'ada', connectedAtMs: NOW_MS, tokenEndsAtMs });
      await closeDeps.closings.closeAt('c', tokenEndsAtMs);
      await pass(5_000);
      // As many as are noted until the first of them is due.
      expect(delayed.length).toBeLessThanOrEqual(endMs / 5_000 + 1);
    }
    await pass(endMs - 1);
    expect([...open.keys()]).toEqual(['c']);
    await pass(1);
    expect([closed, delayed]).toEqual([{ c: [closing('expired', true)] }, []]);
  });

  it('is looked at again if it is not over by the clock of who looks', async () => {
    const { shake, pass, open, closed, work } = houseOf();
    await shake('c', tokenOf('ada', NOW_SECONDS, 'one', SHORT_SECONDS));
    await pass(endMs - 2_000);
    await work([queueRecord({ messageId: 'm', body: '{"connectionIds":["c"]}' })]);
    expect([...open.keys()]).toEqual(['c']);
    await pass(2_000);
    expect(Object.keys(closed)).toEqual(['c']);
  });

  it('closes a connection whose item TTL has deleted', async () => {
    const { shake, pass, closed, connections } = houseOf();
    await shake('c', tokenOf('ada', NOW_SECONDS, 'one', SHORT_SECONDS));
    await connections.close('c');
    await pass(endMs);
    expect(Object.keys(closed)).toEqual(['c']);
  });

  it('that comes during the handshake closes the connection after it', async () => {
    const { shake, pass, open } = houseOf();
    // The authorizer has taken a token that ended half a minute ago, because of clocks.
    const token = tokenOf('ada', NOW_SECONDS - SHORT_SECONDS - 29, 'one', SHORT_SECONDS);
    const until = () => pass(2_000);
    expect(await shake('c', token, { until })).toBe(200);
    expect([...open.keys()]).toEqual(['c']);
    await pass(12_000);
    expect([...open.keys()]).toEqual([]);
    await pass(3_600_000);
  });

  it('asks no more about a connection that has gone by itself', async () => {
    const { shake, pass, open, delayed, connections } = houseOf();
    await shake('c', tokenOf('ada', NOW_SECONDS, 'one', SHORT_SECONDS));
    open.clear();
    await connections.close('c');
    await pass(endMs);
    expect(delayed).toEqual([]);
  });
});

describe('what a back end sends', () => {
  const bus = { eventBusName: 'the-bus', source: 'my.shop' };
  const detailOf = (options: RevocationOptions) => JSON.parse(revocation(options, bus).Detail);
  const grantTo = (userId: string) =>
    grant({ userId, rights: {}, expiresIn: 60 }, { secret: 's'.repeat(32), audience: 'https://api.example' });

  it('is an event that the worker takes', async () => {
    const entry = revocation({ userId: 'ada' }, bus);
    expect(entry).toEqual({
      ...{ EventBusName: 'the-bus', Source: 'my.shop', DetailType: 'fanwire.revoke' },
      Detail: '{"userId":"ada"}',
    });
    const { shake, revoke, closed } = houseOf();
    await shake('c', tokenOf('ada'));
    await revoke(JSON.parse(entry.Detail));
    expect(Object.keys(closed)).toEqual(['c']);
  });

  it('names users and tokens as connections do', async () => {
    expect(detailOf({ userId: 'auth0|5f7c', tokenId: 'one' })).toEqual({
      userId: 'auth0~7C5f7c',
      tokenId: 'one',
    });
    const token = await grantTo('auth0|5f7c');
    expect(detailOf({ token })).toEqual({
      userId: 'auth0~7C5f7c',
      tokenId: JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti,
    });
  });

  it("names the user of a token as its issuer's tokens do, with the prefix", async () => {
    const token = signingKey('key').sign({ ...CLAIMS, jti: 'one' });
    const { sub } = createSubjects([{ issuer: ISSUER, userPrefix: 'staff:' }])(CLAIMS, ISSUER);
    expect(detailOf({ token, userPrefix: 'staff:' })).toEqual({ userId: userIdOf(sub), tokenId: 'one' });
  });

  it('names a token that has no id by a hash of it', async () => {
    const key = signingKey('key');
    const { jti: _, ...claims } = CLAIMS;
    const token = key.sign(claims);
    const tokenId = tokenIdOf(parseJwt(token), {});
    expect(detailOf({ token })).toEqual({ userId: 'alice', tokenId });
    const long = key.sign({ ...claims, jti: 'x'.repeat(65) });
    expect(detailOf({ token: long }).tokenId).toMatch(/^[\w-]{43}$/);
  });

  it.each<[RevocationOptions]>([
    [{ userId: '' }],
    [{ userId: 'ada', tokenId: '' }],
    [{ userId: 'ada', tokenId: 'a b' }],
    [{ userId: 'ada', tokenId: 'x'.repeat(65) }],
    [{ token: 'secret.text' }],
    [{ token: signingKey('key').sign({ jti: 'one' }) }],
  ])('is not made of %j, and no error has a token in it', (options) => {
    const error = (() => {
      try {
        return revocation(options, bus);
      } catch (caught) {
        return String(caught);
      }
    })();
    expect(error).toMatch(/expected /);
    expect(error).not.toContain(options.token ?? 'secret');
  });
});
