import {
  DescribeTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  type KeySchemaElement,
  PutItemCommand,
  paginateScan,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createBudget } from '../../shared/data/budget.ts';
import { type Connections, createConnections } from '../../shared/data/connections.ts';
import { createForget } from '../../shared/data/forget.ts';
import { createLogs, type Log, type Logs, type Range } from '../../shared/data/log.ts';
import { createRevocations, type Revocations } from '../../shared/data/revocations.ts';
import { createShards, type Shards } from '../../shared/data/shards.ts';
import { createSubscriptions, type Subscriptions } from '../../shared/data/subscriptions.ts';
import { headKey, TABLES, type TableDefinition, type TableName } from '../../shared/data/tables.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { KEY_WINDOW_MS } from '../../shared/protocol/frames.ts';
import { parsePattern, parseTopic } from '../../shared/protocol/topic.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';
import { BackEnd } from '../support/back-end.ts';
import { bootLocal } from '../support/local.ts';

const START_MS = Date.UTC(2026, 10, 20);
const HOUR_MS = 3_600_000;
const chat = parsePattern('chat/*');
const lobby = parsePattern('chat/lobby');

interface Place {
  readonly client: DynamoDBClient;
  readonly tables: Readonly<Record<TableName, string>>;
  /** The key attributes of the table, and then those of its indexes. */
  keysOf(name: TableName): Promise<unknown[]>;
  stop(): Promise<void>;
}

const declaredKeysOf = async (name: TableName): Promise<unknown[]> => {
  const { keys, indexes = {} }: TableDefinition = TABLES[name];
  return [keys, ...Object.values(indexes).map((index) => index.keys)].map((each) => Object.keys(each));
};

/** The local cloud's tables, and those that the simulation keeps in memory: it may trust these as far as this suite goes. */
const places: readonly (readonly [string, () => Promise<Place>])[] = [
  ['local', bootTables],
  [
    'local, past the middleware',
    async () => {
      const place = await bootTables();
      return { ...place, client: lean(DynamoDBClient, place.options) };
    },
  ],
  [
    'in memory',
    async () => ({
      client: new MemoryDynamoDB().client(),
      tables: {
        connections: 'connections',
        subscriptions: 'subscriptions',
        topics: 'topics',
        messages: 'messages',
        access: 'access',
      },
      keysOf: declaredKeysOf,
      stop: async () => {},
    }),
  ],
];

async function bootTables(): Promise<Place & { readonly options: DynamoDBClientConfig }> {
  const local = await bootLocal();
  const { dynamodb: client } = new BackEnd(local.ready);
  const { endpoint, region, accessKeyId, secretAccessKey } = local.ready;
  const options = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
  const tables = local.ready.tables as Record<TableName, string>;
  const keysOf = async (name: TableName) => {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: tables[name] }));
    const names = (keys: KeySchemaElement[] | undefined) => keys?.map(({ AttributeName }) => AttributeName);
    const indexes = Table?.GlobalSecondaryIndexes?.map(({ KeySchema }) => names(KeySchema)) ?? [];
    return [names(Table?.KeySchema), ...indexes];
  };
  return { client, tables, keysOf, options, stop: () => local.stop() };
}

