import { describe, expect, it } from 'vitest';
import { type FanOutDeps, fanOut } from '../../services/fanout/fan-out.ts';
import type { DeliveryJob } from '../../shared/delivery/job.ts';
import type { PostOutcome } from '../../shared/delivery/post.ts';
import type { QueueRecord } from '../../shared/events.ts';
import type { Shard } from '../../shared/subscriptions.ts';
import { parsePattern, patternsCovering } from '../../shared/topic.ts';

const decoder = new TextDecoder();

async function* pagesOf(ids: readonly string[], size = 2): AsyncIterable<string[]> {
  for (let start = 0; start < ids.length; start += size) yield ids.slice(start, start + size);
}

async function* brokenPages(): AsyncIterable<string[]> {
  yield ['a1'];
  throw new Error('throttled');
}

/** A fan-out over subscribers by pattern, with every effect kept for inspection. */
function houseOf(subscribers: Record<string, string[]>, overrides: Partial<FanOutDeps> = {}) {
  const got: [string, unknown][] = [];
  const jobs: DeliveryJob[] = [];
  const bad: { body: string; reason: string }[] = [];
  const reads: string[] = [];
  const deps: FanOutDeps = {
    connections: {
      ofUser: (userId) => pagesOf(userId === 'alice' ? ['a1', 'a2', 'a3'] : []),
      all: () => pagesOf(['a1', 'a2', 'a3', 'b']),
    },
    topics: {
      shardsCovering: async (topic) =>
        patternsCovering(topic)
          .filter((pattern) => subscribers[pattern])
          .map((pattern): Shard => ({ pattern, shard: 0 })),
    },
    subscriptions: {
      subscribers: ({ pattern }) => {
        reads.push(pattern);
        return pagesOf(subscribers[pattern] ?? []);
      },
    },
    post: async (connectionId, frame): Promise<PostOutcome> => {
      got.push([connectionId, JSON.parse(decoder.decode(frame)).data]);
      return { outcome: 'delivered' };
    },
    postsInFlightMax: 1,
    groupsInFlightMax: 2,
    forget: async () => {},
    deliveryQueue: { add: async (added) => void jobs.push(...added) },
    deadLetters: { add: async () => {} },
    badEvents: { add: async (body, reason) => void bad.push({ body, reason }) },
    attemptsMax: 3,
    inlineMax: 4,
    random: () => 0,
    ...overrides,
  };
  return { deps, got, jobs, bad, reads };
}

let count = 0;
const record = (detail: unknown): QueueRecord => ({
  messageId: `record-${++count}`,
  body: JSON.stringify({ id: `event-${count}`, time: '2026-11-20T05:00:00Z', detail }),
});

describe('a published message', () => {
  it('reaches the subscribers of the topic and of every wildcard that covers it', async () => {
    const { deps, got } = houseOf({
      'chat/lobby': ['a', 'b'],
      'chat/*': ['c'],
      'chat/lobby/*': ['d'],
      'chat/other': ['x'],
    });
    expect(await fanOut([record({ topic: 'chat/lobby', data: 1 })], deps)).toEqual([]);
    expect(got.map(([id]) => id).sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('reaches a connection once, however many of its subscriptions cover the topic', async () => {
    const { deps, got } = houseOf({ 'chat/lobby': ['a'], 'chat/*': ['a', 'b'] });
    await fanOut([record({ topic: 'chat/lobby', data: 1 })], deps);
    expect(got.map(([id]) => id).sort()).toEqual(['a', 'b']);
  });

  it.each([
    [{ connectionId: 'L0SM9cOFvHcCIhw=' }, ['L0SM9cOFvHcCIhw=']],
    [{ userId: 'alice' }, ['a1', 'a2', 'a3']],
    [{ userId: 'nobody' }, []],
    ['everyone', ['a1', 'a2', 'a3', 'b']],
  ])('to %j reaches %j', async (to, expected) => {
    const { deps, got } = houseOf({});
    expect(await fanOut([record({ to, data: 1 })], deps)).toEqual([]);
    expect(got.map(([id]) => id).sort()).toEqual(expected);
  });

  it('goes to the delivery queue when it has more subscribers than are served inline', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const { deps, got, jobs } = houseOf({ news: ids });
    await fanOut([record({ topic: 'news', data: 1 })], deps);
    expect(got).toEqual([]);
    expect(jobs).toMatchObject([{ group: 'news', topic: 'news', connectionIds: ids, attempt: 1 }]);
  });

  it('nobody subscribed to is done', async () => {
    const { deps, got, jobs } = houseOf({});
    expect(await fanOut([record({ topic: 'news', data: 1 })], deps)).toEqual([]);
    expect([got, jobs]).toEqual([[], []]);
  });
});

describe('a batch', () => {
  it('is resolved once for each topic and delivered in order', async () => {
    const { deps, got, reads } = houseOf({ news: ['a'], [parsePattern('chat/*')]: ['b'] });
    const topics = ['news', 'chat/x', 'news', 'chat/x', 'news'];
    await fanOut(
      topics.map((topic, data) => record({ topic, data })),
      deps,
    );
    expect(reads.sort()).toEqual(['chat/*', 'news']);
    expect(got.filter(([id]) => id === 'a')).toEqual([0, 2, 4].map((data) => ['a', data]));
    expect(got.filter(([id]) => id === 'b')).toEqual([1, 3].map((data) => ['b', data]));
  });

  it('is not harmed by a bad event, which becomes a dead letter with its reason', async () => {
    const { deps, got, bad } = houseOf({ news: ['a'] });
    const [good, wrong] = [record({ topic: 'news', data: 1 }), record({ topic: 'no good', data: 1 })];
    expect(await fanOut([wrong, good], deps)).toEqual([]);
    expect(got).toEqual([['a', 1]]);
    expect(bad).toEqual([
      { body: wrong.body, reason: expect.stringMatching(/^expected every topic segment/) },
    ]);
  });

  it.each(['no JSON', 'null', '7'])('is not harmed by a record that is no event at all: %s', async (body) => {
    const { deps, got, bad } = houseOf({ news: ['a'] });
    expect(await fanOut([{ messageId: 'm', body }, record({ topic: 'news', data: 1 })], deps)).toEqual([]);
    expect(got).toEqual([['a', 1]]);
    expect(bad).toEqual([{ body, reason: expect.stringMatching(/^expected an EventBridge event/) }]);
  });

  it('hands out again only the records that could not be resolved, and serves nobody of them', async () => {
    const { deps, got } = houseOf(
      { news: ['a'] },
      {
        connections: {
          ofUser: brokenPages,
          all: () => pagesOf([]),
        },
      },
    );
    const [good, stuck] = [record({ topic: 'news', data: 1 }), record({ to: { userId: 'alice' }, data: 2 })];
    const failed = await fanOut([good, stuck], deps);
    expect(failed.map(({ record }) => record)).toEqual([stuck]);
    expect(got).toEqual([['a', 1]]);
  });

  it('keeps a bad event in the queue if its dead letter cannot be written', async () => {
    const { deps } = houseOf({}, { badEvents: { add: () => Promise.reject(new Error('queue is away')) } });
    const wrong = record({ data: 1 });
    expect(await fanOut([wrong], deps)).toEqual([{ record: wrong, reason: new Error('queue is away') }]);
  });
});
