import { spawn } from 'node:child_process';
import {
  cpSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  QueryCommand,
  ScanCommand,
  type ScanCommandInput,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Dynalite } from '../../infra/local/dynamodb/dynalite.ts';
import { type TableDefinition, Tables, type TablesOptions } from '../../infra/local/dynamodb/tables.ts';
import { Outage } from '../../infra/local/state/outage.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { serve } from '../support/serve.ts';

const TableName = 'connections';
const definition: TableDefinition = {
  TableName,
  KeySchema: [{ AttributeName: 'connectionId', KeyType: 'HASH' }],
  AttributeDefinitions: [
    { AttributeName: 'connectionId', AttributeType: 'S' },
    { AttributeName: 'userId', AttributeType: 'S' },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'byUser',
      KeySchema: [
        { AttributeName: 'userId', KeyType: 'HASH' },
        { AttributeName: 'connectionId', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'KEYS_ONLY' },
    },
  ],
  TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
};
const shards: TableDefinition = {
  TableName: 'shards',
  KeySchema: [
    { AttributeName: 'topicShard', KeyType: 'HASH' },
    { AttributeName: 'connectionId', KeyType: 'RANGE' },
  ],
  AttributeDefinitions: [
    { AttributeName: 'topicShard', AttributeType: 'S' },
    { AttributeName: 'connectionId', AttributeType: 'S' },
  ],
};

let clock: ManualClock;
let log: string[];
let dynamo: DynamoDBClient;
const closing: (() => Promise<unknown>)[] = [];

async function temporaryDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'fanwire-tables-'));
  closing.push(() => rm(dataDir, { recursive: true }));
  return dataDir;
}

const source = (file: string): string =>
  JSON.stringify(new URL(`../../infra/local/${file}`, import.meta.url).href);

const open = (dataDir?: string, options: Partial<TablesOptions> = {}): Promise<Tables> =>
  Tables.open({
    ...(dataDir && { dataDir }),
    ...{ region: 'eu-west-1', accountId: '000000000000', clock, log: (line) => log.push(line), ...options },
  });

async function clientOf(tables: Tables): Promise<DynamoDBClient> {
  const served = await serve(tables);
  const client = new DynamoDBClient(served.client);
  closing.push(served.close, async () => client.destroy());
  return client;
}

/** Tables in memory, and a client for them. */
async function tablesWith(...definitions: TableDefinition[]): Promise<void> {
  const tables = await open();
  closing.push(() => tables.close());
  for (const each of definitions) await tables.create(each);
  dynamo = await clientOf(tables);
}