describe.each(places)('tables %s', (_, open_) => {
  let place: Place;
  let client: DynamoDBClient;
  let tables: Place['tables'];
  let connections: Connections;
  let subscriptions: Subscriptions;
  let shards: Shards;
  let logs: Logs;
  let revocations: Revocations;
  let nowMs: number;
  let id: string;
  let count = 0;
  const now = () => nowMs;
  const clock = { ...systemClock, now };

  beforeAll(async () => {
    place = await open_();
    ({ client, tables } = place);
    connections = createConnections(client, tables.connections, now);
    subscriptions = createSubscriptions(client, tables.subscriptions, clock);
    shards = createShards(client, tables.topics, clock);
    revocations = createRevocations(client, tables.access, clock);
    logs = createLogs(client, { topicsTable: tables.topics, messagesTable: tables.messages }, clock);
  });
  afterAll(() => place?.stop());
  beforeEach(() => {
    // Far enough in the future that nothing here has expired for the runtime itself.
    nowMs = START_MS + 10 * 365 * 24 * HOUR_MS;
    id = `connection-${++count}`;
  });

  const open = (connectionId = id, userId?: string) =>
    connections.open({ connectionId, connectedAtMs: nowMs, ...(userId !== undefined && { userId }) });
  const collect = async (pages: AsyncIterable<string[]>) => (await Array.fromAsync(pages)).flat().sort();
  const seconds = (ms: number) => Math.ceil(ms / 1000);

  it.each(Object.keys(TABLES) as TableName[])('have the keys that are declared: %s', async (name) => {
    expect(await place.keysOf(name)).toEqual(await declaredKeysOf(name));
  });

  describe('connections', () => {
    it('keep a repeated subscription on its first shard', async () => {
      await open();
      expect(await connections.addSubscription(id, lobby, 3, 2)).toMatchObject({ shard: 3 });
      expect(await connections.addSubscription(id, lobby, 5, 2)).toMatchObject({ shard: 3 });
      expect(await connections.shardOf(id, lobby)).toBe(3);
      expect(await connections.shardOf(id, chat)).toBeUndefined();
    });

    it('refuse exactly the subscription over the limit, and none that is there already', async () => {
      await open();
      await connections.addSubscription(id, lobby, 0, 2);
      await connections.addSubscription(id, chat, 0, 2);
      expect(await connections.addSubscription(id, parsePattern('news'), 0, 2)).toBe('limit_reached');
      expect(await connections.addSubscription(id, lobby, 1, 2)).toMatchObject({ shard: 0 });
      await connections.removeSubscription(id, chat);
      expect(await connections.addSubscription(id, parsePattern('news'), 0, 2)).toMatchObject({ shard: 0 });
    });

    it('take no more than the limit however many come at once', async () => {
      await open();
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, n) => connections.addSubscription(id, parsePattern(`t/${n}`), 0, 7)),
      );
      expect(results.filter((result) => result !== 'limit_reached')).toHaveLength(7);
    });

    it('say so when the connection is not there', async () => {
      expect(await connections.addSubscription(id, lobby, 0, 2)).toBe('not_connected');
      expect(await connections.shardOf(id, lobby)).toBeUndefined();
      await connections.removeSubscription(id, lobby);
      expect(await connections.close(id)).toBeUndefined();
    });

    it('answer with the rows that are left when they are closed', async () => {
      await open();
      await connections.addSubscription(id, lobby, 1, 9);
      await connections.addSubscription(id, chat, 0, 9);
      const rows = await connections.close(id);
      expect(rows).toHaveLength(2);
      expect(rows).toEqual(
        expect.arrayContaining([
          { connectionId: id, pattern: lobby, shard: 1 },
          { connectionId: id, pattern: chat, shard: 0 },
        ]),
      );
      expect(await connections.close(id)).toBeUndefined();
    });

    describe('that are renewed', () => {
      const token = { rights: { news: ['subscribe' as const] }, issuedAtMs: 1_000, tokenId: 'second' };
      const renewed = () => ({ ...token, expiresAtMs: nowMs + HOUR_MS });
      const grant = { tokenId: 'third', issuedAtMs: 2_000 };

      it('know their newest token, and which of their subscriptions end when', async () => {
        await open();
        const end = { atMs: nowMs + HOUR_MS, grant };
        expect(await connections.addSubscription(id, lobby, 0, 2, end)).toEqual({
          ...{ shard: 0, standing: { renewals: 0, ends: new Map([[lobby, end]]) } },
        });
        await connections.renew(id, renewed());
        nowMs += 2_000;
        expect(await connections.renew(id, renewed())).toEqual({ retryAfterMs: 3_000 });
        nowMs += 3_000;
        const answer = await connections.renew(id, renewed());
        const standing = { renewed: renewed(), renewals: 2, ends: new Map([[lobby, end]]) };
        expect(answer).toEqual({ standing, rows: [{ connectionId: id, pattern: lobby, shard: 0 }] });
        expect(await connections.standing(id)).toEqual(standing);
        expect((await connections.held(id))?.tokens.slice(1)).toMatchObject([{ tokenId: 'second' }, grant]);
      });

      it('have the end of a subscription replaced only if it is the one that was seen', async () => {
        await open();
        await connections.addSubscription(id, lobby, 0, 2);
        const [sooner, later] = [{ atMs: nowMs + 1_000 }, { atMs: nowMs + 2_000 }];
        const ends = async () => (await connections.standing(id))?.ends.get(lobby);
        await connections.replaceEnd(id, lobby, sooner, later);
        expect(await ends()).toBeUndefined();
        await connections.replaceEnd(id, lobby, sooner, undefined);
        await connections.replaceEnd(id, lobby, later, undefined);
        expect(await ends()).toEqual(sooner);
        await connections.replaceEnd(id, lobby, later, sooner);
        expect(await ends()).toEqual(later);
        await connections.replaceEnd(id, lobby, undefined, later);
        expect(await ends()).toBeUndefined();
        await connections.noteEnd(id, lobby, sooner);
        await connections.removeSubscription(id, lobby);
        // What is not subscribed to any more has no end that a ping would tell of.
        await connections.noteEnd(id, lobby, sooner);
        await connections.replaceEnd(id, lobby, later, undefined);
        expect(await connections.standing(id)).toEqual({ renewals: 0, ends: new Map() });
      });

      it('end when the newest renewal says, and are none when they have ended', async () => {
        await open();
        await connections.renew(id, renewed());
        expect(await connections.endAt(id, seconds(nowMs) + 60, 2)).toBe(false);
        expect(await connections.endAt(id, seconds(nowMs) + 60, 1)).toBe(true);
        nowMs += 60_000;
        expect(await connections.renew(id, renewed())).toBeUndefined();
        expect(await connections.renew('nobody', renewed())).toBeUndefined();
      });

      it('are asked for another one if they are of a version without ends', async () => {
        const item = { connectionId: { S: id }, subscriptions: { M: {} }, connectedAt: { N: '1' } };
        const Item = { ...item, expiresAt: { N: String(seconds(nowMs) + 60) } };
        await client.send(new PutItemCommand({ TableName: tables.connections, Item }));
        expect(await connections.addSubscription(id, lobby, 0, 2)).toMatchObject({ shard: 0 });
        expect(await connections.addSubscription(id, chat, 0, 2, { atMs: nowMs })).toBe('not_connected');
        await connections.noteEnd(id, lobby, { atMs: nowMs });
        await connections.removeSubscription(id, lobby);
        expect(await connections.close(id)).toEqual([]);
      });
    });

    describe('that answered 410', () => {
      it('stay while their handshake may be pending', async () => {
        await open();
        expect(await connections.close(id, nowMs + 29_000)).toBeUndefined();
        expect(await connections.addSubscription(id, lobby, 0, 1)).toMatchObject({ shard: 0 });
      });

      it('go after it', async () => {
        await open();
        expect(await connections.close(id, nowMs + 30_000)).toEqual([]);
      });

      it('go at once if they have subscribed, for then they were open', async () => {
        await open();
        await connections.addSubscription(id, lobby, 0, 1);
        expect(await connections.close(id, nowMs + 1)).toHaveLength(1);
      });
    });

    it('are found by their user until they expire', async () => {
      const user = `user-${id}`;
      await open(`${id}-a`, user);
      await open(`${id}-b`, user);
      await open(`${id}-c`, `not-${user}`);
      expect(await connections.userOf(`${id}-a`)).toBe(user);
      expect(await collect(connections.ofUser(user))).toEqual([`${id}-a`, `${id}-b`]);
      nowMs += 3 * HOUR_MS;
      expect(await collect(connections.ofUser(user))).toEqual([]);
    });

    it('are sampled all when there are few, once each, wherever the sample starts', async () => {
      nowMs += 1_000 * 24 * HOUR_MS; // what other tests left has expired by now
      const mine = Array.from({ length: 30 }, (_, n) => `${id}-${n}`);
      await Promise.all(mine.map((each) => open(each)));
      for (const start of ['a', 'some-random-id', 'zzz']) {
        const sample = await connections.sample(start, 100);
        expect(sample.map(({ connectionId }) => connectionId).sort()).toEqual([...mine].sort());
        expect(new Set(sample.map(({ connectedAtMs }) => connectedAtMs))).toEqual(new Set([nowMs]));
        const few = await connections.sample(start, 10);
        expect(new Set(few.map(({ connectionId }) => connectionId)).size).toBe(10);
      }
      expect(await collect(connections.all())).toEqual([...mine].sort());
    });
  });

  describe('connections that end', () => {
    const openWith = (tokenEndsAtMs?: number) =>
      connections.open({
        ...{
          connectionId: id,
          userId: 'ada',
          connectedAtMs: nowMs,
          tokenId: 'one',
          issuedAtMs: nowMs - 1_000,
        },
        ...(tokenEndsAtMs !== undefined && { tokenEndsAtMs }),
      });

    it('are found before their end and after it, and no others are', async () => {
      await openWith(nowMs + 60_000);
      const found = async (beforeMs: number) =>
        (await Array.fromAsync(connections.endingBefore(beforeMs)))
          .flat()
          .find(({ connectionId }) => connectionId === id);
      expect(await found(nowMs + 60_000)).toBeUndefined();
      expect(await found(nowMs + 61_000)).toEqual({ connectionId: id, endsAtMs: nowMs + 60_000 });
      nowMs += HOUR_MS;
      expect(await found(nowMs)).toEqual({ connectionId: id, endsAtMs: nowMs - HOUR_MS + 60_000 });
    });

    it('say which tokens they have', async () => {
      expect(await connections.held(id)).toBeUndefined();
      await openWith(nowMs + 60_000);
      const first = { tokenId: 'one', issuedAtMs: nowMs - 1_000 };
      expect(await connections.held(id)).toEqual({ endsAtMs: nowMs + 60_000, tokens: [first] });
      await client.send(
        new UpdateItemCommand({
          TableName: tables.connections,
          Key: { connectionId: { S: id } },
          UpdateExpression: 'SET renewed = :renewed',
          ExpressionAttributeValues: {
            ':renewed': { M: { tokenId: { S: 'two' }, issuedAt: { N: String(nowMs) } } },
          },
        }),
      );
      nowMs += HOUR_MS; // it has ended
      const second = { tokenId: 'two', issuedAtMs: nowMs - HOUR_MS };
      expect((await connections.held(id))?.tokens).toEqual([first, second]);
    });

    it('of an earlier version say nothing of their token', async () => {
      await open();
      expect((await connections.held(id))?.tokens).toEqual([{}]);
    });
  });

  describe('subscriptions', () => {
    it('are found by their shard until they expire or are deleted', async () => {
      const shard = { pattern: parsePattern(`shards/${id}`), shard: 1 };
      await subscriptions.put({ ...shard, connectionId: 'a' }, seconds(nowMs + HOUR_MS));
      await subscriptions.put({ ...shard, connectionId: 'b' }, seconds(nowMs + HOUR_MS));
      await subscriptions.put({ ...shard, shard: 2, connectionId: 'c' }, seconds(nowMs + HOUR_MS));
      await subscriptions.put({ ...shard, connectionId: 'd' }, seconds(nowMs));
      expect(await collect(subscriptions.subscribers(shard))).toEqual(['a', 'b']);
      await subscriptions.delete([{ ...shard, connectionId: 'a' }]);
      expect(await collect(subscriptions.subscribers(shard))).toEqual(['b']);
    });

    it('are settled by the newest renewal, never brought back, and not written by what held before it', async () => {
      const shard = { pattern: parsePattern(`settled/${id}`), shard: 0 };
      const row = { ...shard, connectionId: 'a' };
      const [soon, late] = [seconds(nowMs + HOUR_MS), seconds(nowMs + 2 * HOUR_MS)];
      const live = async () => (await collect(subscriptions.subscribers(shard))).length === 1;
      expect(await subscriptions.put(row, soon)).toBe(true);
      await subscriptions.settle(row, late, 1);
      nowMs += HOUR_MS;
      expect(await live()).toBe(true);
      expect(await subscriptions.put(row, late)).toBe(false);
      expect(await subscriptions.put(row, late, 1)).toBe(true);
      await subscriptions.settle(row, 'over', 2);
      expect(await live()).toBe(false);
      await subscriptions.settle(row, late, 3);
      expect(await live()).toBe(false);
      expect(await subscriptions.put(row, late, 2)).toBe(false);
      expect(await subscriptions.put(row, late, 3)).toBe(true);
      await subscriptions.settle(row, 'over', 2);
      expect(await live()).toBe(true);
      // One that is about to be written.
      const other = { ...shard, connectionId: 'b' };
      await subscriptions.settle(other, late, 1);
      expect(await subscriptions.put(other, late)).toBe(false);
      expect(await collect(subscriptions.subscribers(shard))).toEqual(['a']);
    });

    it('are all found when they fill more than one page of a Query, and deleted in batches', async () => {
      const shard = { pattern: parsePattern(`pages/${id}`), shard: 0 };
      // Long ids, so that few fill the megabyte of a page.
      const ids = Array.from(
        { length: 1_400 },
        (_, n) => `${String(n).padStart(5, '0')}-${'x'.repeat(1_000)}`,
      );
      const expiresAt = { N: String(seconds(nowMs + HOUR_MS)) };
      await Promise.all(
        ids.map((connectionId) =>
          client.send(
            new PutItemCommand({
              TableName: tables.subscriptions,
              Item: { topicShard: { S: `${shard.pattern}#0` }, connectionId: { S: connectionId }, expiresAt },
            }),
          ),
        ),
      );
      const pages = await Array.fromAsync(subscriptions.subscribers(shard));
      expect(pages.length).toBeGreaterThan(1);
      expect(pages.flat()).toEqual(ids);
      await subscriptions.delete(ids.map((connectionId) => ({ ...shard, connectionId })));
      expect(await collect(subscriptions.subscribers(shard))).toEqual([]);
    });
  });

  describe('shards', () => {
    it('exist as long as their subscriptions, and are written once an hour and not once a subscriber', async () => {
      const pattern = parsePattern(`topics/${id}`);
      const expiryOf = async () => {
        const scan = { TableName: tables.topics, ConsistentRead: true };
        const pages = await Array.fromAsync(paginateScan({ client }, scan));
        const rows = pages.flatMap(({ Items = [] }) => Items);
        return rows.find(({ topic }) => topic?.S === pattern)?.expiresAt;
      };
      const expiresAt = seconds(nowMs) + 7_800;
      expect(await shards.ensure(pattern, expiresAt)).toBe(1);
      const first = await expiryOf();
      expect(await shards.ensure(pattern, expiresAt + 3_600)).toBe(1);
      expect(await expiryOf()).toEqual(first);
      expect(await shards.ensure(pattern, expiresAt + 3_601)).toBe(1);
      expect(await expiryOf()).not.toEqual(first);
    });

    it('are found with every pattern that covers them, and not once they have expired', async () => {
      const name = `cover-${count}`;
      const topic = parseTopic(`${name}/a/b`);
      const expiresAt = seconds(nowMs) + 10;
      for (const pattern of [`${name}/a/b`, `${name}/*`, `${name}/other`]) {
        await shards.ensure(parsePattern(pattern), expiresAt);
      }
      const found = (await shards.covering(topic)).map(({ pattern, shard }) => `${pattern}#${shard}`);
      expect(found.sort()).toEqual([`${name}/*#0`, `${name}/a/b#0`]);
      expect(await shards.covering(topic, false)).toEqual([{ pattern: `${name}/a/b`, shard: 0 }]);
      nowMs += 2 * HOUR_MS;
      expect(await shards.covering(topic)).toEqual([]);
    });

    it('are read once for all who subscribe at about the same time', async () => {
      const sent: string[] = [];
      const send = (command: { readonly constructor: { readonly name: string } }) => {
        sent.push(command.constructor.name);
        return client.send(command as never);
      };
      const counted = createShards({ send } as never, tables.topics, clock);
      const pattern = parsePattern(`busy-${count}`);
      for (let n = 0; n < 5; n++) await counted.ensure(pattern, seconds(nowMs) + 10 + n);
      expect(sent).toEqual(['GetItemCommand', 'UpdateItemCommand']);
      nowMs += 5_000;
      await counted.ensure(pattern, seconds(nowMs) + 10);
      expect(sent).toHaveLength(3);
    });

    it('grow, and never shrink', async () => {
      const pattern = parsePattern(`grow-${count}`);
      await shards.ensure(pattern, seconds(nowMs) + 10);
      await shards.grow(pattern, 3);
      await shards.grow(pattern, 2);
      nowMs += 5_000;
      expect((await shards.of(pattern)).map(({ shard }) => shard)).toEqual([0, 1, 2]);
      expect(await shards.ensure(pattern, seconds(nowMs) + 10)).toBe(3);
    });

    it('without subscribers do not come to be by growing', async () => {
      const pattern = parsePattern(`grow-${count}`);
      await shards.grow(pattern, 3);
      expect(await shards.of(pattern)).toEqual([]);
    });
  });

  describe('revocations', () => {
    const userId = () => `user-${count}`;
    const isRevoked = (issuedAtMs: number, tokenId = 'one') =>
      revocations.isRevoked({ userId: userId(), tokenId, issuedAtMs });

    it('refuse what was issued to a user until then, and nothing later or of another user', async () => {
      expect(await isRevoked(0)).toBe(false);
      await revocations.revoke({ userId: userId() }, nowMs);
      expect(await isRevoked(nowMs)).toBe(true);
      expect(await isRevoked(nowMs + 1_000)).toBe(false);
      expect(await revocations.isRevoked({ userId: userId() })).toBe(true);
      expect(await revocations.isRevoked({ userId: `${userId()}0`, issuedAtMs: 0 })).toBe(false);
    });

    it('refuse one token, whenever it was issued, and no other of its user', async () => {
      await revocations.revoke({ userId: userId(), tokenId: 'one' }, nowMs);
      expect(await isRevoked(nowMs + 1_000)).toBe(true);
      expect(await isRevoked(0, 'two')).toBe(false);
      expect(await revocations.isRevoked({ userId: userId(), issuedAtMs: 0 })).toBe(false);
      expect(await revocations.isRevoked({ userId: `${userId()}0`, tokenId: 'one' })).toBe(false);
    });

    it('are never taken back by an older one that comes later', async () => {
      for (const atMs of [nowMs, nowMs - 5_000, nowMs]) await revocations.revoke({ userId: userId() }, atMs);
      expect(await isRevoked(nowMs)).toBe(true);
      await revocations.revoke({ userId: userId() }, nowMs + 5_000);
      expect(await isRevoked(nowMs + 5_000)).toBe(true);
    });
  });

  describe('the schedule of posts', () => {
    const budget = () => createBudget(client, tables.topics, now);

    it('gives everybody a span of their own, one after the other', async () => {
      nowMs += 100 * HOUR_MS;
      const workers = [budget(), budget(), budget()];
      const starts = await Promise.all(workers.map((each) => each.take(10.5, 1_000)));
      expect(starts.map((start) => Number(start) - nowMs).sort((a, b) => a - b)).toEqual([0, 10.5, 21]);
    });

    it('begins now when what was taken is over', async () => {
      nowMs += 200 * HOUR_MS;
      const one = budget();
      await one.take(10, 1_000);
      nowMs += 50;
      expect(await budget().take(10, 0)).toBe(nowMs);
    });

    it('has nothing to give while it reaches further than one wants to wait', async () => {
      nowMs += 300 * HOUR_MS;
      await budget().take(1_000, 0);
      expect(await budget().take(10, 999)).toBeUndefined();
      expect(await budget().take(10, 1_000)).toBe(nowMs + 1_000);
    });

    it('overrules a clock that is ahead where that is in the way, and not at once again', async () => {
      nowMs += 400 * HOUR_MS;
      const startMs = nowMs;
      const one = budget();
      const ahead = createBudget(client, tables.topics, () => nowMs + 3_000);
      expect(await ahead.take(10, 400)).toBe(startMs + 3_000);
      expect(await one.take(10, 4_000)).toBe(startMs + 3_010);
      await ahead.take(10, 400);
      expect(await one.take(10, 400)).toBe(startMs);
      await ahead.take(10, 400);
      expect(await one.take(10, 400)).toBeUndefined();
      nowMs += 500;
      expect(await one.take(10, 400)).toBe(startMs + 500);
    });
  });

  it('forgets a subscription that its connection does not list, on the next 410', async () => {
    const pattern = parsePattern(`orphans/${id}`);
    const row = { pattern, shard: 0, connectionId: id };
    await subscriptions.put(row, seconds(nowMs + HOUR_MS));
    const forget = createForget({ connections, subscriptions, now });
    await forget(id, [row]);
    expect(await collect(subscriptions.subscribers(row))).toEqual([]);
  });

  describe('logs', () => {
    const KEEP_SECONDS = 60;
    const topic = () => parseTopic(`log-${id}`);
    const openLog = async (): Promise<Log> => ({ topic: topic(), ...(await logs.open(topic(), 'one')) });
    const entry = (offset: number, json?: string) => ({
      offset,
      atMs: nowMs,
      ...(json !== undefined && { json }),
    });
    const write = (log: Log, offset: number, json?: string) =>
      logs.write(log, entry(offset, json), KEEP_SECONDS);
    const offsets = async (log: Log, range: Range) =>
      (await logs.read(log, range)).map(({ offset }) => offset);

    it('are opened once, by the first of several', async () => {
      expect(await logs.head(topic())).toBeUndefined();
      const opened = await Promise.all(['a', 'b', 'c'].map((epoch) => logs.open(topic(), epoch)));
      expect(new Set(opened.map(({ epoch }) => epoch)).size).toBe(1);
      expect(opened.map(({ offset }) => offset)).toEqual([0, 0, 0]);
      expect(await logs.head(topic())).toEqual(opened[0]);
    });

    it('give everybody offsets of their own, without a hole', async () => {
      const log = await openLog();
      const counts = [1, 3, 2, 1, 5];
      const taken = await Promise.all(counts.map((count) => logs.allocate(log, count)));
      const all = taken.flatMap((each, index) =>
        Array.from({ length: Number(counts[index]) }, (_, n) => Number(each?.first) + n),
      );
      expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n + 1));
      expect((await logs.head(log.topic))?.offset).toBe(12);
      expect(await logs.allocate({ ...log, epoch: 'another' }, 1)).toBeUndefined();
    });

    it('are found together, without those that are not there', async () => {
      const log = await openLog();
      const other = parseTopic(`other-${id}`);
      await logs.open(other, 'two');
      await logs.allocate(log, 2);
      const heads = await logs.heads([log.topic, other, parseTopic('nobody')]);
      expect(heads.map(({ topic, epoch, offset }) => [topic, epoch, offset]).sort()).toEqual([
        [log.topic, 'one', 2],
        [other, 'two', 0],
      ]);
    });

    const allocateVersion = (log: Log, version: number, messageId: string, more: object = {}) =>
      logs.allocateVersion(log, { version, messageId, acceptedAtMs: nowMs, ...more });
    const holder = (messageId: string, offset: number) => ({
      messageId,
      acceptedAtMs: nowMs,
      offset,
      takenAtMs: nowMs,
    });

    it('take a version once and none that is older', async () => {
      const log = await openLog();
      expect(await allocateVersion(log, 5, 'a')).toMatchObject({ first: 1 });
      expect(await allocateVersion(log, 5, 'b')).toEqual(holder('a', 1));
      expect(await allocateVersion(log, 5, 'a')).toEqual(holder('a', 1));
      expect(await allocateVersion(log, 4, 'b')).toBe('stale');
      expect(await allocateVersion(log, 6, 'b')).toMatchObject({ first: 2 });
      expect(await allocateVersion({ ...log, epoch: 'another' }, 7, 'c')).toBeUndefined();
      expect(await allocateVersion({ ...log, epoch: 'another' }, 7, 'c', { resets: true })).toBeUndefined();
      expect(await allocateVersion(log, 2, 'd', { resets: true })).toMatchObject({ first: 3 });
      expect(await allocateVersion(log, 2, 'e')).toEqual(holder('d', 3));
      expect(await allocateVersion(log, 3, 'e')).toMatchObject({ first: 4 });
    });

    it('take a version in place of an offset that took it in vain, and of no other', async () => {
      const log = await openLog();
      await allocateVersion(log, 5, 'a');
      expect(await allocateVersion(log, 5, 'b', { insteadOf: 1 })).toMatchObject({ first: 2 });
      expect(await allocateVersion(log, 5, 'c', { insteadOf: 1 })).toEqual(holder('b', 2));
      await allocateVersion(log, 6, 'd');
      expect(await allocateVersion(log, 5, 'c', { insteadOf: 2 })).toBe('stale');
    });

    it('take a version that older code took only for the same message, while its key counts', async () => {
      const log = await openLog();
      await allocateVersion(log, 5, 'a');
      nowMs += 1;
      await client.send(
        new UpdateItemCommand({
          TableName: tables.topics,
          Key: headKey(log.topic),
          UpdateExpression: 'SET version = :six, versionOf = :b, versionAt = :now',
          ExpressionAttributeValues: {
            ':six': { N: '6' },
            ':b': { S: 'b' },
            ':now': { N: String(nowMs) },
          },
        }),
      );
      expect(await allocateVersion(log, 6, 'c')).toBe('stale');
      nowMs += KEY_WINDOW_MS;
      expect(await allocateVersion(log, 6, 'b')).toMatchObject({ first: 2 });
    });

    it('let the first writer decide an offset', async () => {
      const log = await openLog();
      const written = await Promise.all(['"a"', undefined, '"b"'].map((json) => write(log, 1, json)));
      expect(written.filter(Boolean)).toHaveLength(1);
      const decided = ['"a"', undefined, '"b"'][written.indexOf(true)];
      expect((await logs.entry(log, 1))?.json).toBe(decided);
      expect(await logs.entry(log, 2)).toBeUndefined();
    });

    it('let the first one claim an offset for a message, and replace only a claim that is there', async () => {
      const log = await openLog();
      const claim = { offset: 1, origin: 'event', acceptedAtMs: nowMs, atMs: nowMs };
      expect(await logs.claim(log, 'm', claim)).toBe(true);
      expect(await logs.claim(log, 'm', { ...claim, offset: 2 })).toBe(false);
      expect(await logs.claim(log, 'm', { ...claim, offset: 3 }, 2)).toBe(false);
      expect(await logs.claim(log, 'm', { ...claim, offset: 3 }, 1)).toBe(true);
      expect(await logs.claims(log, ['m', 'nobody'])).toEqual(new Map([['m', { ...claim, offset: 3 }]]));
    });

    it('are read from an offset on, up or down, at most so many', async () => {
      const log = await openLog();
      for (const offset of [1, 2, 3, 5, 10, 11]) await write(log, offset, `"${offset}"`);
      expect(await offsets(log, { from: 1, limit: 100 })).toEqual([1, 2, 3, 5, 10, 11]);
      expect(await offsets(log, { from: 3, limit: 2 })).toEqual([3, 5]);
      expect(await offsets(log, { from: 10, descending: true, limit: 3 })).toEqual([10, 5, 3]);
      expect(await offsets(log, { from: 12, limit: 3 })).toEqual([]);
      expect(await offsets({ ...log, epoch: 'another' }, { from: 1, limit: 3 })).toEqual([]);
    });

    it('keep what an entry says', async () => {
      const log = await openLog();
      const whole = {
        ...entry(1, '{"a":1}'),
        previousAtMs: nowMs - 5,
        expiresAtMs: nowMs + 5,
        except: ['x'],
      };
      await logs.write(log, whole, KEEP_SECONDS);
      expect(await logs.entry(log, 1)).toEqual(whole);
      expect(await logs.read(log, { from: 1, limit: 1 })).toEqual([whole]);
    });

    it('have the newest message as their last value, whatever comes late', async () => {
      const log = await openLog();
      expect(await logs.last(log)).toBeUndefined();
      await logs.putLast(log, entry(9, '"nine"'));
      await logs.putLast(log, entry(10, '"ten"'));
      await logs.putLast(log, entry(8, '"eight"'));
      expect(await logs.last(log)).toMatchObject({ offset: 10, json: '"ten"' });
      expect(await logs.last({ ...log, epoch: 'another' })).toBeUndefined();
    });

    it('begin anew with another epoch after a long time without publications', async () => {
      const log = await openLog();
      await allocateVersion(log, 5, 'a');
      await logs.putLast(log, entry(1, '"old"'));
      nowMs += 31 * 24 * HOUR_MS;
      expect(await logs.head(log.topic)).toBeUndefined();
      expect(await logs.allocate(log, 1)).toBeUndefined();
      const { epoch, offset } = await logs.open(log.topic, 'two');
      expect({ epoch, offset }).toEqual({ epoch: 'two', offset: 0 });
      const next = { topic: log.topic, epoch };
      expect(await logs.last(next)).toBeUndefined();
      expect(await allocateVersion(next, 1, 'b')).toMatchObject({ first: 1 });
      await logs.putLast(next, entry(1, '"new"'));
      expect(await logs.last(next)).toMatchObject({ json: '"new"' });
    });
  });
});
