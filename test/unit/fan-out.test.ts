import { describe, expect, it } from 'vitest';
import { type FanOutDeps, fanOut } from '../../services/fanout/fan-out.ts';
import type { DeliveryJob } from '../../shared/delivery/job.ts';
import type { PostOutcome } from '../../shared/delivery/post.ts';
import type { QueueRecord } from '../../shared/events.ts';
import { createLimit } from '../../shared/limit.ts';
import type { Shard } from '../../shared/subscriptions.ts';
import { type Pattern, parsePattern, patternsCovering } from '../../shared/topic.ts';
import { freePace } from '../free-pace.ts';

const decoder = new TextDecoder();

async function* pagesOf(ids: readonly string[], size = 2): AsyncIterable<string[]> {
  for (let start = 0; start < ids.length; start += size) yield ids.slice(start, start + size);
}

async function* brokenPages(): AsyncIterable<string[]> {
  yield ['a1'];
  throw new Error('throttled');
}

const FOREVER = Number.POSITIVE_INFINITY;

/** A fan-out over subscribers by pattern, with every effect kept for inspection. */
function houseOf(subscribers: Record<string, string[]>, overrides: Partial<FanOutDeps> = {}, shardCount = 1) {
  const shardsOf = (pattern: Pattern) =>
    Array.from({ length: shardCount }, (_, shard): Shard => ({ pattern, shard }));
  const got: [string, unknown][] = [];
  const frames: number[] = [];
  const grown: [string, number][] = [];
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
          .flatMap((pattern): Shard[] => shardsOf(pattern)),
      grow: async (pattern, shards) => void grown.push([pattern, shards]),
    },
    shardSubscribersMax: 10,
    subscriptions: {
      subscribers: ({ pattern, shard }) => {
        reads.push(pattern);
        const found = subscribers[pattern] ?? [];
        return pagesOf(found.filter((_, index) => index % shardCount === shard));
      },
    },
    post: async (connectionId, frame): Promise<PostOutcome> => {
      frames.push(frame.length);
      const { type, messages, ...single } = JSON.parse(decoder.decode(frame));
      for (const { data } of type === 'messages' ? messages : [single]) got.push([connectionId, data]);
      return { outcome: 'delivered' };
    },
    inFlight: createLimit(1),
    pace: freePace(),
    now: () => Date.UTC(2026, 10, 20, 5),
    forget: async () => {},
    deliveryQueue: { add: async (added) => void jobs.push(...added) },
    deadLetters: { add: async () => {} },
    badEvents: { add: async (body, reason) => void bad.push({ body, reason }) },
    attemptsMax: 3,
    inlineMax: 4,
    random: () => 0,
    ...overrides,
  };
  return { deps, got, frames, jobs, bad, reads, grown };
}

let count = 0;
const record = (detail: unknown): QueueRecord => ({
  messageId: `record-${++count}`,
  body: JSON.stringify({ id: `event-${count}`, time: '2026-11-20T05:00:00Z', detail }),
});

/** The records that a fan-out hands out again. */
const run = async (records: QueueRecord[], deps: FanOutDeps) => (await fanOut(records, deps, FOREVER)).failed;