beforeEach(() => {
  clock = new ManualClock();
  log = [];
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What a table answers to an input that no SDK sends. */
async function answerTo(operation: string, input: object): Promise<{ status: number; body: unknown }> {
  const tables = await open();
  closing.push(() => tables.close());
  await tables.create(definition);
  const served = await serve(tables);
  closing.push(served.close);
  const response = await fetch(served.client.endpoint, {
    method: 'POST',
    headers: { 'x-amz-target': `DynamoDB_20120810.${operation}` },
    body: JSON.stringify({ TableName, ...input }),
  });
  return { status: response.status, body: await response.json() };
}

const put = (Item: Record<string, object>, table = TableName) =>
  dynamo.send(new PutItemCommand({ TableName: table, Item: Item as never })); // any attribute values
const get = async (connectionId: string) =>
  (await dynamo.send(new GetItemCommand({ TableName, Key: { connectionId: { S: connectionId } } }))).Item;

describe('tables', () => {
  it('exist as soon as they are created, with the ARN of the account and region', async () => {
    await tablesWith(definition);
    const { Table } = await dynamo.send(new DescribeTableCommand({ TableName }));
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      TableArn: 'arn:aws:dynamodb:eu-west-1:000000000000:table/connections',
      GlobalSecondaryIndexes: [{ IndexName: 'byUser', IndexStatus: 'ACTIVE' }],
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
    });
    expect(await put({ connectionId: { S: 'a' } })).toMatchObject({ $metadata: { httpStatusCode: 200 } });
  });

  it('answer with a checksum of the answer, as SDKs compare it, of errors too', async () => {
    const tables = await open();
    closing.push(() => tables.close());
    await tables.create(definition);
    const served = await serve(tables);
    closing.push(served.close);
    for (const [operation, input, status] of [
      ['DescribeTable', { TableName }, 200],
      ['GetItem', { TableName, Key: { connectionId: { S: 'ä' } } }, 200],
      ['GetItem', { TableName: 'ä' }, 400],
      ['Nothing', {}, 400],
    ] as const) {
      const response = await fetch(served.client.endpoint, {
        method: 'POST',
        headers: { 'x-amz-target': `DynamoDB_20120810.${operation}` },
        body: JSON.stringify(input),
      });
      expect(response.status).toBe(status);
      const body = Buffer.from(await response.arrayBuffer());
      expect(response.headers.get('x-amz-crc32')).toBe(String(crc32(body)));
    }
  });

  it.each([
    ['GetItem', { Key: { connectionId: null } }],
    ['Scan', { ExclusiveStartKey: { connectionId: null } }],
    ['Query', { KeyConditionExpression: 'connectionId = :a', ExpressionAttributeValues: { ':a': null } }],
    ['PutItem', { Item: { connectionId: { S: 'a' }, list: { L: [{ S: 'a' }, null] } } }],
    ['PutItem', { Item: { connectionId: { S: 'a' }, map: { M: { a: null } } } }],
    ['PutItem', { Item: { connectionId: { S: 'a' }, set: { SS: [null] } } }],
    [
      'BatchWriteItem',
      { RequestItems: { [TableName]: [{ DeleteRequest: { Key: { connectionId: null } } }] } },
    ],
  ])('refuse a null as an attribute of %s: %j', async (operation, input) => {
    expect(await answerTo(operation, input)).toEqual({
      status: 400,
      body: {
        __type: 'com.amazon.coral.validate#ValidationException',
        message: 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes',
      },
    });
  });

  it.each([
    ['BatchWriteItem', { RequestItems: { [TableName]: [null] } }],
    ['BatchGetItem', { RequestItems: { [TableName]: null } }],
    ['BatchGetItem', { RequestItems: { [TableName]: { Keys: [null] } } }],
    ['Scan', { ScanFilter: { connectionId: null } }],
    ['GetItem', { Key: { connectionId: { S: 'a' } }, AttributesToGet: [null] }],
    ['PutItem', { Item: { connectionId: { S: 'a' } }, Expected: { connectionId: null } }],
    [
      'TagResource',
      { ResourceArn: `arn:aws:dynamodb:eu-west-1:000000000000:table/${TableName}`, Tags: [null] },
    ],
  ])('refuse a null in a map or a list of %s: %j', async (operation, input) => {
    expect(await answerTo(operation, input)).toEqual({
      status: 400,
      body: {
        __type: 'com.amazon.coral.service#SerializationException',
        message: 'expected something in a map or a list, got null',
      },
    });
  });

  it('take a null member of a request as one that is not there', async () => {
    const Key = { connectionId: { S: 'a', N: null } };
    const input = { Key, ConsistentRead: null, ProjectionExpression: null };
    expect(await answerTo('GetItem', input)).toEqual({ status: 200, body: {} });
  });

  it.each([101, 4_400, 100_000])('refuse an item of %i levels, and go on', async (levels) => {
    const tables = await open();
    closing.push(() => tables.close());
    await tables.create(definition);
    const served = await serve(tables);
    closing.push(served.close);
    const value = `${'{"L":['.repeat(levels / 2)}{"S":"x"}${']}'.repeat(levels / 2)}`;
    const response = await fetch(served.client.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': 'DynamoDB_20120810.PutItem' },
      body: `{"TableName":"${TableName}","Item":{"connectionId":{"S":"a"},"deep":${value}}}`,
    });
    expect({ status: response.status, body: await response.json() }).toEqual({
      status: 400,
      body: {
        __type: 'com.amazon.coral.service#SerializationException',
        message: 'expected JSON of at most 100 levels as body',
      },
    });
    dynamo = await clientOf(tables);
    await put({ connectionId: { S: 'a' } });
    expect(await get('a')).toBeDefined();
  });

  it('give the SDK its named errors', async () => {
    await tablesWith(definition);
    const ConditionExpression = 'attribute_exists(connectionId)';
    const refused = new PutItemCommand({
      TableName,
      Item: { connectionId: { S: 'a' } },
      ConditionExpression,
    });
    await expect(dynamo.send(refused)).rejects.toMatchObject({
      name: 'ConditionalCheckFailedException',
      message: 'The conditional request failed',
    });
    const missing = new GetItemCommand({ TableName: 'nowhere', Key: { id: { S: 'a' } } });
    await expect(dynamo.send(missing)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    const bad = new GetItemCommand({ TableName, Key: { id: { S: 'a' } } });
    await expect(dynamo.send(bad)).rejects.toMatchObject({ name: 'ValidationException' });
    const unsupported = new TransactWriteItemsCommand({ TransactItems: [] });
    await expect(dynamo.send(unsupported)).rejects.toMatchObject({ name: 'UnknownOperationException' });
  });

  it('keep their items across a restart', async () => {
    const dataDir = await temporaryDir();
    const before = await open(dataDir);
    await before.create(definition);
    dynamo = await clientOf(before);
    await put({ connectionId: { S: 'a' }, userId: { S: 'ada' } });
    await before.close();
    const after = await open(dataDir);
    closing.push(() => after.close());
    await after.create(definition);
    dynamo = await clientOf(after);
    expect(await get('a')).toEqual({ connectionId: { S: 'a' }, userId: { S: 'ada' } });
  });

  it.each([
    ['keys', { KeySchema: [...shards.KeySchema], AttributeDefinitions: shards.AttributeDefinitions }],
    ['indexes', { GlobalSecondaryIndexes: [] }],
    ['key types', { AttributeDefinitions: [{ AttributeName: 'connectionId', AttributeType: 'N' }] }],
  ])('refuse other %s than in an earlier run, and say what to do', async (_, change) => {
    const dataDir = await temporaryDir();
    const tables = await open(dataDir);
    closing.push(() => tables.close());
    await tables.create(definition);
    await expect(tables.create({ ...definition, ...change })).rejects.toThrow(
      new RegExp(`^table connections: expected .+, got .+ in ${dataDir}, .*remove that directory`),
    );
  });

  it('refuse a data directory that is in use', async () => {
    const dataDir = await temporaryDir();
    const tables = await open(dataDir);
    closing.push(() => tables.close());
    await expect(open(dataDir)).rejects.toThrow(`${dataDir} is in use by another Fanwire`);
  });

  it('finish what is under way before they close', async () => {
    const dynalite = await Dynalite.open({ region: 'eu-west-1', accountId: '000000000000' });
    const { TableDescription } = (await dynalite.run('CreateTable', {
      ...shards,
      BillingMode: 'PAY_PER_REQUEST',
    })) as { TableDescription: TableDefinition };
    await dynalite.activate(TableDescription);
    const count = {
      TableName: 'shards',
      Key: { topicShard: { S: 's' }, connectionId: { S: 'c' } },
      UpdateExpression: 'ADD n :one',
      ExpressionAttributeValues: { ':one': { N: '1' } },
      ReturnValues: 'UPDATED_NEW',
    };
    const counting = Array.from({ length: 1_000 }, () => dynalite.run('UpdateItem', structuredClone(count)));
    const [counts] = await Promise.all([Promise.all(counting), dynalite.close()]);
    expect(counts.at(-1)).toEqual({ Attributes: { n: { N: '1000' } } });
  });

  it('can be used though the process was killed while they were created', async () => {
    const dataDir = await temporaryDir();
    const disk = {
      ...{ path: join(dataDir, 'dynamodb'), markFile: join(dataDir, 'dynamodb.mark'), clock },
      outage: new Outage('the tables', () => {}),
    };
    const dynalite = await Dynalite.open({ disk, region: 'eu-west-1', accountId: '000000000000' });
    const { TimeToLiveSpecification: _, ...input } = definition;
    await dynalite.run('CreateTable', { ...input, BillingMode: 'PAY_PER_REQUEST' });
    await dynalite.close(); // a moment before dynalite would have made the table active
    const tables = await open(dataDir);
    closing.push(() => tables.close());
    await tables.create(definition);
    dynamo = await clientOf(tables);
    await put({ connectionId: { S: 'a' } });
    expect(await get('a')).toBeDefined();
  });

  it('have every acknowledged write after the process was killed', async () => {
    const dataDir = await temporaryDir();
    const before = await open(dataDir);
    await before.create(definition);
    await before.close();
    const script = `
      import { systemClock } from ${source('clock.ts')};
      import { Dynalite } from ${source('dynamodb/dynalite.ts')};
      import { Outage } from ${source('state/outage.ts')};
      const [, path] = process.argv;
      const outage = new Outage('the tables', console.error);
      const disk = { path, markFile: path + '.mark', clock: systemClock, outage };
      const dynalite = await Dynalite.open({ disk, region: 'eu-west-1', accountId: '0' });
      dynalite.account();
      for (let count = 1; ; count++) {
        const Item = { connectionId: { S: String(count) }, userId: { S: 'ada' } };
        await dynalite.run('PutItem', { TableName: 'connections', Item });
        process.stdout.write(count + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, join(dataDir, 'dynamodb')]);
    let output = '';
    for await (const chunk of child.stdout) {
      output += chunk;
      if (output.length > 2_000) child.kill('SIGKILL');
    }
    const acknowledged = output.trimEnd().split('\n').length - 1; // the last line may be cut
    const tables = await open(dataDir);
    closing.push(() => tables.close());
    await tables.create(definition);
    dynamo = await clientOf(tables);
    const { Count } = await dynamo.send(new ScanCommand({ TableName }));
    expect(acknowledged).toBeGreaterThan(100);
    expect(Count).toBeGreaterThanOrEqual(acknowledged);
    expect(tables.hasLostWrites).toBe(false);
  });
});

describe('tables notice that they lack what they had answered', () => {
  const BOOTED = 1_700_000_000;
  /** Opens, writes an item, and closes or leaves it to the caller. */
  async function write(dataDir: string, item: string): Promise<Tables> {
    const tables = await open(dataDir, { bootedAtSeconds: BOOTED });
    await tables.create(definition);
    tables.account();
    dynamo = await clientOf(tables);
    await put({ connectionId: { S: item }, userId: { S: 'x'.repeat(1_000) } });
    return tables;
  }
  async function isLost(dataDir: string, bootedAtSeconds = BOOTED): Promise<boolean> {
    const tables = await open(dataDir, { bootedAtSeconds });
    await tables.close();
    return tables.hasLostWrites;
  }
  /** Turns over the bits of one byte, so far into the one file. */
  function damage(pattern: string, dataDir: string, fraction: number): void {
    const [file = ''] = globSync(join(dataDir, pattern)).filter((name) => statSync(name).size > 0);
    const bytes = readFileSync(file);
    const at = Math.floor(bytes.length * fraction);
    bytes[at] = (bytes[at] as number) ^ 0xff;
    writeFileSync(file, bytes);
  }
  /** As a process leaves it that is killed. */
  async function copyOf(dataDir: string): Promise<string> {
    const copy = await temporaryDir();
    cpSync(dataDir, copy, { recursive: true, filter: (file) => !file.endsWith('LOCK') });
    return copy;
  }

  it('and nothing else', async () => {
    const dataDir = await temporaryDir();
    for (const item of ['a', 'b']) await (await write(dataDir, item)).close();
    expect(await isLost(dataDir)).toBe(false);
    const tables = await write(dataDir, 'c');
    closing.push(() => tables.close());
    expect(await isLost(await copyOf(dataDir))).toBe(false);
  });

  it('when they are from an older copy', async () => {
    const dataDir = await temporaryDir();
    await (await write(dataDir, 'a')).close();
    const copy = await copyOf(dataDir);
    await (await write(dataDir, 'b')).close();
    rmSync(join(dataDir, 'dynamodb'), { recursive: true });
    renameSync(join(copy, 'dynamodb'), join(dataDir, 'dynamodb'));
    expect(await isLost(dataDir)).toBe(true);
  });

  it('when their log was cut short', async () => {
    const dataDir = await temporaryDir();
    const tables = await write(dataDir, 'a');
    closing.push(() => tables.close());
    const copy = await copyOf(dataDir);
    const [log = ''] = globSync(join(copy, 'dynamodb/*.log'));
    truncateSync(log, statSync(log).size - 100);
    expect(await isLost(copy)).toBe(true);
  });

  it('when their log was damaged in its middle', async () => {
    const dataDir = await temporaryDir();
    const tables = await write(dataDir, 'a');
    closing.push(() => tables.close());
    await put({ connectionId: { S: 'b' }, text: { S: 'x'.repeat(40_000) } });
    await put({ connectionId: { S: 'c' } });
    const copy = await copyOf(dataDir);
    damage('dynamodb/*.log', copy, 0.02); // LevelDB leaves out what is in the same block, and finds the last item
    expect(await isLost(copy)).toBe(true);
    expect(await isLost(copy)).toBe(true); // though LevelDB has begun another log
  });

  it('when a start ended early that had found it, whatever it had written', async () => {
    const dataDir = await temporaryDir();
    await (await write(dataDir, 'a')).close();
    rmSync(join(dataDir, 'dynamodb'), { recursive: true });
    const tables = await open(dataDir, { bootedAtSeconds: BOOTED });
    expect(tables.hasLostWrites).toBe(true);
    const others = ['first', 'second', 'third', 'fourth'].map((TableName) => ({ ...definition, TableName }));
    for (const table of [definition, ...others]) await tables.create(table);
    await tables.close();
    expect(await isLost(dataDir)).toBe(true);
  });

  it('and are refused when what is in no log any more is damaged', async () => {
    const dataDir = await temporaryDir();
    await (await write(dataDir, 'a')).close();
    await (await open(dataDir, { bootedAtSeconds: BOOTED })).close();
    damage('dynamodb/*.ldb', dataDir, 0.3);
    await expect(isLost(dataDir)).rejects.toThrow(
      new RegExp(
        `^the tables in ${dataDir} cannot be read \\(.+\\.ldb: expected a block .+\\): remove that directory`,
      ),
    );
  });

  it('and say so when their mark is no file', async () => {
    const dataDir = await temporaryDir();
    const mark = join(dataDir, 'dynamodb.mark');
    mkdirSync(mark);
    await expect(isLost(dataDir)).rejects.toThrow(
      `expected ${mark} to be a file, got a directory: remove it`,
    );
  });

  it('when the machine went down under them, in case', async () => {
    const dataDir = await temporaryDir();
    const tables = await write(dataDir, 'a');
    closing.push(() => tables.close());
    expect(await isLost(await copyOf(dataDir), BOOTED + 3_600)).toBe(true);
  });

  it('until that has been dealt with', async () => {
    const dataDir = await temporaryDir();
    await (await write(dataDir, 'a')).close();
    rmSync(join(dataDir, 'dynamodb.mark'));
    expect(await isLost(dataDir)).toBe(true);
    expect(await isLost(dataDir)).toBe(true);
    await (await write(dataDir, 'b')).close();
    expect(await isLost(dataDir)).toBe(false);
  });
});

describe('what Fanwire’s repositories rely on', () => {
  const subscribe = (changes: Partial<UpdateItemCommandInput> = {}) =>
    dynamo.send(
      new UpdateItemCommand({
        TableName,
        Key: { connectionId: { S: 'a' } },
        UpdateExpression: 'SET subscriptions.#t = if_not_exists(subscriptions.#t, :s)',
        ConditionExpression:
          'attribute_exists(connectionId) AND (attribute_exists(subscriptions.#t) OR size(subscriptions) < :max)',
        ExpressionAttributeNames: { '#t': 'chat/lobby.*' },
        ExpressionAttributeValues: { ':s': { N: '7' }, ':max': { N: '2' } },
        ...changes,
      }),
    );
  const connection = (subscriptions: Record<string, object>) => ({
    connectionId: { S: 'a' },
    userId: { S: 'ada' },
    subscriptions: { M: subscriptions },
  });

  beforeEach(() => tablesWith(definition, shards));

  it('sets a key of a map that is not there yet, and leaves one that is', async () => {
    await put(connection({ x: { N: '1' } }));
    const all = await subscribe({ ReturnValues: 'ALL_NEW' });
    expect(all.Attributes).toEqual(connection({ x: { N: '1' }, 'chat/lobby.*': { N: '7' } }));
    const values = { ':s': { N: '8' }, ':max': { N: '2' } };
    const updated = await subscribe({ ReturnValues: 'UPDATED_NEW', ExpressionAttributeValues: values });
    expect(updated.Attributes).toEqual({ subscriptions: { M: { 'chat/lobby.*': { N: '7' } } } });
  });

  it('has a map with a key `__proto__` like any other', async () => {
    await put(connection({ x: { N: '1' } }));
    const names = { ExpressionAttributeNames: { '#t': '__proto__' } };
    const subscriptions = { M: Object.fromEntries([['__proto__', { N: '7' }]]) };
    const written = await subscribe({ ...names, ReturnValues: 'UPDATED_NEW' });
    expect(JSON.stringify(written.Attributes)).toBe(JSON.stringify({ subscriptions }));
    const again = await subscribe({
      ...{ ...names, ReturnValues: 'UPDATED_NEW' },
      ExpressionAttributeValues: { ':s': { N: '8' }, ':max': { N: '2' } },
    });
    expect(JSON.stringify(again.Attributes)).toBe(JSON.stringify({ subscriptions }));
    const Key = { connectionId: { S: 'a' } };
    const read = new GetItemCommand({ TableName, Key, ProjectionExpression: 'subscriptions.#t', ...names });
    expect(JSON.stringify((await dynamo.send(read)).Item)).toBe(JSON.stringify({ subscriptions }));
  });

  it('refuses one more key than the maximum, but not one that is there', async () => {
    await put(connection({ x: { N: '1' }, y: { N: '2' } }));
    await expect(subscribe()).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
    await put(connection({ x: { N: '1' }, 'chat/lobby.*': { N: '2' } }));
    await expect(subscribe()).resolves.toBeDefined();
  });

  it('refuses a subscription of a connection that is gone, and does not bring it back', async () => {
    await expect(subscribe()).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
    expect(await get('a')).toBeUndefined();
  });

  it('lets one of many concurrent updates of an item win the last place', async () => {
    await put(connection({ x: { N: '1' } }));
    const names = Array.from({ length: 10 }, (_, index) => ({ '#t': `topic${index}` }));
    const results = await Promise.allSettled(
      names.map((ExpressionAttributeNames) => subscribe({ ExpressionAttributeNames })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(Object.keys((await get('a'))?.subscriptions?.M ?? {})).toHaveLength(2);
  });

  it('removes a key of a map and tells its old value', async () => {
    const remove = () =>
      dynamo.send(
        new UpdateItemCommand({
          TableName,
          Key: { connectionId: { S: 'a' } },
          UpdateExpression: 'REMOVE subscriptions.#t',
          ExpressionAttributeNames: { '#t': 'chat/lobby' },
          ReturnValues: 'UPDATED_OLD',
        }),
      );
    await put(connection({ 'chat/lobby': { N: '3' } }));
    expect((await remove()).Attributes).toEqual({ subscriptions: { M: { 'chat/lobby': { N: '3' } } } });
    expect((await get('a'))?.subscriptions).toEqual({ M: {} });
    expect((await remove()).Attributes ?? {}).toEqual({});
  });

  it('deletes an item on a condition about a size, and tells what it was', async () => {
    const remove = new DeleteItemCommand({
      TableName,
      Key: { connectionId: { S: 'a' } },
      ConditionExpression: 'size(subscriptions) = :none',
      ExpressionAttributeValues: { ':none': { N: '0' } },
      ReturnValues: 'ALL_OLD',
    });
    await put(connection({ x: { N: '1' } }));
    await expect(dynamo.send(remove)).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
    await put(connection({}));
    expect((await dynamo.send(remove)).Attributes).toEqual(connection({}));
    expect(await get('a')).toBeUndefined();
  });

  it('scans on from a key that is not in the table', async () => {
    for (let index = 0; index < 20; index++) await put({ connectionId: { S: `c${index}` } });
    const all = (await dynamo.send(new ScanCommand({ TableName }))).Items ?? [];
    const keys = all.map(({ connectionId }) => connectionId?.S);
    const gone = new DeleteItemCommand({ TableName, Key: { connectionId: { S: keys[9] ?? '' } } });
    await dynamo.send(gone);
    const ExclusiveStartKey = { connectionId: { S: keys[9] ?? '' } };
    const rest = await dynamo.send(new ScanCommand({ TableName, ExclusiveStartKey }));
    expect(rest.Items?.map(({ connectionId }) => connectionId?.S)).toEqual(keys.slice(10));
  });

  it('scans in segments that together are the table, page by page', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `c${index}`);
    for (const id of ids) await put({ connectionId: { S: id } });
    const found: (string | undefined)[] = [];
    for (let Segment = 0; Segment < 4; Segment++) {
      let ExclusiveStartKey: ScanCommandInput['ExclusiveStartKey'];
      do {
        const input = { TableName, Segment, TotalSegments: 4, Limit: 3, ExclusiveStartKey };
        const { Items = [], LastEvaluatedKey } = await dynamo.send(new ScanCommand(input));
        found.push(...Items.map(({ connectionId }) => connectionId?.S));
        ExclusiveStartKey = LastEvaluatedKey;
      } while (ExclusiveStartKey);
    }
    expect(found.sort()).toEqual(ids.sort());
  });

  it('queries an index, page by page, with the keys only', async () => {
    for (let index = 0; index < 5; index++)
      await put({ connectionId: { S: `c${index}` }, userId: { S: 'ada' }, x: { N: '1' } });
    await put({ connectionId: { S: 'd' }, userId: { S: 'bob' } });
    await put({ connectionId: { S: 'e' } });
    const pages = paginateQuery(
      { client: dynamo, pageSize: 2 },
      {
        TableName,
        IndexName: 'byUser',
        KeyConditionExpression: 'userId = :user',
        ExpressionAttributeValues: { ':user': { S: 'ada' } },
      },
    );
    const items: unknown[] = [];
    for await (const { Items = [] } of pages) items.push(...Items);
    expect(items).toEqual(
      ['c0', 'c1', 'c2', 'c3', 'c4'].map((id) => ({ connectionId: { S: id }, userId: { S: 'ada' } })),
    );
  });

  it('takes an item out of an index when it changes or goes', async () => {
    const ofAda = async () => {
      const { Count } = await dynamo.send(
        new QueryCommand({
          TableName,
          IndexName: 'byUser',
          KeyConditionExpression: 'userId = :user',
          ExpressionAttributeValues: { ':user': { S: 'ada' } },
        }),
      );
      return Count;
    };
    await put({ connectionId: { S: 'a' }, userId: { S: 'ada' } });
    await put({ connectionId: { S: 'b' }, userId: { S: 'ada' } });
    await put({ connectionId: { S: 'a' }, userId: { S: 'bob' } });
    expect(await ofAda()).toBe(1);
    await dynamo.send(new DeleteItemCommand({ TableName, Key: { connectionId: { S: 'b' } } }));
    expect(await ofAda()).toBe(0);
  });

  it('queries one partition in key order, consistently and projected', async () => {
    for (const id of ['b', 'a', 'é', 'c'])
      await put({ topicShard: { S: 'chat#0' }, connectionId: { S: id }, x: { N: '1' } }, 'shards');
    await put({ topicShard: { S: 'chat#01' }, connectionId: { S: 'other' } }, 'shards');
    const { Items } = await dynamo.send(
      new QueryCommand({
        TableName: 'shards',
        ConsistentRead: true,
        KeyConditionExpression: 'topicShard = :shard AND connectionId > :after',
        ProjectionExpression: 'connectionId',
        ExpressionAttributeValues: { ':shard': { S: 'chat#0' }, ':after': { S: 'a' } },
      }),
    );
    expect(Items).toEqual(['b', 'c', 'é'].map((id) => ({ connectionId: { S: id } })));
  });

  it('splits a large partition into pages of 1 MB', async () => {
    for (let index = 0; index < 4; index++) {
      await put(
        { topicShard: { S: 's' }, connectionId: { S: String(index) }, x: { S: 'x'.repeat(390_000) } },
        'shards',
      );
    }
    const query = {
      TableName: 'shards',
      KeyConditionExpression: 'topicShard = :s',
      ExpressionAttributeValues: { ':s': { S: 's' } },
    };
    const first = await dynamo.send(new QueryCommand(query));
    expect(first.Count).toBe(3);
    expect(first.LastEvaluatedKey).toEqual({ topicShard: { S: 's' }, connectionId: { S: '2' } });
  });

  it('gets a batch consistently, without what does not exist', async () => {
    await put({ connectionId: { S: 'a' } });
    await put({ connectionId: { S: 'b' } });
    const Keys = ['a', 'b', 'nobody'].map((id) => ({ connectionId: { S: id } }));
    const { Responses, UnprocessedKeys } = await dynamo.send(
      new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys, ConsistentRead: true } } }),
    );
    expect(Responses?.[TableName]?.map(({ connectionId }) => connectionId?.S).sort()).toEqual(['a', 'b']);
    expect(UnprocessedKeys).toEqual({});
  });

  it('deletes a batch, whether or not its items exist', async () => {
    await put({ connectionId: { S: 'a' } });
    const requests = ['a', 'nobody'].map((id) => ({ DeleteRequest: { Key: { connectionId: { S: id } } } }));
    const { UnprocessedItems } = await dynamo.send(
      new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }),
    );
    expect(UnprocessedItems).toEqual({});
    expect(await get('a')).toBeUndefined();
  });
});

describe('time to live', () => {
  const SWEEP_INTERVAL_MS = 10_000;
  const inSeconds = (seconds: number) => ({ N: String(Math.floor(clock.now() / 1000) + seconds) });
  const ids = async (): Promise<unknown[]> => {
    const { Items = [] } = await dynamo.send(new ScanCommand({ TableName }));
    return Items.map(({ connectionId }) => connectionId?.S).sort();
  };
  const untilLeft = (...left: string[]): Promise<void> =>
    vi.waitFor(async () => expect(await ids()).toEqual(left));

  it('deletes an item some time after it has expired, and no other', async () => {
    await tablesWith(definition);
    await put({ connectionId: { S: 'soon' }, expiresAt: inSeconds(15) });
    await put({ connectionId: { S: 'later' }, expiresAt: inSeconds(3600) });
    await put({ connectionId: { S: 'never' } });
    await put({ connectionId: { S: 'text' }, expiresAt: { S: '1' } });
    await put({ connectionId: { S: 'ancient' }, expiresAt: { N: '1' } });
    clock.advance(SWEEP_INTERVAL_MS);
    await put({ connectionId: { S: 'past' }, expiresAt: inSeconds(-1) });
    clock.advance(SWEEP_INTERVAL_MS);
    await untilLeft('ancient', 'later', 'never', 'text');
  });

  it('keeps what expires later than the sweep', async () => {
    await tablesWith(definition);
    await put({ connectionId: { S: 'a' }, expiresAt: inSeconds(15) });
    await put({ connectionId: { S: 'past' }, expiresAt: inSeconds(-1) });
    clock.advance(SWEEP_INTERVAL_MS);
    await untilLeft('a');
  });

  it('looks at a thousand items at a time, and goes on where it stopped', async () => {
    await tablesWith(definition);
    for (let index = 0; index < 1_100; index += 25) {
      const requests = Array.from({ length: 25 }, (_, offset) => ({
        PutRequest: { Item: { connectionId: { S: String(index + offset) } } },
      }));
      await dynamo.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }));
    }
    const { Items = [] } = await dynamo.send(new ScanCommand({ TableName }));
    const [first, last] = [Items[0], Items.at(-1)];
    await put({ ...first, expiresAt: inSeconds(-1) } as never);
    await put({ ...last, expiresAt: inSeconds(-1) } as never);
    clock.advance(SWEEP_INTERVAL_MS);
    await vi.waitFor(async () => expect(await get(first?.connectionId?.S ?? '')).toBeUndefined());
    expect(await get(last?.connectionId?.S ?? '')).toBeDefined();
    clock.advance(SWEEP_INTERVAL_MS);
    await vi.waitFor(async () => expect(await get(last?.connectionId?.S ?? '')).toBeUndefined());
  });

  it('goes on when somebody deletes a table that has it', async () => {
    await tablesWith({ ...definition, TableName: 'aaa' }, definition);
    await put({ connectionId: { S: 'past' }, expiresAt: inSeconds(-1) });
    await dynamo.send(new DeleteTableCommand({ TableName: 'aaa' }));
    for (let sweeps = 0; sweeps < 2; sweeps++) clock.advance(SWEEP_INTERVAL_MS);
    await untilLeft();
    expect(log).toEqual([]);
  });

  it('is not for a table without it', async () => {
    const { TimeToLiveSpecification: _, ...without } = definition;
    await tablesWith(without, { ...definition, TableName: 'others' });
    await put({ connectionId: { S: 'a' }, expiresAt: inSeconds(-1) });
    await put({ connectionId: { S: 'a' }, expiresAt: inSeconds(-1) }, 'others');
    clock.advance(SWEEP_INTERVAL_MS);
    await vi.waitFor(async () => {
      expect((await dynamo.send(new ScanCommand({ TableName: 'others' }))).Count).toBe(0);
    });
    expect(await ids()).toEqual(['a']);
  });
});
