import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { ping } from '../../services/ping/ping.ts';
import { createGuard } from '../../shared/auth/guard.ts';
import type { Heads } from '../../shared/data/heads.ts';
import type { Standing } from '../../shared/data/standing.ts';
import { bearerOf } from '../../shared/lambda/bearer.ts';
import { parsePing } from '../../shared/protocol/parse.ts';
import { NEVER_RENEWED, NO_GUARD } from '../support/no-guard.ts';

const ROLLOVER_AFTER_MS = 6_000_000;
const CONNECTED_AT_MS = 1_000;

/** Topics whose logs end there. Keeps the topics that were looked up. */
function headsAt(ends: Record<string, { epoch: string; offset: number }>) {
  const asked: string[][] = [];
  const heads: Pick<Heads, 'heads'> = {
    heads: async (topics) => {
      asked.push([...topics]);
      return topics.flatMap((topic) => {
        const end = ends[topic];
        return end
          ? { topic, createdAtMs: 0, allocatedAtMs: 0, allocatedFrom: 0, previousAtMs: 0, ...end }
          : [];
      });
    },
  };
  return { heads, asked };
}

const run = (
  frame: Record<string, unknown>,
  heads: Pick<Heads, 'heads'>,
  ageMs = 0,
  connectionId = 'L0SM9cOFvHcCIhw=',
  standing: Standing | 'none' = NEVER_RENEWED,
) =>
  ping(
    { connectionId, connectedAtMs: CONNECTED_AT_MS, frame: parsePing(frame) },
    {
      heads,
      guard: { ...NO_GUARD, standing: async () => (standing === 'none' ? undefined : standing) },
      rolloverAfterMs: ROLLOVER_AFTER_MS,
      now: () => CONNECTED_AT_MS + ageMs,
    },
  );

it('takes a position from before the log for its beginning', async () => {
  const position = { topic: 'chat/a', epoch: `new-${CONNECTED_AT_MS.toString(36)}`, offset: 0 };
  const behindAt = async (offset: number) => {
    const end = { epoch: 'e', offset, createdAtMs: CONNECTED_AT_MS + 1_000 };
    const { heads } = headsAt({ 'chat/a': end });
    return (await run({ action: 'ping', positions: [position] }, heads)).behind;
  };
  expect(await behindAt(0)).toBeUndefined();
  expect(await behindAt(1)).toEqual([{ topic: 'chat/a', epoch: 'e', offset: 1 }]);
});

it('names the positions that are not the newest, with the newest', async () => {
  const { heads, asked } = headsAt({
    'chat/a': { epoch: 'e', offset: 5 },
    'chat/b': { epoch: 'e', offset: 5 },
    'chat/c': { epoch: 'new', offset: 0 },
  });
  const positions = [
    { topic: 'chat/a', epoch: 'e', offset: 5 },
    { topic: 'chat/b', epoch: 'e', offset: 4 },
    { topic: 'chat/b', epoch: 'e', offset: 6 },
    { topic: 'chat/c', epoch: 'old', offset: 9 },
    { topic: 'chat/forgotten', epoch: 'e', offset: 1 },
  ];
  expect(await run({ id: '7', positions }, heads)).toEqual({
    ...{ type: 'ack', id: '7', action: 'ping' },
    behind: [
      { topic: 'chat/b', epoch: 'e', offset: 5 },
      { topic: 'chat/c', epoch: 'new', offset: 0 },
    ],
  });
  // Each once, or DynamoDB refuses the batch.
  expect(asked).toEqual([['chat/a', 'chat/b', 'chat/c', 'chat/forgotten']]);
});

it('asks nobody when there is nothing to compare', async () => {
  const { heads, asked } = headsAt({});
  expect(await run({}, heads)).toEqual({ type: 'ack', action: 'ping' });
  expect(asked).toEqual([]);
});

it('asks old connections over, each at a time of its own, and from then on', async () => {
  const { heads } = headsAt({});
  const isAsked = async (ageMs: number, id?: string) => (await run({}, heads, ageMs, id)).rollover === true;
  expect(await isAsked(ROLLOVER_AFTER_MS - 1)).toBe(false);
  expect(await isAsked(1.1 * ROLLOVER_AFTER_MS)).toBe(true);
  const ids = Array.from(
    { length: 300 },
    (_, n) => `${createHash('sha256').update(`${n}`).digest('base64url').slice(0, 15)}=`,
  );
  const atMs = (share: number) => ROLLOVER_AFTER_MS * (1 + share / 10);
  const asked = async (share: number) =>
    (await Promise.all(ids.map((id) => isAsked(atMs(share), id)))).filter(Boolean).length;
  expect(await asked(0.25)).toBeGreaterThan(300 * 0.15);
  expect(await asked(0.25)).toBeLessThan(300 * 0.35);
  expect(await asked(0.75)).toBeGreaterThan(300 * 0.65);
  expect(await asked(0.75)).toBeLessThan(300 * 0.85);
  // API Gateway closes it after 2 hours.
  expect(atMs(1)).toBeLessThan(7_200_000 - 10 * 60_000 + 1);
});

it('says so when the connection has been given up', async () => {
  const { heads } = headsAt({});
  const answer = run({ action: 'ping' }, heads, 0, 'L0SM9cOFvHcCIhw=', 'none');
  await expect(answer).rejects.toMatchObject({ code: 'gone' });
});

it('says so when a subscription has ended before its connection, so that its client subscribes anew', async () => {
  const { heads } = headsAt({});
  const ends = new Map([
    ['team', { atMs: CONNECTED_AT_MS + 2_000 }],
    ['news', { atMs: CONNECTED_AT_MS + 9_000 }],
  ]);
  const ask = (ageMs: number) =>
    run({ action: 'ping' }, heads, ageMs, 'L0SM9cOFvHcCIhw=', { renewals: 0, ends });
  expect(await ask(1_999)).toMatchObject({ type: 'ack' });
  await expect(ask(2_000)).rejects.toMatchObject({ code: 'gone' });
});

it('compares positions of what a grant lets its connection subscribe to, as long as it does', async () => {
  const { heads } = headsAt({ 'team/a': { epoch: 'e', offset: 5 }, teams: { epoch: 'e', offset: 5 } });
  const standing = { renewals: 0, ends: new Map([['team/*', { atMs: CONNECTED_AT_MS + 2_000 }]]) };
  const bearer = bearerOf({ userId: 'ada', rights: '{}' });
  let reads = 0;
  const ask = (topic: string, ageMs: number) => {
    const now = () => CONNECTED_AT_MS + ageMs;
    const connections = {
      standing: async () => {
        reads += 1;
        return standing;
      },
    };
    const guard = createGuard({ authorization: 'required', connections, now });
    const positions = Array.from({ length: 3 }, () => ({ topic, epoch: 'e', offset: 4 }));
    const frame = parsePing({ action: 'ping', positions });
    const deps = { heads, guard, rolloverAfterMs: ROLLOVER_AFTER_MS, now };
    return ping({ connectionId: 'c', connectedAtMs: CONNECTED_AT_MS, bearer, frame }, deps);
  };
  expect((await ask('team/a', 0)).behind).toHaveLength(3);
  expect(reads).toBe(1);
  await expect(ask('teams', 0)).rejects.toMatchObject({ code: 'forbidden' });
  // It has ended, which its client is to learn before anything else: also with positions that it never had a right to.
  for (const topic of ['team/a', 'teams']) {
    await expect(ask(topic, 2_000)).rejects.toMatchObject({ code: 'gone' });
  }
});
