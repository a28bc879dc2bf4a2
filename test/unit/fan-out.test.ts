import { describe, expect, it } from 'vitest';
import { type FanOutDeps, fanOut } from '../../services/fanout/fan-out.ts';
import { publish } from '../../services/publish/publish.ts';
import { createLimit } from '../../shared/async.ts';
import { entryJson } from '../../shared/data/log.ts';
import type { Shard } from '../../shared/data/shards.ts';
import { createPatience } from '../../shared/delivery/patience.ts';
import type { PostOutcome } from '../../shared/delivery/post.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import { parsePublish } from '../../shared/protocol/parse.ts';
import { encodePublication, type Publication } from '../../shared/protocol/publication.ts';
import { type Pattern, parsePattern, patternOf, patternsCovering } from '../../shared/protocol/topic.ts';
import type { DeliveryJob } from '../../shared/queues/job.ts';
import { messageIdOf } from '../../shared/queues/messages.ts';
import { freePace } from '../support/free-pace.ts';
import { dataJson } from '../support/json-texts.ts';
import { namespacesOf } from '../support/namespaces.ts';
import { NO_GUARD } from '../support/no-guard.ts';
import { NO_LIMITS } from '../support/no-limits.ts';
import { queueRecord } from '../support/records.ts';
import { type AtStep, dies, once, TopicLog } from '../support/topic-log.ts';

const NOW_MS = Date.UTC(2026, 10, 20, 5);
const decoder = new TextDecoder();

async function* pagesOf(ids: readonly string[], size = 2): AsyncIterable<string[]> {
  for (let start = 0; start < ids.length; start += size) yield ids.slice(start, start + size);
}

async function* brokenPages(): AsyncIterable<string[]> {
  yield ['a1'];
  throw new Error('throttled');
}

/** Volatile topics have none. */
const NO_LOGS = new Proxy({} as FanOutDeps['logs'], {
  get: (_, name) => {
    throw new Error(`expected no use of a log, got ${String(name)}`);
  },
});

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
    shards: {
      covering: async (topic, wildcards = true) =>
        (wildcards ? patternsCovering(topic) : [patternOf(topic)])
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
    patience: createPatience({ postTimeoutMs: 5_000, now: () => NOW_MS }),
    now: () => NOW_MS,
    forget: async () => {},
    deliveryQueue: { enqueue: async (added) => void jobs.push(...added) },
    slowQueue: { enqueue: async (added) => void jobs.push(...added) },
    deadLetters: { bury: async () => {} },
    badEvents: { bury: async (body, reason) => void bad.push({ body, reason }) },
    attemptsMax: 3,
    logs: NO_LOGS,
    logTable: 'messages',
    namespaces: namespacesOf(),
    epochs: new Map(),
    newId: () => 'id',
    inlineMax: 4,
    random: () => 0,
    ...overrides,
  };
  return { deps, got, frames, jobs, bad, reads, grown };
}

interface LoggedMessageOptions {
  readonly offset: number;
  readonly data: unknown;
  readonly key?: string;
  readonly except?: readonly string[];
  readonly again?: true;
  readonly unused?: number;
}

let count = 0;
/** Of an event that the bus takes at `atMs`, and the queue at once; its `time` is that, unless its publisher has written one. */
const record = (detail: unknown, atMs = NOW_MS, timeMs = atMs): QueueRecord =>
  queueRecord({
    messageId: `record-${++count}`,
    body: JSON.stringify({ id: `event-${count}`, time: inSeconds(timeMs), detail }),
    sentAtMs: atMs,
  });
