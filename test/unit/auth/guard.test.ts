import { describe, expect, it } from 'vitest';
import { createGuard, type RightsGuard } from '../../../shared/auth/guard.ts';
import type { RenewedToken, Standing } from '../../../shared/data/standing.ts';
import { type Bearer, bearerOf } from '../../../shared/lambda/bearer.ts';
import type { Rights } from '../../../shared/protocol/rights.ts';
import { namespacesOf } from '../../support/namespaces.ts';
import { NEVER_RENEWED } from '../../support/no-guard.ts';

const NOW_MS = Date.UTC(2026, 10, 20);
const MINUTE_MS = 60_000;
const GRACE_MS = 30_000;
const rights = JSON.stringify({ 'chat/*': ['subscribe', 'publish'] });
const expiresAt = (NOW_MS + MINUTE_MS) / 1000;
const gone = expect.objectContaining({ code: 'gone' });
const forbidden = expect.objectContaining({ code: 'forbidden' });

const renewedWith = (rights: Rights, endsInMs: number): RenewedToken => ({
  ...{ rights, expiresAtMs: NOW_MS + endsInMs, issuedAtMs: NOW_MS, tokenId: 'newer' },
});

/** A guard whose time is `nowMs`, and how often it has read the connection's item. */
function houseOf(standing: Standing | undefined = NEVER_RENEWED) {
  const house = {
    ...{ nowMs: NOW_MS, reads: 0 },
    guard: {} as RightsGuard,
  };
  house.guard = createGuard({
    authorization: 'required',
    namespaces: namespacesOf({ secret: { grants: 'required' } }),
    connections: {
      standing: async () => {
        house.reads += 1;
        return standing;
      },
    },
    now: () => house.nowMs,
  });
  return house;
}
const callerOf = (bearer: Bearer | undefined) => ({ connectionId: 'c', ...(bearer && { bearer }) });

it('lets everybody do everything where no authorizer is asked', async () => {
  const connections = { standing: async () => undefined };
  const guard = createGuard({ authorization: 'none', connections, now: () => NOW_MS });
  await guard.expectMay({ connectionId: 'c' }, 'version', 'state/door');
});

it.each([
  undefined,
  bearerOf({}),
  bearerOf({ userId: 'ada' }),
  bearerOf({ rights: '{}' }),
  bearerOf({ rights: 1 }),
])('lets nobody do anything of whom the authorizer has said nothing: %o', async (bearer) => {
  const { guard } = houseOf();
  await expect(guard.expectMay(callerOf(bearer), 'subscribe', 'chat/lobby')).rejects.toThrow(
    'expected a right to subscribe',
  );
});

it('gives up a connection when its token has ended, and the grace after it', async () => {
  const house = houseOf();
  const caller = callerOf(bearerOf({ rights, expiresAt, userId: 'ada' }));
  for (const ms of [NOW_MS, NOW_MS + MINUTE_MS, NOW_MS + MINUTE_MS + GRACE_MS]) {
    house.nowMs = ms;
    await house.guard.expectMay(caller, 'subscribe', 'chat/lobby');
  }
  house.nowMs += 1;
  await expect(house.guard.expectMay(caller, 'subscribe', 'chat/lobby')).rejects.toEqual(gone);
  await expect(house.guard.expectLive(caller)).rejects.toEqual(gone);
  expect(await house.guard.may(caller, 'subscribe', 'chat/lobby')).toBe(false);
  await house.guard.expectLive(callerOf(bearerOf({ rights })));
});

