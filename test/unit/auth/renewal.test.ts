import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fault } from '../../../shared/auth/errors.ts';
import { logger } from '../../../shared/lambda/logger.ts';
import type { Rights } from '../../../shared/protocol/rights.ts';
import type { MakeRequest } from '../../memory/dynamodb.ts';
import { namespacesOf } from '../../support/namespaces.ts';
import { CONNECTED_AT_MS, Renewals, type Said } from '../../support/renewals.ts';

const MINUTE_MS = 60_000;
const GRACE_MS = 30_000;
const read = (...topics: string[]): Rights =>
  Object.fromEntries(topics.map((topic) => [topic, ['subscribe', 'history'] as const]));
const endAt = (minutes: number): number => minutes * MINUTE_MS + GRACE_MS;
const inMinutes = (minutes: number, rights: Rights = {}): Said => ({ rights, endsInMs: minutes * MINUTE_MS });
const grantOf = (minutes: number, rights: Rights, more: Said = {}) => ({
  grant: JSON.stringify({ ...inMinutes(minutes, rights), ...more }),
});
const isoAfter = (minutes: number): string => new Date(CONNECTED_AT_MS + minutes * MINUTE_MS).toISOString();

const logged: unknown[] = [];
beforeEach(() => {
  logged.length = 0;
  vi.spyOn(logger, 'warn').mockImplementation((...line) => void logged.push(line));
});
afterEach(() => vi.restoreAllMocks());