const inSeconds = (ms: number): string => new Date(ms).toISOString().replace('.000', '');

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

  it('is not looked for under wildcards where its namespace has none', async () => {
    const namespaces = namespacesOf({ chat: { wildcards: false } });
    const { deps, got } = houseOf({ 'chat/lobby': ['a'], 'chat/*': ['b'] }, { namespaces });
    expect(await run([record({ topic: 'chat/lobby', data: 1 })], deps)).toEqual([]);
    expect(got).toEqual([['a', 1]]);
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

  it('goes to the delivery queue when posts get no turn for long', async () => {
    const { deps, got, jobs } = houseOf(
      { news: ['a'] },
      { pace: { ...freePace(), takeTurn: async () => false } },
    );
    expect(await run([record({ topic: 'news', data: 1 })], deps)).toEqual([]);
    expect(got).toEqual([]);
    expect(jobs).toMatchObject([{ connectionIds: ['a'], attempt: 1 }]);
  });

  it('waits for its turn for two seconds, and no longer than its worker may', async () => {
    const stops: number[] = [];
    const takeTurn = (_: string, stopAtMs: number) => stops.push(stopAtMs) > 0;
    const { deps } = houseOf({ news: ['a'] }, { pace: { ...freePace(), takeTurn } });
    for (const stopAtMs of [FOREVER, NOW_MS + 1_999]) {
      await fanOut([record({ topic: 'news', data: 1 })], deps, stopAtMs);
    }
    expect(stops).toEqual([NOW_MS + 2_000, NOW_MS + 1_999]);
  });

  it('to a topic without subscribers is done', async () => {
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

  it('reaches each connection once, in whichever shard it is', async () => {
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
    // The first shard of a topic is read before it is known whether it has any.
    expect(reads.sort()).toEqual(['chat/*', 'chat/x', 'news']);
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

  it('is not harmed by a record too deep to be written out', async () => {
    const { deps, got, bad } = houseOf({ news: ['a'] });
    const nested = '['.repeat(100_000) + ']'.repeat(100_000);
    const deep = [nested, `{"id":"e","time":"noon","detail":${nested}}`];
    const records = deep.map((body) => queueRecord({ messageId: 'm', body }));
    expect(await run([...records, record({ topic: 'news', data: 1 })], deps)).toEqual([]);
    expect(got).toEqual([['a', 1]]);
    const reason = 'expected JSON of at most 504 levels, got more';
    expect(bad).toEqual(deep.map((body) => ({ body, reason })));
  });

  it.each(['no JSON', 'null', '7', '{"detail":{}}', '{"id":"e","time":"noon"}', '{"id":"e","time":"2026"}'])(
    'is not harmed by a record that is no event at all: %s',
    async (body) => {
      const { deps, got, bad } = houseOf({ news: ['a'] });
      expect(
        await run([queueRecord({ messageId: 'm', body }), record({ topic: 'news', data: 1 })], deps),
      ).toEqual([]);
      expect(got).toEqual([['a', 1]]);
      expect(bad).toEqual([{ body, reason: expect.stringMatching(/^expected an EventBridge event/) }]);
    },
  );

  it('hands out again only the records that could not be resolved, and delivers none of those', async () => {
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

  it('needs no shard that the topic does not have', async () => {
    const { deps, got } = houseOf({ [parsePattern('chat/*')]: ['a'] });
    const subscriptions = {
      subscribers: (shard: Shard) =>
        shard.pattern === 'chat/x' ? brokenPages() : deps.subscriptions.subscribers(shard),
    };
    expect(await run([record({ topic: 'chat/x', data: 1 })], { ...deps, subscriptions })).toEqual([]);
    expect(got).toEqual([['a', 1]]);
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
    const { deps } = houseOf({}, { badEvents: { bury: () => Promise.reject(new Error('queue is away')) } });
    const wrong = record({ data: 1 });
    expect(await run([wrong], deps)).toEqual([{ record: wrong, reason: new Error('queue is away') }]);
  });
});

describe('a message to a topic that keeps history', () => {
  /** A topic with these subscribers, the frames they get, and the log. */
  function historyHouse(
    subscribers: string[],
    { atStep, ...overrides }: Partial<FanOutDeps> & { atStep?: AtStep } = {},
  ) {
    const log = new TopicLog();
    // biome-ignore lint/suspicious/noExplicitAny: frames as they came
    const frames: Record<string, any[]> = {};
    const { deps, bad, jobs } = houseOf(
      { 'chat/lobby': subscribers },
      {
        logs: log.logs(atStep),
        namespaces: namespacesOf({ chat: log.namespace }),
        post: async (connectionId, frame): Promise<PostOutcome> => {
          frames[connectionId] = [...(frames[connectionId] ?? []), JSON.parse(decoder.decode(frame))];
          return { outcome: 'delivered' };
        },
        now: log.now,
        newId: log.newEpoch,
        ...overrides,
      },
    );
    return { deps, bad, jobs, frames, log };
  }
  const toLobby = (data: unknown, more: object = {}) => record({ topic: 'chat/lobby', data, ...more });
  const again = (record: QueueRecord): QueueRecord => ({
    ...record,
    attributes: { ...record.attributes, ApproximateReceiveCount: '2' },
  });

  describe('from a back end, with a key', () => {
    const MINUTE_MS = 60_000;
    const HOUR_MS = 60 * MINUTE_MS;
    /** What an event says of its own time, so many milliseconds beside the bus's. */
    type Written = (atMs: number, data: string, offMs: number) => QueueRecord;
    const publishedAt: Written = (atMs, data, offMs) =>
      record(
        { topic: 'chat/lobby', data, key: 'k', publishedAt: new Date(atMs + offMs).toISOString() },
        atMs,
      );
    const unkeyed: Written = (atMs, data, offMs) =>
      record(
        { topic: 'chat/lobby', data, messageId: 'm', publishedAt: new Date(atMs + offMs).toISOString() },
        atMs,
      );
    const entryTime: Written = (atMs, data, offMs) =>
      record({ topic: 'chat/lobby', data, key: 'k' }, atMs, atMs + offMs);

    const cases: readonly [string, Written, number, number][] = [
      ['one hour fast', publishedAt, HOUR_MS, 0],
      ['one hour fast the second time', publishedAt, 0, HOUR_MS],
      ['ten minutes slow', publishedAt, -10 * MINUTE_MS, 0],
      ['ten minutes slow the second time', publishedAt, 0, -10 * MINUTE_MS],
      ['in another age', publishedAt, Date.UTC(9999, 0) - NOW_MS, -NOW_MS - HOUR_MS],
      ['an hour fast, under its own id', unkeyed, HOUR_MS, 0],
      ['ten minutes slow, under its own id', unkeyed, -10 * MINUTE_MS, 0],
      ['one hour fast in the entry', entryTime, HOUR_MS, 0],
      ['thousands of years fast in the entry', entryTime, Date.UTC(9999, 0) - NOW_MS, 0],
    ];
    it.each(cases)(
      'is the same for 5 minutes, and then another: a clock %s',
      async (_, at, first, second) => {
        const { deps, frames, log } = historyHouse(['a']);
        const from = NOW_MS;
        await run([at(from, 'one', first)], deps);
        log.nowMs = from + 5 * MINUTE_MS;
        await run([at(log.nowMs, 'again', second)], deps);
        log.nowMs = from + 6 * MINUTE_MS;
        await run([at(log.nowMs, 'two', second)], deps);
        // An event that is handed over twice under its own id may be delivered twice, at its one offset, and the one
        // that it took in vain is skipped.
        const byOffset = new Map(frames.a?.flatMap(({ offset, data }) => (offset ? [[offset, data]] : [])));
        expect([...byOffset.values()]).toEqual(['one', 'two']);
      },
    );

    it('is the same in one batch of records, whatever their publishers’ clocks say', async () => {
      const { deps, frames } = historyHouse(['a']);
      const records = [publishedAt(NOW_MS, 'one', 0), publishedAt(NOW_MS + 1_000, 'again', HOUR_MS)];
      expect(await run(records, deps)).toEqual([]);
      expect(frames.a).toMatchObject([{ data: 'one', offset: 1 }]);
    });

    it('is the same when its record comes again much later, whatever its event says of its time', async () => {
      const { deps, frames, log } = historyHouse(['a']);
      const one = entryTime(NOW_MS, 'one', HOUR_MS);
      await run([one], deps);
      log.nowMs += 9 * MINUTE_MS;
      await run([again(one)], deps);
      expect(frames.a).toMatchObject([{ offset: 1 }, { offset: 1 }]);
      expect((await log.head()).offset).toBe(1);
    });
  });

  it('has its offset, and the epoch of the log', async () => {
    const { deps, frames } = historyHouse(['a']);
    await run([toLobby(1)], deps);
    await run([toLobby(2), toLobby(3)], deps);
    const fields = { messageId: expect.any(String), publishedAt: '2026-11-20T05:00:00Z', publisher: {} };
    expect(frames.a).toEqual([
      { type: 'message', topic: 'chat/lobby', epoch: 'epoch-1', ...fields, offset: 1, data: 1 },
      {
        type: 'messages',
        topic: 'chat/lobby',
        epoch: 'epoch-1',
        messages: [
          { ...fields, offset: 2, data: 2 },
          { ...fields, offset: 3, data: 3 },
        ],
      },
    ]);
  });

  /** As the publish route puts it on the bus: with an entry in the log at that offset, unless a test wants none. */
  async function loggedByRoute(
    log: TopicLog,
    { offset, data, key, except, ...more }: LoggedMessageOptions,
  ): Promise<QueueRecord> {
    const messageId = `m${++count}`;
    const publishedAt = new Date(log.nowMs).toISOString();
    const topicLog = await log.log();
    const target = { topic: log.topic };
    const id = messageIdOf(target, 0, { messageId, ...(key !== undefined && { key }) });
    const message = { messageId: id, publishedAt, publisher: {}, data: dataJson(data) };
    const entry = { offset, json: entryJson(message, offset), atMs: log.nowMs, ...(except && { except }) };
    await log.logs().write(topicLog, entry, 60);
    const place = { epoch: topicLog.epoch, offset, ...more };
    return record({
      ...target,
      ...{ data, messageId, key, publishedAt, except },
      logged: { table: 'messages', places: [[place]] },
    });
  }
  const offsetsTo = (
    frames: Record<string, { offset?: number; messages?: { offset: number }[] }[]>,
    id: string,
  ) =>
    (frames[id] ?? []).flatMap(({ offset, messages = [] }) => [
      ...(offset === undefined ? [] : [offset]),
      ...messages.map((message) => message.offset),
    ]);

  it('and was logged by the publish route is delivered as it is in the log', async () => {
    const { deps, frames, log } = historyHouse(['a']);
    const records = [
      await loggedByRoute(log, { offset: 2, data: 'two' }),
      await loggedByRoute(log, { offset: 1, data: 'one', key: 'k' }),
    ];
    expect(await run(records, deps)).toEqual([]);
    const contents = await log.logs().read(await log.log(), { from: 1, limit: 9 });
    const [frame] = frames.a ?? [];
    expect(frame).toMatchObject({ type: 'messages', epoch: 'epoch-1' });
    expect(frame.messages).toEqual(contents.map(({ json = '' }) => JSON.parse(json)));
    // Nothing was allocated, and nothing written a second time.
    expect((await log.head()).offset).toBe(0);
  });

  it('and took an offset in vain tells everybody of it, so that nobody waits', async () => {
    const { deps, frames } = historyHouse(['a']);
    const twice = () => record({ topic: 'chat/lobby', data: 1, messageId: 'm' });
    await run([twice()], deps);
    await run([twice()], deps);
    expect(frames.a).toMatchObject([
      { offset: 1 },
      { messages: [{ offset: 1 }, { offset: 2, skipped: true }] },
    ]);
  });

  it('with a key of a back end is another than one with the same key of a client', async () => {
    for (const isClientFirst of [true, false]) {
      const { deps, frames, log } = historyHouse(['a']);
      const publications: Publication[] = [];
      const bus = { publish: async (all: readonly Publication[]) => void publications.push(...all) };
      const keyed = { topic: 'chat/lobby', data: 'client', key: 'k' };
      const frame = parsePublish(keyed, JSON.stringify(keyed));
      const byClient = async () => {
        await publish(
          { connectionId: 'c', connectedAtMs: 0, frame },
          {
            ...deps,
            bus,
            logs: log.logs(),
            guard: NO_GUARD,
            limits: NO_LIMITS,
          },
        );
        const [detail = ''] = publications.splice(0).map(encodePublication);
        expect(await run([record(JSON.parse(detail), log.nowMs)], deps)).toEqual([]);
      };
      const byBackEnd = async () => {
        const event = record({ ...keyed, data: 'back end' }, log.nowMs);
        expect(await run([event], deps)).toEqual([]);
      };
      const both = isClientFirst ? [byClient, byBackEnd] : [byBackEnd, byClient];
      for (const each of [...both, ...both]) await each();
      const order = isClientFirst ? ['client', 'back end'] : ['back end', 'client'];
      expect(frames.a?.flatMap(({ data = [] }) => data)).toEqual(order);
      expect((await log.contents()).filter((id) => id !== null)).toHaveLength(2);
    }
  });

  it('and was published twice with a key is delivered once, as it was published first', async () => {
    const { deps, frames, log } = historyHouse(['a', 'b', 'c']);
    const first = await loggedByRoute(log, { offset: 1, data: 'first', key: 'k', except: ['b'] });
    const second = await loggedByRoute(log, {
      offset: 1,
      data: 'second',
      key: 'k',
      except: ['c'],
      again: true,
    });
    await run([second], deps);
    // Left out is whom the first leaves out: a publisher that says `self` may be on its next connection.
    expect(frames.b).toMatchObject([{ offset: 1, skipped: true }]);
    expect(frames.c).toMatchObject([{ data: 'first' }]);
    await run([first], deps);
    await run([again(first)], deps);
    expect(frames.a).toMatchObject([{ offset: 1, data: 'first' }]);
    // The record that brought it may come again, because its worker may have died.
    await run([again(second)], deps);
    expect(frames.a).toMatchObject([{ data: 'first' }, { data: 'first' }]);
  });

  it('and was published twice in one batch of records is delivered once', async () => {
    const { deps, frames, log } = historyHouse(['a']);
    const first = await loggedByRoute(log, { offset: 1, data: 'first', key: 'k' });
    const second = await loggedByRoute(log, { offset: 1, data: 'second', key: 'k', again: true });
    await run([first, second], deps);
    expect(offsetsTo(frames, 'a')).toEqual([1]);
  });

  it('and was published again tells everybody of the offset that was allocated in vain', async () => {
    const { deps, frames, log } = historyHouse(['a', 'b']);
    const first = await loggedByRoute(log, { offset: 1, data: 'first', key: 'k' });
    const second = await loggedByRoute(log, { offset: 1, data: 'second', key: 'k', again: true, unused: 2 });
    await run([first], deps);
    await run([second], deps);
    for (const id of ['a', 'b']) {
      expect(frames[id]).toMatchObject([
        { offset: 1, data: 'first' },
        { type: 'message', epoch: 'epoch-1', offset: 2, skipped: true },
      ]);
    }
  });

  it('and was logged in another epoch than the next has its own epoch', async () => {
    const { deps, frames } = historyHouse(['a']);
    const records = ['old', 'new'].map((epoch) => {
      const logged = { table: 'messages', places: [[{ epoch, offset: 1 }]] };
      return record({ topic: 'chat/lobby', data: epoch, logged });
    });
    expect(await run(records, deps)).toEqual([]);
    expect(frames.a?.map(({ epoch, offset, data }) => [epoch, offset, data])).toEqual([
      ['old', 1, 'old'],
      ['new', 1, 'new'],
    ]);
  });

  it('and was logged in another deployment gets its offset here', async () => {
    const { deps, frames, log } = historyHouse(['a']);
    await loggedByRoute(log, { offset: 1, data: 'here' });
    const logged = { table: 'of-another', places: [[{ epoch: 'elsewhere', offset: 77 }]] };
    await run([record({ topic: 'chat/lobby', data: 1, logged })], { ...deps, newId: () => 'e' });
    expect(frames.a).toMatchObject([{ epoch: 'epoch-1' }]);
    expect(offsetsTo(frames, 'a')).not.toContain(77);
  });

  it('and is stale is delivered to nobody, and its publisher is told', async () => {
    const { deps, frames } = historyHouse(['a']);
    const logged = { table: 'messages', places: [[{ dropped: 'stale' }]] };
    const receipt = { connectionId: 'me', id: '7' };
    await run([record({ topic: 'chat/lobby', data: 1, version: 1, messageId: 'm', logged, receipt })], deps);
    expect(frames).toEqual({ me: [expect.objectContaining({ type: 'receipt', id: '7', dropped: 'stale' })] });
  });

  it('is in the log before subscribers are looked up', async () => {
    const seen: unknown[] = [];
    const { deps, log } = historyHouse(['a']);
    const shards: FanOutDeps['shards'] = {
      ...deps.shards,
      covering: async (topic) => {
        seen.push(await log.contents());
        return deps.shards.covering(topic);
      },
    };
    await run([toLobby(1, { messageId: 'm' })], { ...deps, shards });
    expect(seen).toEqual([['m']]);
  });

  it('says so to those that it leaves out, who would wait for its offset else', async () => {
    const { deps, frames } = historyHouse(['a', 'b']);
    await run([toLobby(1, { except: ['b'] })], deps);
    await run([toLobby(2), toLobby(3, { except: ['b', 'c'] })], deps);
    const source = { topic: 'chat/lobby', epoch: 'epoch-1' };
    expect(frames.b?.[0]).toEqual({ type: 'message', ...source, offset: 1, skipped: true });
    expect(frames.b?.[1]).toEqual({
      type: 'messages',
      ...source,
      messages: [expect.objectContaining({ offset: 2, data: 2 }), { offset: 3, skipped: true }],
    });
    expect(frames.a?.map(({ data }) => data)).toEqual([1, undefined]);
    expect(Object.keys(frames)).toEqual(['a', 'b']);
  });

  it('is delivered again when it comes again, with the same offset', async () => {
    const { deps, frames, log } = historyHouse(['a']);
    const one = toLobby(1);
    await run([one], deps);
    await run([again(one), toLobby(2)], deps);
    expect(frames.a?.[1].messages.map(({ offset, data }: Record<string, unknown>) => [offset, data])).toEqual(
      [
        [1, 1],
        [2, 2],
      ],
    );
    expect(await log.contents()).toHaveLength(2);
  });

  it('is delivered by the first record with its key, and by no other', async () => {
    const { deps, frames } = historyHouse(['a']);
    await run([toLobby('first', { key: 'k' })], deps);
    await run([toLobby('second', { key: 'k' })], deps);
    expect(frames.a?.map(({ data }) => data)).toEqual(['first']);
  });

  it('comes in the order of its offset among those that had theirs before', async () => {
    const { deps, frames } = historyHouse(['a']);
    const [one, two] = [toLobby(1), toLobby(2)];
    await run([one], deps);
    await run([two, again(one)], deps);
    expect(frames.a?.[1].messages.map(({ data }: { data: unknown }) => data)).toEqual([1, 2]);
  });

  it('that is stale is delivered to no connection', async () => {
    const { deps, frames } = historyHouse(['a']);
    const records = [toLobby('new', { version: 2 }), toLobby('old', { version: 1 })];
    const { remarks } = await fanOut(records, deps, FOREVER);
    expect(frames.a?.map(({ data }) => data)).toEqual(['new']);
    // A back end has no answer that would tell it.
    expect(remarks).toMatchObject({ delivered: 1, stale: 1 });
  });

  it('that resets the versions is delivered, and does so once', async () => {
    const { deps, frames } = historyHouse(['a']);
    const reset = toLobby('reset', { version: 2, reset: true });
    await run([toLobby('mistake', { version: Number.MAX_SAFE_INTEGER })], deps);
    await run([reset], deps);
    await run([toLobby('next', { version: 3 })], deps);
    await run([reset], deps);
    await run([toLobby('late', { version: 3 })], deps);
    expect(frames.a?.map(({ data }) => data)).toEqual(['mistake', 'reset', 'next', 'reset']);
    expect(frames.a?.map(({ offset }) => offset)).toEqual([1, 2, 3, 2]);
  });

  it('is acknowledged to its publisher with a receipt, wherever it is stored', async () => {
    const { deps, frames } = historyHouse([]);
    const receipt = { connectionId: 'publisher', id: '7' };
    const message = { messageId: 'm', receipt };
    await run([toLobby(1, { ...message, version: 2 })], deps);
    await run([toLobby(2, { messageId: 'n', version: 1, receipt: { connectionId: 'publisher' } })], deps);
    const keyed = (messageId: string) => ({ key: 'k', messageId, receipt });
    await run([toLobby(3, keyed('x')), toLobby(4, keyed('y'))], deps);
    const topic = 'chat/lobby';
    const stored = { type: 'receipt', id: '7', messageId: expect.any(String), topic, epoch: 'epoch-1' };
    expect(frames.publisher).toEqual([
      { ...stored, messageId: 'm', offset: 1 },
      { type: 'receipt', messageId: 'n', topic, dropped: 'stale' },
      { ...stored, offset: 2 },
      { ...stored, offset: 2 },
    ]);
    expect(frames.publisher?.[2].messageId).toBe(frames.publisher?.[3].messageId);
  });

  it('to several topics has a receipt for each', async () => {
    const { deps, frames } = historyHouse([]);
    const receipt = { connectionId: 'publisher' };
    await run([record({ topics: ['chat/lobby', 'chat/other'], data: 1, receipt })], deps);
    expect(frames.publisher?.map(({ topic, offset }) => [topic, offset]).sort()).toEqual([
      ['chat/lobby', 1],
      ['chat/other', 1],
    ]);
  });

  it('that could not be stored comes again, with all the other topics of its record, and no others', async () => {
    const { deps, frames } = historyHouse(['a'], { atStep: once('before write', dies) });
    const both = record({ topics: ['chat/lobby', 'news'], data: 1 });
    const other = record({ topic: 'chat/other', data: 2, receipt: { connectionId: 'publisher' } });
    const failed = await run([both, other], deps);
    expect(failed.map(({ record }) => record)).toEqual([both]);
    expect(Object.keys(frames)).toEqual(['publisher']);
    expect(await run([again(both)], deps)).toEqual([]);
    expect(frames.a).toMatchObject([{ data: 1, offset: 1 }]);
  });

  it('is a dead letter if its namespace does not allow it', async () => {
    const { deps, bad, log } = historyHouse(['a']);
    await run(
      [record({ topic: 'news', data: 1, version: 1 }), record({ to: 'everyone', data: 1, version: 1 })],
      deps,
    );
    expect(bad.map(({ reason }) => reason)).toEqual([
      'expected a version only of messages to topics that keep history, got {"topic":"news"}',
      'expected a version only of messages to topics that keep history, got {"everyone":true}',
    ]);
    expect(await log.contents()).toEqual([]);
  });

  it('travels with its epoch in delivery jobs, too', async () => {
    const { deps, jobs } = historyHouse(['a', 'b', 'c', 'd', 'e']);
    await run([toLobby(1, { except: ['e'] })], deps);
    expect(jobs).toMatchObject([
      { epoch: 'epoch-1', connectionIds: ['a', 'b', 'c', 'd'] },
      { epoch: 'epoch-1', connectionIds: ['e'], messages: [{ json: '{"offset":1,"skipped":true}' }] },
    ]);
  });
});
