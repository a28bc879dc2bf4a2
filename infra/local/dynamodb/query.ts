import './memory.ts';
import { createRequire } from 'node:module';

/**
 * The last step of a Query or a Scan, once dynalite knows the range of keys. Its own sends every item through three
 * layers of event emitters that live until the next full garbage collection, and the items with them: with a hundred
 * items a query took 337 us with them and takes 166 without; together with `expressions.ts` a publish to a hundred
 * subscribers takes 6 % less processor time (`npm run bench -- system`). test/unit/dynamodb/query.test.ts compares the two.
 */

export type Item = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** As a LevelDB iterator reads. */
export interface Values {
  /** Up to so many; none at the end. */
  nextv(max: number): Promise<Item[]>;
  close(): Promise<void>;
}

/** What dynalite makes of the input of a request. */
export interface QueryInput {
  readonly TableName: string;
  readonly IndexName?: string;
  readonly Limit?: number;
  readonly Select?: string;
  readonly ConsistentRead?: boolean;
  readonly ReturnConsumedCapacity?: string;
  readonly ConditionalOperator?: string;
  readonly QueryFilter?: unknown;
  readonly ScanFilter?: unknown;
  readonly AttributesToGet?: readonly string[];
  readonly _filter?: { readonly expression: unknown };
  readonly _projection?: { readonly paths: readonly Path[] };
}

/** A name, or names and places within lists. */
type Path = string | readonly (string | number)[];

interface QueriedTable {
  readonly KeySchema: readonly { readonly AttributeName: string }[];
}

interface Query {
  readonly table: QueriedTable;
  readonly input: QueryInput;
  readonly isLocalIndex: boolean;
  /** Of the table and of the index, of which a page's last key is made. */
  readonly keyNames: readonly string[];
}

interface Database {
  matchesExprFilter(item: Item, expression: unknown): boolean;
  matchesFilter(item: Item, filter: unknown, operator?: string): boolean;
  mapPaths(paths: readonly Path[], item: Item): unknown;
  /** In bytes; `compress` as DynamoDB reckons the limit of a page. */
  itemSize(item: Item, compress?: boolean, addMetaSize?: boolean, rangeKey?: string): number;
}

const database: Database = createRequire(import.meta.url)('dynalite/db');

/** One by one, each would cost as much as all that is done with it. */
export const VALUES_AT_ONCE = 500;
const PAGE_BYTES_MAX = 1024 * 1024;
const READ_UNIT_BYTES = 4 * 1024;

interface Page {
  readonly items: readonly Item[];
  /** Whether it ends for another reason than that there is no more. */
  readonly isFull: boolean;
  /** As capacity is reckoned; 0 unless the request asks for its capacity. */
  readonly bytes: number;
}

export async function query(values: Values, { table, input, isLocalIndex, keyNames }: Query) {
  const { items, isFull, bytes } = await readPage(values, table, input);
  const found = items.filter(filterOf(input));
  const last = isFull ? items.at(-1) : undefined;
  return {
    ScannedCount: items.length,
    ...(last && { LastEvaluatedKey: Object.fromEntries(keyNames.map((name) => [name, last[name]])) }),
    Count: found.length,
    ...(input.Select !== 'COUNT' && { Items: project(found, input) }),
    ...(isMetered(input) && { ConsumedCapacity: consumed(bytes, input, isLocalIndex) }),
  };
}

async function readPage(values: Values, { KeySchema }: QueriedTable, input: QueryInput): Promise<Page> {
  const { Limit = Infinity } = input;
  const meters = isMetered(input);
  const rangeKey = KeySchema[1]?.AttributeName;
  const items: Item[] = [];
  let bytes = 0;
  let pageBytes = 0;
  const isFull = () => items.length >= Limit || pageBytes >= PAGE_BYTES_MAX;
  try {
    while (!isFull()) {
      const batch = await values.nextv(VALUES_AT_ONCE);
      if (batch.length === 0) break;
      for (const item of batch) {
        if (isFull()) break;
        if (meters) bytes += database.itemSize(item);
        pageBytes += database.itemSize(item, true, true, rangeKey);
        items.push(item);
      }
    }
  } finally {
    await values.close();
  }
  return { items, isFull: isFull(), bytes };
}

const isMetered = ({ ReturnConsumedCapacity }: QueryInput): boolean =>
  ReturnConsumedCapacity === 'TOTAL' || ReturnConsumedCapacity === 'INDEXES';

function filterOf({ _filter, QueryFilter, ScanFilter, ConditionalOperator }: QueryInput) {
  const filter = QueryFilter ?? ScanFilter;
  if (_filter) return (item: Item) => database.matchesExprFilter(item, _filter.expression);
  if (filter) return (item: Item) => database.matchesFilter(item, filter, ConditionalOperator);
  return () => true;
}

function project(items: readonly Item[], { _projection, AttributesToGet }: QueryInput): readonly unknown[] {
  const paths = _projection?.paths ?? AttributesToGet;
  if (!paths) return items;
  const names = paths.flat();
  if (names.length > paths.length) return items.map((item) => database.mapPaths(paths, item));
  return items.map((item) => pick(item, names as string[])); // a path of one piece is a name
}

const pick = (item: Item, names: readonly string[]): Item =>
  Object.fromEntries(Object.entries(item).filter(([name]) => names.includes(name)));

function consumed(bytes: number, { TableName, IndexName, ...input }: QueryInput, isLocalIndex: boolean) {
  const units = Math.ceil(bytes / READ_UNIT_BYTES) * (input.ConsistentRead ? 1 : 0.5);
  const total = { CapacityUnits: units, TableName };
  if (input.ReturnConsumedCapacity === 'TOTAL') return total;
  if (IndexName === undefined) return { ...total, Table: { CapacityUnits: units } };
  const indexes = isLocalIndex ? 'LocalSecondaryIndexes' : 'GlobalSecondaryIndexes';
  return {
    ...total,
    Table: { CapacityUnits: 0 },
    [indexes]: { [IndexName]: { CapacityUnits: units } },
  };
}