describe('a renewed connection', () => {
  it('goes on with what the new token covers, for as long as that', async () => {
    const house = await new Renewals(inMinutes(10, read('chat/*', 'old'))).open();
    for (const topic of ['chat/*', 'chat/lobby', 'old']) await house.subscribe(topic);
    expect(house.end).toBe(endAt(10));
    house.nowMs += 5 * MINUTE_MS;
    expect(await house.authenticate(inMinutes(60, read('chat/*')))).toEqual({
      ...{ type: 'ack', action: 'authenticate', expiresAt: isoAfter(60) },
    });
    expect(house.end).toBe(endAt(60));
    expect(['chat/*', 'chat/lobby', 'old'].map((topic) => house.endOf(topic))).toEqual([
      ...[endAt(60), endAt(60), endAt(10)],
    ]);
    // What only the first one covers ends with it, and its client is told.
    house.nowMs = CONNECTED_AT_MS + endAt(10) - 1;
    await house.ping();
    house.nowMs += 1;
    await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
    await house.unsubscribe('old');
    await house.ping();
    expect(await house.gets('chat/lobby')).toBe(true);
    expect(await house.gets('old')).toBe(false);
  });

  it('subscribes by either of its tokens, each until its end', async () => {
    const house = await new Renewals(inMinutes(10, read('a', 'both'))).open();
    await house.authenticate(inMinutes(60, read('b', 'both')));
    for (const topic of ['a', 'b', 'both']) await house.subscribe(topic);
    expect(['a', 'b', 'both'].map((topic) => house.endOf(topic))).toEqual([endAt(10), endAt(60), endAt(60)]);
    house.nowMs = CONNECTED_AT_MS + endAt(10) + 1;
    await expect(house.subscribe('a')).rejects.toMatchObject({ code: 'forbidden' });
    await house.subscribe('b');
    await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
  });

  it('goes on until half a minute after the end of a token that has just ended, and no longer', async () => {
    const house = await new Renewals(inMinutes(1, read('a'))).open();
    house.nowMs += MINUTE_MS + 10_000;
    expect(await house.authenticate(inMinutes(1, read('a')))).toMatchObject({ expiresAt: isoAfter(1) });
    expect(house.end).toBe(endAt(1));
  });

  it('loses at once what neither token covers, and is told', async () => {
    const house = await new Renewals(inMinutes(10, read('a'))).open();
    await house.authenticate(inMinutes(60, read('b')));
    for (const topic of ['a', 'b']) await house.subscribe(topic);
    await house.authenticate(inMinutes(90, read('c')));
    expect(await house.gets('a')).toBe(true);
    expect(await house.gets('b')).toBe(false);
    await expect(house.subscribe('b')).rejects.toMatchObject({ code: 'forbidden' });
    house.nowMs += 1_000;
    await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
    // A token that covers it again does not bring it back, because it would have a hole that nobody tells of.
    await house.authenticate(inMinutes(90, read('b', 'c')));
    expect(await house.gets('b')).toBe(false);
    await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
    await house.subscribe('b');
    await house.ping();
  });

  it('loses what only a token has covered that ended before the first, when another takes its place', async () => {
    const house = await new Renewals(inMinutes(60, read('a'))).open();
    await house.authenticate(inMinutes(30, read('b')));
    for (const topic of ['a', 'b']) await house.subscribe(topic);
    expect([house.endOf('a'), house.endOf('b')]).toEqual([endAt(60), endAt(30)]);
    await house.authenticate(inMinutes(20, read('c')));
    expect([await house.gets('a'), await house.gets('b')]).toEqual([true, false]);
    house.nowMs += 1_000;
    await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
  });

  it('keeps for less time what the next token covers for less', async () => {
    const house = await new Renewals(inMinutes(60, read('a'))).open();
    await house.authenticate(inMinutes(30, read('b')));
    await house.subscribe('b');
    await house.authenticate(inMinutes(20, read('b')));
    expect(house.endOf('b')).toBe(endAt(20));
    house.nowMs = CONNECTED_AT_MS + endAt(20);
    await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
  });

  it('may take a token that says less and ends earlier', async () => {
    const house = await new Renewals(inMinutes(10, read('a'))).open();
    await house.authenticate(inMinutes(60, read('*')));
    for (const topic of ['a', 'b']) await house.subscribe(topic);
    expect(await house.authenticate(inMinutes(5, read('b')))).toMatchObject({ expiresAt: isoAfter(5) });
    expect([house.end, house.endOf('a'), house.endOf('b')]).toEqual([endAt(10), endAt(10), endAt(5)]);
  });

  it('is looked at when its end is too near for the sweep', async () => {
    const house = await new Renewals(inMinutes(1)).open();
    await house.authenticate(inMinutes(2));
    await house.authenticate(inMinutes(60));
    expect(house.checks).toEqual([endAt(2)]);
  });

  it('holds its tokens and its grants, each of which can be revoked', async () => {
    const house = await new Renewals(inMinutes(10)).open();
    await house.authenticate({ ...inMinutes(60), tokenId: 'second' });
    await house.subscribe('team', grantOf(30, read('team'), { tokenId: 'granted' }));
    const held = await house.connections.held('c');
    expect(held?.tokens.map(({ tokenId }) => tokenId)).toEqual(['first', 'second', 'granted']);
    expect(held?.endsAtMs).toBe(CONNECTED_AT_MS + endAt(60));
  });

  it('keeps what is subscribed to with a grant until that ends', async () => {
    const house = await new Renewals(inMinutes(10, read('a'))).open();
    await house.subscribe('team', grantOf(30, read('team')));
    // Nothing outlives the tokens of its connection.
    expect(house.endOf('team')).toBe(endAt(10));
    await house.authenticate(inMinutes(20, read('a')));
    expect(house.endOf('team')).toBe(endAt(20));
    await house.authenticate(inMinutes(60, read('a')));
    expect(house.endOf('team')).toBe(endAt(30));
    expect(house.end).toBe(endAt(60));
  });

  it('has at most what API Gateway lets it live', async () => {
    const house = await new Renewals(inMinutes(10, read('a'))).open();
    await house.subscribe('a');
    await house.authenticate(inMinutes(24 * 60, read('a')));
    expect([house.end, house.endOf('a')]).toEqual([130 * MINUTE_MS, 130 * MINUTE_MS]);
  });

  it('takes one token in five seconds, and writes nothing of another', async () => {
    const house = await new Renewals(inMinutes(1, read('a'))).open();
    for (const topic of ['a', 'b']) await house.subscribe(topic, grantOf(1, read(topic)));
    await house.authenticateNow(inMinutes(2, read('a')));
    const written = house.tables.items('connections');
    const rows = house.tables.items('subscriptions');
    for (const [passedMs, retryAfterMs] of [
      [0, 5_000],
      [1_000, 4_000],
      [3_999, 1],
    ] as const) {
      house.nowMs += passedMs;
      const refused = house.authenticateNow({ ...inMinutes(2, read('b')), tokenId: 'third' });
      await expect(refused).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs });
    }
    expect([house.tables.items('connections'), house.tables.items('subscriptions')]).toEqual([written, rows]);
    house.nowMs += 1;
    expect(await house.authenticateNow(inMinutes(2))).toMatchObject({ type: 'ack' });
  });

  it('is done once, and answered so, if the SDK repeats requests whose answers were lost', async () => {
    const house = await new Renewals(inMinutes(1, read('a', 'b'))).open();
    for (const topic of ['a', 'b']) await house.subscribe(topic);
    const twice: MakeRequest = async (_, perform) => {
      perform();
      return perform();
    };
    expect(await house.authenticateNow(inMinutes(10, read('a')), twice)).toMatchObject({ type: 'ack' });
    expect([house.end, house.endOf('a'), house.endOf('b')]).toEqual([endAt(10), endAt(10), endAt(1)]);
  });

  it('has as few looks in the queue, whatever its client sends', async () => {
    const house = await new Renewals(inMinutes(1)).open();
    for (let n = 0; n < 1_000; n++) {
      await house.authenticateNow(inMinutes(2)).catch(() => {});
      house.nowMs += 10;
    }
    expect(house.checks).toEqual([endAt(2), endAt(2)]);
  });

  it('is one only while it lives', async () => {
    const house = await new Renewals(inMinutes(10)).open();
    house.nowMs += endAt(10);
    await expect(house.authenticate(inMinutes(60))).rejects.toMatchObject({ code: 'gone' });
  });
});

