import { describe, expect, it } from 'vitest';
import type { TableDescription } from '../../infra/local/dynamodb/dynalite.ts';
import { indexWriteUnits } from '../../infra/local/dynamodb/indexes.ts';
import { meterIndexes, runMetered } from '../../infra/local/dynamodb/meter.ts';
import { RequestError } from '../../infra/local/http/engine.ts';
import { Meter } from '../../infra/local/meter/meter.ts';
import { eventUnits, messageUnits, requestUnits } from '../../infra/local/meter/units.ts';
import { payloadOf } from '../../infra/local/sqs/meter.ts';
import { Names } from '../../infra/local/stack/names.ts';
import { ManualClock } from '../support/manual-clock.ts';

const MINUTE_MS = 60_000;

function createMeter(clock = new ManualClock()) {
  const functions = [{ name: 'stack-fanout-1', timeoutMs: 90_000, memoryMb: 512 }];
  const names = new Names([
    { type: 'AWS::Lambda::Function', physicalName: 'stack-fanout-1', path: 'stack/Fanout/Function/Resource' },
  ]);
  const meter = new Meter({ clock, functions, names, polledQueues: new Set(['ingest']) });
  return { clock, meter };
}

describe('units', () => {
  it.each([
    [messageUnits, 32],
    [requestUnits, 64],
    [eventUnits, 64],
  ])('%s bills every begun block, and nothing as one', (unitsOf, kilobytes) => {
    const bytes = kilobytes * 1024;
    expect([0, 1, bytes, bytes + 1, 2 * bytes + 1].map(unitsOf)).toEqual([1, 1, 1, 2, 3]);
  });

  it('takes the payloads of a batch together', () => {
    const Entries = [{ MessageBody: 'ä' }, { MessageBody: 'bc', MessageGroupId: 'chat' }];
    expect(payloadOf({ Entries })).toEqual({ bytes: 4, isGrouped: true });
    expect(payloadOf({ MessageBody: 'abc' })).toEqual({ bytes: 3, isGrouped: false });
  });
});

describe('connection minutes', () => {
  it('are those of all connections together, of open ones too', () => {
    const { clock, meter } = createMeter();
    const stage = meter.stage('prod');
    stage.opened();
    clock.advance(MINUTE_MS);
    stage.opened();
    clock.advance(MINUTE_MS);
    stage.closed();
    clock.advance(MINUTE_MS);
    expect(meter.report().stages.prod).toMatchObject({ connections: 2, connectionMinutes: 4 });
  });

  it('go on after the counts were set back', () => {
    const { clock, meter } = createMeter();
    meter.stage('prod').opened();
    clock.advance(MINUTE_MS);
    meter.reset();
    clock.advance(2 * MINUTE_MS);
    const { seconds, stages } = meter.report();
    expect(seconds).toBe(120);
    expect(stages.prod).toMatchObject({ connections: 0, connectionMinutes: 2 });
  });
});

it('counts a post only if it was delivered, and no other call to @connections as a message', () => {
  const { meter } = createMeter();
  const stage = meter.stage('prod');
  stage.managed('POST', 200, 40_000);
  stage.managed('POST', 410, 10);
  stage.managed('GET', 200, 0);
  stage.managed('DELETE', 204, 0);
  expect(stage.report()).toMatchObject({ posts: 2, refusals: 1 });
});

it('bills a function by the millisecond, its start included, and calls it what the app calls it', () => {
  const { meter } = createMeter();
  meter.initialised('stack-fanout-1', 199.2);
  meter.invoked('stack-fanout-1', 10.1, true, 5_000);
  meter.invoked('stack-fanout-1', 0.4, false, 4_000);
  expect(meter.report().functions).toEqual({
    fanout: {
      ...{ invocations: 2, errors: 1, coldStarts: 1, initMs: 200, durationMs: 12, durationMaxMs: 11 },
      ...{ gbSeconds: 0.212 / 2, timeoutMs: 90_000, memoryMb: 512, heapBytesMax: 5_000, logBytes: 0 },
    },
  });
});

describe('a request to a table', () => {
  const consumed: unknown[] = [];
  const tableMeter = { consumed: (...all: unknown[]) => void consumed.push(all) };

  it('is told to say what it consumes, and its caller is not', async () => {
    consumed.length = 0;
    const run = async (input: object) => {
      expect(input).toEqual({ TableName: 'rows', ReturnConsumedCapacity: 'TOTAL' });
      return { Count: 1, ConsumedCapacity: { TableName: 'rows', CapacityUnits: 2.5 } };
    };
    expect(await runMetered('Query', { TableName: 'rows' }, run, tableMeter)).toEqual({ Count: 1 });
    expect(consumed).toEqual([['rows', 'Query', 'readUnits', 2.5]]);
  });

  it('is billed for a write even if its condition fails, and for nothing else that fails', async () => {
    consumed.length = 0;
    for (const type of ['ConditionalCheckFailedException', 'ValidationException']) {
      const run = () => Promise.reject(new RequestError(`com.amazonaws.dynamodb.v20120810#${type}`, ''));
      await expect(runMetered('PutItem', { TableName: 'rows' }, run, tableMeter)).rejects.toThrow();
    }
    expect(consumed).toEqual([['rows', 'PutItem', 'writeUnits', 1]]);
  });
});

describe('a write to a table with an index', () => {
  const table: TableDescription = {
    TableName: 'connections',
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'byUser',
        KeySchema: [{ AttributeName: 'user', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['expiresAt'] },
      },
    ],
  };
  const row = (user?: string, expiresAt = '1', other = '') => ({
    id: { S: 'a' },
    ...(user !== undefined && { user: { S: user } }),
    expiresAt: { N: expiresAt },
    other: { S: other },
  });

  it.each([
    ['puts an item that the index does not have', undefined, row(), 0],
    ['puts an item into it', undefined, row('alice'), 1],
    ['deletes one from it', row('alice'), undefined, 1],
    ['changes what the index does not have', row('alice'), row('alice', '1', 'x'), 0],
    ['changes what it has', row('alice'), row('alice', '2'), 1],
    ['changes its key', row('alice'), row('bob'), 2],
  ])('%s', (_, before, after, units) => {
    expect(indexWriteUnits(table, before, after)).toBe(units);
  });

  it('is billed for what the index takes, beside what the table does', () => {
    const consumed: unknown[] = [];
    const written = meterIndexes({ consumed: (...all: unknown[]) => void consumed.push(all) });
    written(table, row('alice'), row('bob'));
    written(table, row('bob'), row('bob', '1', 'x'));
    written({ ...table, GlobalSecondaryIndexes: [] }, row('alice'), row('bob'));
    expect(consumed).toEqual([['connections', 'indexes', 'writeUnits', 2]]);
  });

  it('knows an item again that has lost its prototype', () => {
    const item = row('alice');
    expect(indexWriteUnits(table, item, Object.assign(Object.create(null), item))).toBe(0);
  });
});