describe('a published message', () => {
  it('reaches the subscribers of the topic and of every wildcard that covers it', async () => {
    const { deps, got } = houseOf({
      'chat/lobby': ['a', 'b'],
      'chat/*': ['c'],
      'chat/lobby/*': ['d'],
      'chat/other': ['x'],
    });
    expect(await run([record({ topic: 'chat/lobby', data: 1 })], deps)).toEqual([]);
    expect(got.map(([id]) => id).sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('reaches a connection once, however many of its subscriptions cover the topic', async () => {
    const { deps, got } = houseOf({ 'chat/lobby': ['a'], 'chat/*': ['a', 'b'] });
    await run([record({ topic: 'chat/lobby', data: 1 })], deps);
    expect(got.map(([id]) => id).sort()).toEqual(['a', 'b']);
  });

  it.each([
    [{ connectionId: 'L0SM9cOFvHcCIhw=' }, ['L0SM9cOFvHcCIhw=']],
    [{ userId: 'alice' }, ['a1', 'a2', 'a3']],
    [{ userId: 'nobody' }, []],
    ['everyone', ['a1', 'a2', 'a3', 'b']],
  ])('to %j reaches %j', async (to, expected) => {
    const { deps, got } = houseOf({});
    expect(await run([record({ to, data: 1 })], deps)).toEqual([]);
    expect(got.map(([id]) => id).sort()).toEqual(expected);
  });

  it('goes to the delivery queue when it has more subscribers than are served inline', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const { deps, got, jobs } = houseOf({ news: ids });
    await run([record({ topic: 'news', data: 1 })], deps);
    expect(got).toEqual([]);
    expect(jobs).toMatchObject([
      {
        group: 'news',
        topic: 'news',
        connectionIds: ids,
        shards: [{ pattern: 'news', shard: 0 }],
        attempt: 1,
      },
    ]);
  });

  it('is split into jobs of at most 500 connections, each with the shards that they were found in', async () => {
    const ids = Array.from({ length: 1_200 }, (_, index) => `c${index}`);
    const { deps, jobs } = houseOf({ news: ids }, { shardSubscribersMax: 5_000 }, 3);
    await run([record({ topic: 'news', data: 1 })], deps);
    expect(jobs.map(({ connectionIds }) => connectionIds.length)).toEqual([500, 500, 200]);
    expect(jobs.flatMap(({ connectionIds }) => connectionIds).sort()).toEqual(ids.toSorted());
    expect(jobs.map(({ shards }) => shards.map(({ shard }) => shard))).toEqual([[0, 1], [1, 2], [2]]);
  });

  it('to several topics reaches the subscribers of each, once for each', async () => {
    const { deps, got } = houseOf({ news: ['a', 'b'], sports: ['b'] });
    await run([record({ topics: ['news', 'sports', 'weather'], data: 1 })], deps);
    expect(got.map(([id]) => id).sort()).toEqual(['a', 'b', 'b']);
  });

  it('does not reach those that it leaves out, who get the others in order', async () => {
    const { deps, got } = houseOf({ news: ['a', 'b', 'c'] });
    const all = [
      record({ topic: 'news', data: 1 }),
      record({ topic: 'news', data: 2, except: ['b', 'x'] }),
      record({ topic: 'news', data: 3 }),
    ];
    await run(all, deps);
    const of = (id: string) => got.filter(([whom]) => whom === id).map(([, data]) => data);
    expect([of('a'), of('b'), of('c'), of('x')]).toEqual([[1, 2, 3], [1, 3], [1, 2, 3], []]);
  });

  it('that is too late reaches nobody, and is counted', async () => {
    const { deps, got } = houseOf({ news: ['a', 'b'] });
    const publishedAt = new Date(deps.now() - 5_000).toISOString();
    const [late, inTime] = [5, 6].map((maxAge) =>
      record({ topic: 'news', data: maxAge, maxAge, publishedAt }),
    );
    const { remarks } = await fanOut([late, inTime] as QueueRecord[], deps, FOREVER);
    expect(got).toEqual([
      ['a', 6],
      ['b', 6],
    ]);
    expect(remarks).toMatchObject({ delivered: 2, expired: 2 });
  });

  it('goes to the delivery queue when nobody may be posted to for long', async () => {
    const { deps, got, jobs } = houseOf(
      { news: ['a'] },
      { pace: { ...freePace(), turn: async () => false } },
    );
    expect(await run([record({ topic: 'news', data: 1 })], deps)).toEqual([]);
    expect(got).toEqual([]);
    expect(jobs).toMatchObject([{ connectionIds: ['a'], attempt: 1 }]);
  });

  it('nobody subscribed to is done', async () => {
    const { deps, got, jobs } = houseOf({});
    expect(await run([record({ topic: 'news', data: 1 })], deps)).toEqual([]);
    expect([got, jobs]).toEqual([[], []]);
  });
});

describe('a topic that has grown', () => {
  const ids = (count: number) => Array.from({ length: count }, (_, index) => `c${index}`);

  it('gets so many shards that all subscribers of today would fill them half', async () => {
    const { deps, grown } = houseOf({ news: ids(11), 'sports/*': ids(25) });
    await run([record({ topic: 'news', data: 1 }), record({ topic: 'sports/golf', data: 1 })], deps);
    expect(grown.sort()).toEqual([
      ['news', 3],
      ['sports/*', 5],
    ]);
  });

  it('stays as it is while its shards fit', async () => {
    const { deps, grown } = houseOf({ news: ids(20) }, {}, 2);
    await run([record({ topic: 'news', data: 1 })], deps);
    expect(grown).toEqual([]);
  });

  it('reaches everybody once, in whichever shard they are', async () => {
    const { deps, got } = houseOf({ news: ids(9), 'news/*': ids(5) }, { inlineMax: 100 }, 4);
    await run([record({ topic: 'news', data: 1 })], deps);
    expect(got.map(([id]) => id).sort()).toEqual(ids(9));
  });

  it('has a limit to its shards', async () => {
    const { deps, grown } = houseOf({ news: ids(2_000) });
    await run([record({ topic: 'news', data: 1 })], deps);
    expect(grown).toEqual([['news', 256]]);
  });
});

describe('a batch', () => {
  it('reaches each subscriber in one frame as long as it is small, and in several beyond 32 KB', async () => {
    const { deps, got, frames } = houseOf({ news: ['a', 'b'] });
    const burst = (data: string) => Array.from({ length: 10 }, () => record({ topic: 'news', data }));
    await run(burst('x'), deps);
    expect([frames.length, got.length]).toEqual([2, 20]);
    await run(burst('x'.repeat(10_000)), deps);
    expect([frames.length, got.length]).toEqual([2 + 2 * 4, 40]);
    expect(Math.max(...frames)).toBeLessThanOrEqual(32 * 1024);
  });

  it('is resolved once for each topic and delivered in order', async () => {
    const { deps, got, reads } = houseOf({ news: ['a'], [parsePattern('chat/*')]: ['b'] });
    const topics = ['news', 'chat/x', 'news', 'chat/x', 'news'];
    await run(
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
    expect(await run([wrong, good], deps)).toEqual([]);
    expect(got).toEqual([['a', 1]]);
    expect(bad).toEqual([
      { body: wrong.body, reason: expect.stringMatching(/^expected every topic segment/) },
    ]);
  });

  it.each(['no JSON', 'null', '7'])('is not harmed by a record that is no event at all: %s', async (body) => {
    const { deps, got, bad } = houseOf({ news: ['a'] });
    expect(await run([{ messageId: 'm', body }, record({ topic: 'news', data: 1 })], deps)).toEqual([]);
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
    const failed = await run([good, stuck], deps);
    expect(failed.map(({ record }) => record)).toEqual([stuck]);
    expect(got).toEqual([['a', 1]]);
  });

  it('serves a record to none of its topics if one of them could not be resolved', async () => {
    const { deps, got } = houseOf({ news: ['a'], sports: ['b'] });
    const subscriptions = {
      subscribers: (shard: Shard) =>
        shard.pattern === 'sports' ? brokenPages() : deps.subscriptions.subscribers(shard),
    };
    const [both, one] = [record({ topics: ['news', 'sports'], data: 1 }), record({ topic: 'news', data: 2 })];
    const failed = await run([both, one], { ...deps, subscriptions });
    expect(failed.map(({ record }) => record)).toEqual([both]);
    expect(got).toEqual([['a', 2]]);
  });

  it('lets no target wait for another that takes long to resolve', async () => {
    const large = Promise.withResolvers<void>();
    const { deps, got } = houseOf({ news: ['a'], large: ['b'], tied: ['c'] });
    const subscriptions = {
      async *subscribers(shard: Shard) {
        if (shard.pattern === 'large') await large.promise;
        yield* deps.subscriptions.subscribers(shard);
      },
    };
    const served = Promise.withResolvers<void>();
    const post: FanOutDeps['post'] = async (id, frame) => {
      const outcome = await deps.post(id, frame);
      served.resolve();
      return outcome;
    };
    const details = [{ topic: 'large' }, { topic: 'news' }, { topics: ['large', 'tied'] }];
    const running = run(
      details.map((detail, data) => record({ ...detail, data })),
      { ...deps, subscriptions, post },
    );
    await served.promise;
    expect(got).toEqual([['a', 1]]);
    large.resolve();
    expect(await running).toEqual([]);
    expect(got.toSorted()).toEqual([
      ['a', 1],
      ['b', 0],
      ['b', 2],
      ['c', 2],
    ]);
  });

  it('keeps a bad event in the queue if its dead letter cannot be written', async () => {
    const { deps } = houseOf({}, { badEvents: { add: () => Promise.reject(new Error('queue is away')) } });
    const wrong = record({ data: 1 });
    expect(await run([wrong], deps)).toEqual([{ record: wrong, reason: new Error('queue is away') }]);
  });
});