describe('a token that comes later', () => {
  it.each<[string, Said, string]>([
    ['is bad', { fault: Fault.signature }, 'unauthenticated'],
    ['of no issuer', { fault: Fault.issuer }, 'unauthenticated'],
    ['has ended', { fault: Fault.expired }, 'expired'],
    ['names a user that cannot be', { fault: Fault.userId }, 'forbidden'],
    ['is of another user', { userId: 'bob' }, 'forbidden'],
    ['was revoked', { tokenId: 'stolen' }, 'forbidden'],
    ['was issued before all were revoked', { issuedAt: CONNECTED_AT_MS / 1000 - 60 }, 'forbidden'],
    [
      'says more than a connection carries',
      {
        rights: Object.fromEntries(
          Array.from({ length: 95 }, (_, n) => [`${n}`.padStart(62, 'x'), ['publish']]),
        ),
      },
      'forbidden',
    ],
  ])('changes nothing if it %s', async (_, said, code) => {
    const house = await new Renewals(inMinutes(10, read('a'))).open();
    await house.revocations.revoke({ userId: 'ada', tokenId: 'stolen' }, house.nowMs);
    await house.revocations.revoke({ userId: 'ada' }, house.nowMs - 30_000);
    await house.subscribe('a');
    const before = house.tables.items('connections');
    await expect(house.authenticate({ ...inMinutes(60, read('b')), ...said })).rejects.toMatchObject({
      code,
    });
    const grant = JSON.stringify({ ...inMinutes(60, read('b')), ...said });
    const failure = await house.subscribe('b', { grant }).catch((error: Error) => error);
    expect(failure).toMatchObject({ code });
    expect(JSON.stringify([failure, String(failure), logged])).not.toMatch(/endsInMs|stolen|bob/);
    if (said.fault) {
      const fields = { reason: said.fault };
      expect(logged).toEqual(['token', 'grant'].map((what) => [`${what} refused: ${said.fault}`, fields]));
    }
    expect(house.tables.items('connections')).toEqual(before);
    expect([await house.gets('a'), await house.gets('b')]).toEqual([true, false]);
    await house.ping();
  });

  it('makes no user of a connection without one', async () => {
    const house = await new Renewals({ ...inMinutes(10), userId: '' }).open();
    await expect(house.authenticate(inMinutes(60))).rejects.toThrow('open a new connection');
    await expect(house.subscribe('a', grantOf(60, read('a')))).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('a grant that comes with a subscribe', () => {
  it('is a right to what it says, and ends the feed with itself', async () => {
    const house = await new Renewals(inMinutes(100)).open();
    await expect(house.subscribe('team')).rejects.toMatchObject({ code: 'forbidden' });
    expect(await house.subscribe('team', grantOf(5, read('team')))).toMatchObject({
      expiresAt: isoAfter(5),
    });
    expect(await house.gets('team')).toBe(true);
    // To this one subscription and no other.
    await expect(house.subscribe('team')).rejects.toMatchObject({ code: 'forbidden' });
    house.nowMs += endAt(5);
    expect(await house.gets('team')).toBe(false);
    await expect(house.ping()).rejects.toMatchObject({ code: 'gone' });
    await house.subscribe('team', grantOf(20, read('team')));
    await house.ping();
    expect(house.endOf('team')).toBe(endAt(20));
  });

  it.each([
    [{ team: ['subscribe'] }, 'team/private', {}],
    [{ team: ['subscribe'] }, 'team/*', {}],
    [{ team: ['subscribe'] }, 'teams', {}],
    [{ team: ['history'] }, 'team', {}],
    [{ 'team/*': ['subscribe'] }, 'team/a', { rewind: 3 }],
    [{}, 'team', {}],
  ] as const)('of %j gives no right to %s with %j', async (rights, topic, fields) => {
    const history = { messages: 10, seconds: 60 };
    const house = new Renewals(inMinutes(100), namespacesOf({ team: { history } }));
    await house.open();
    await expect(house.subscribe(topic, { ...grantOf(5, rights), ...fields })).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(house.tables.items('subscriptions')).toEqual([]);
  });

  it('covers a subtree with its wildcard alone, and the history if it says so', async () => {
    const history = { messages: 10, seconds: 60 };
    const house = new Renewals(inMinutes(100), namespacesOf({ team: { history } }));
    await house.open();
    for (const topic of ['team', 'team/a', 'team/a/b', 'team/*', 'team/a/*']) {
      await house.subscribe(topic, grantOf(5, { 'team/*': ['subscribe'] }));
    }
    await house.subscribe('team/a', { ...grantOf(5, read('team/*')), rewind: 3 });
  });

  it('gives way to a right of the token, which lasts longer', async () => {
    const house = await new Renewals(inMinutes(100, read('team'))).open();
    await house.subscribe('team', grantOf(5, read('team')));
    expect(house.endOf('team')).toBe(endAt(5));
    expect(await house.subscribe('team')).not.toHaveProperty('expiresAt');
    expect(house.endOf('team')).toBe(endAt(100));
    house.nowMs += endAt(50);
    await house.ping();
  });

  it('leaves what it is not for alone, a thousand times', async () => {
    const house = await new Renewals(inMinutes(100, read('a'))).open();
    await house.subscribe('a');
    for (let n = 0; n < 1_000; n++) {
      const refused = house.subscribe(`team/${n}`, grantOf(5, read('team')));
      await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
    }
    expect(await house.gets('a')).toBe(true);
    await house.ping();
  });

  it('is what a namespace requires that takes no other right', async () => {
    const house = new Renewals(
      inMinutes(100, read('secret/*', '*')),
      namespacesOf({ secret: { grants: 'required' } }),
    );
    await house.open();
    await expect(house.subscribe('secret/a')).rejects.toThrow('expected a grant');
    await house.authenticate(inMinutes(100, read('secret/*')));
    await expect(house.subscribe('secret/*')).rejects.toThrow('expected a grant');
    await house.subscribe('secret/a', grantOf(5, read('secret/a')));
    // A token renews nothing there.
    await house.authenticate(inMinutes(120, read('secret/*')));
    expect(house.endOf('secret/a')).toBe(endAt(5));
  });
});
