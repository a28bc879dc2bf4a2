import { createRequire } from 'node:module';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Dynalite } from '../../../infra/local/dynamodb/dynalite.ts';

// As dynalite has it, before we put ours in its place.
const database = createRequire(import.meta.url)('dynalite/db');
const theirs = database.queryTable;
const { Dynalite: Opened } = await import('../../../infra/local/dynamodb/dynalite.ts');
const ours = database.queryTable;

let dynalite: Dynalite;

const ITEMS = 40;
const BIG = 60_000;

beforeAll(async () => {
  dynalite = await Opened.open({ region: 'eu-central-1', accountId: '123456789012' });
  const [table, range, local, global] = ['pk', 'sk', 'ls', 'gs'].map((name) => ({ AttributeName: name }));
  const keys = (hash: object | undefined, sort: object | undefined) => [
    { ...hash, KeyType: 'HASH' },
    { ...sort, KeyType: 'RANGE' },
  ];
  const all = { ProjectionType: 'ALL' };
  const { TableDescription } = (await dynalite.run('CreateTable', {
    TableName: 'Items',
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: keys(table, range),
    AttributeDefinitions: [table, range, local, global].map((each, index) => ({
      ...each,
      AttributeType: index === 0 ? 'S' : 'N',
    })),
    LocalSecondaryIndexes: [
      { IndexName: 'local', KeySchema: keys(table, local), Projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
    GlobalSecondaryIndexes: [{ IndexName: 'global', KeySchema: keys(table, global), Projection: all }],
  })) as { TableDescription: Parameters<Dynalite['activate']>[0] };
  await dynalite.activate(TableDescription);
  for (let n = 0; n < ITEMS; n++) {
    const Item = {
      pk: { S: n % 4 === 0 ? 'small' : 'large' },
      sk: { N: String(n) },
      ...(n % 3 !== 0 && { ls: { N: String(100 - n) } }),
      ...(n % 5 !== 0 && { gs: { N: String(n % 7) } }),
      text: { S: 'x'.repeat(n % 4 === 0 ? n : BIG + n) },
      map: { M: { list: { L: [{ N: String(n) }, { S: 'é' }] } } },
      ...(n % 2 === 0 && { set: { SS: ['a', String(n)] } }),
    };
    await dynalite.run('PutItem', { TableName: 'Items', Item });
  }
});
afterAll(() => dynalite.close());

const maybe = <T>(value: T) => fc.constantFrom(undefined, value);
const options = fc.record(
  {
    Limit: fc.integer({ min: 1, max: ITEMS + 1 }),
    Select: fc.constantFrom(undefined, undefined, 'COUNT'),
    ConsistentRead: fc.boolean(),
    ReturnConsumedCapacity: fc.constantFrom('NONE', 'TOTAL', 'INDEXES'),
    IndexName: fc.constantFrom(undefined, 'local', 'global'),
    ProjectionExpression: fc.constantFrom(undefined, 'sk', 'sk, #set', '#map.#list[1], sk', 'nothing'),
    FilterExpression: fc.constantFrom(undefined, 'size(#set) > :size', 'contains(#set, :a)'),
  },
  { requiredKeys: [] },
);

/** Only what the expressions use may be there. */
function withNames(input: Record<string, unknown>): Record<string, unknown> {
  const used = JSON.stringify(input);
  const those = (all: Record<string, unknown>) => {
    const found = Object.entries(all).filter(([name]) => used.includes(name));
    return found.length > 0 ? Object.fromEntries(found) : undefined;
  };
  return {
    ...input,
    ExpressionAttributeNames: those({ '#set': 'set', '#list': 'list', '#map': 'map' }),
    ExpressionAttributeValues: those({ ':size': { N: '1' }, ':a': { S: 'a' }, ':pk': { S: 'large' } }),
  };
}

/** The answer or the error, and what comes of going on where a page ended. */
async function pages(operation: string, input: Record<string, unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let start: unknown; found.length < 5; ) {
    const page = await dynalite
      .run(operation, { ...input, ...(start !== undefined && { ExclusiveStartKey: start }) })
      .catch(String);
    found.push(page);
    start = (page as { readonly LastEvaluatedKey?: unknown }).LastEvaluatedKey;
    if (start === undefined) break;
  }
  return found;
}

it.each(['Query', 'Scan'])('answers a %s as dynalite does', async (operation) => {
  const range = fc.record({ ScanIndexForward: fc.boolean(), condition: maybe(' AND sk > :size') });
  await fc.assert(
    fc.asyncProperty(options, range, async (options, { ScanIndexForward, condition = '' }) => {
      const key = `pk = :pk${options.IndexName ? '' : condition}`;
      const query = operation === 'Query' && { ScanIndexForward, KeyConditionExpression: key };
      const input = withNames({ TableName: 'Items', ...options, ...query });
      database.queryTable = theirs;
      const expected = await pages(operation, structuredClone(input));
      database.queryTable = ours;
      // dynalite makes objects without a prototype; as JSON they are the same.
      const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
      expect(plain(await pages(operation, input))).toEqual(plain(expected));
    }),
    { numRuns: 400 },
  );
});

it('reads by the old parameters, too', async () => {
  const input = {
    TableName: 'Items',
    KeyConditions: { pk: { ComparisonOperator: 'EQ', AttributeValueList: [{ S: 'small' }] } },
    AttributesToGet: ['sk', 'set', 'nothing'],
    QueryFilter: { sk2: { ComparisonOperator: 'NULL' }, map: { ComparisonOperator: 'NOT_NULL' } },
    ConditionalOperator: 'AND',
  };
  database.queryTable = theirs;
  const expected = await pages('Query', structuredClone(input));
  database.queryTable = ours;
  expect(await pages('Query', input)).toEqual(JSON.parse(JSON.stringify(expected)));
  expect(expected).toMatchObject([{ Count: ITEMS / 4 }]);
});