describe('a connection that was renewed', () => {
  const standing = (newer: Rights, endsInMs: number): Standing => ({
    ...NEVER_RENEWED,
    renewed: renewedWith(newer, endsInMs),
  });
  const caller = () => callerOf(bearerOf({ rights, expiresAt, userId: 'ada' }));

  it('may do what either of its tokens allows, each until its end', async () => {
    const house = houseOf(standing({ news: ['subscribe'] }, 10 * MINUTE_MS));
    await house.guard.expectMay(caller(), 'subscribe', 'chat/lobby');
    await house.guard.expectMay(caller(), 'subscribe', 'news');
    await expect(house.guard.expectMay(caller(), 'history', 'news')).rejects.toEqual(forbidden);
    house.nowMs = NOW_MS + 5 * MINUTE_MS;
    await house.guard.expectLive(caller());
    await house.guard.expectMay(caller(), 'subscribe', 'news');
    await expect(house.guard.expectMay(caller(), 'subscribe', 'chat/lobby')).rejects.toEqual(forbidden);
    house.nowMs = NOW_MS + 10 * MINUTE_MS + GRACE_MS + 1;
    await expect(house.guard.expectMay(caller(), 'subscribe', 'news')).rejects.toEqual(gone);
  });

  it('has its item read only for what the first token does not allow, and once for a command', async () => {
    const house = houseOf(standing({ 'news/*': ['publish'] }, 10 * MINUTE_MS));
    const usual = caller();
    for (let n = 0; n < 100; n++) await house.guard.expectMay(usual, 'publish', `chat/${n}`);
    await house.guard.expectLive(usual);
    expect(house.reads).toBe(0);
    const command = caller();
    for (let n = 0; n < 100; n++) await house.guard.expectMay(command, 'publish', `news/${n}`);
    expect(house.reads).toBe(1);
    await house.guard.expectMay(caller(), 'publish', 'news/1');
    expect(house.reads).toBe(2);
  });

  it('is never one without a user, whose item is not even looked at', async () => {
    const house = houseOf(standing({ news: ['subscribe'] }, 10 * MINUTE_MS));
    await expect(house.guard.expectMay(callerOf(bearerOf({ rights })), 'subscribe', 'news')).rejects.toEqual(
      forbidden,
    );
    expect(house.reads).toBe(0);
  });

  it('has a right for as long as the longest of its tokens that gives it', () => {
    const { guard } = houseOf();
    const endOf = (newer: Rights, topic: string) =>
      guard.endOf(caller(), standing(newer, 10 * MINUTE_MS), 'subscribe', topic);
    const [first, second] = [NOW_MS + MINUTE_MS + GRACE_MS, NOW_MS + 10 * MINUTE_MS + GRACE_MS];
    expect(endOf({}, 'chat/*')).toBe(first);
    expect(endOf({ chat: ['subscribe'] }, 'chat/*')).toBe(first);
    expect(endOf({ 'chat/*': ['subscribe'] }, 'chat/*')).toBe(second);
    expect(endOf({ news: ['subscribe'] }, 'news')).toBe(second);
    expect(endOf({ news: ['publish'] }, 'news')).toBeUndefined();
    expect(guard.lastEnd(caller(), standing({}, 10 * MINUTE_MS))).toBe(second);
    expect(guard.lastEnd(caller(), standing({}, 0))).toBe(first);
  });
});

it('takes no right of a token for one to read a namespace that requires grants', async () => {
  const all = JSON.stringify({ '*': ['subscribe', 'history', 'publish', 'presence'] });
  const caller = callerOf(bearerOf({ rights: all, userId: 'ada' }));
  const { guard } = houseOf({ ...NEVER_RENEWED, renewed: renewedWith({ '*': ['subscribe'] }, MINUTE_MS) });
  for (const topic of ['secret', 'secret/*', 'secret/plans'] as const) {
    for (const operation of ['subscribe', 'history', 'presence'] as const) {
      expect(await guard.may(caller, operation, topic)).toBe(false);
      await expect(guard.expectMay(caller, operation, topic)).rejects.toEqual(forbidden);
      expect(guard.endOf(caller, NEVER_RENEWED, operation, topic)).toBeUndefined();
    }
  }
  await guard.expectMay(caller, 'publish', 'secret/plans');
  await guard.expectMay(caller, 'subscribe', 'secrets');
});
