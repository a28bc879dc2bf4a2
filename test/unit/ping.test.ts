import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { ping } from '../../services/ping/ping.ts';
import type { Heads } from '../../shared/data/heads.ts';
import { parsePing } from '../../shared/protocol/parse.ts';
import { NO_GUARD } from '../support/no-guard.ts';

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
  connections = { has: async () => true },
) =>
  ping(
    { connectionId, connectedAtMs: CONNECTED_AT_MS, frame: parsePing(frame) },
    {
      connections,
      heads,
      guard: NO_GUARD,
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
  const answer = run({ action: 'ping' }, heads, 0, 'L0SM9cOFvHcCIhw=', { has: async () => false });
  await expect(answer).rejects.toMatchObject({ code: 'gone' });
});
