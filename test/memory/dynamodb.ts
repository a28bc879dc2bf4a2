import {
  type AttributeValue,
  type BatchGetItemInput,
  type BatchWriteItemInput,
  ConditionalCheckFailedException,
  type DeleteItemInput,
  DynamoDBClient,
  type GetItemInput,
  type PutItemInput,
  type QueryInput,
  type ScanInput,
  type UpdateItemInput,
} from '@aws-sdk/client-dynamodb';
import { type Keys, TABLES, type TableDefinition, type TableName } from '../../shared/data/tables.ts';
import {
  compileCondition,
  compileProjection,
  compileUpdate,
  type Item,
  order,
  partAt,
  type Variables,
  validation,
} from './expression.ts';

/** Tables in memory, for the repositories as they are: they get a client that knows what they use of DynamoDB. */

type Operation =
  | 'GetItem'
  | 'PutItem'
  | 'UpdateItem'
  | 'DeleteItem'
  | 'Query'
  | 'Scan'
  | 'BatchGetItem'
  | 'BatchWriteItem';

interface Request {
  readonly operation: Operation;
  readonly table: string;
  /** What the client sent. */
  readonly input: object;
  /** Whether it may be answered from a copy that is behind. */
  readonly isEventual: boolean;
}
/** What DynamoDB may do with a request and call it a success. */
interface Mood {
  /** How far behind an eventual read may be. */
  readonly lagMs?: number;
  /** Asked about every item of a batch: whether it is left undone. */
  readonly leavesUndone?: () => boolean;
  /** Nothing of what a filter is for is in the page: all of it has expired. */
  readonly hasEmptyPage?: boolean;
}
/**
 * Makes one request: `perform` does it, at one moment and whole, but for what the mood says. May take its time, fail
 * before or after, or never end.
 */
export type MakeRequest = <T>(request: Request, perform: (mood?: Mood) => T) => Promise<T>;

/** A request that is answered at once. */
const atOnce: MakeRequest = async (_, perform) => perform();

export interface MemoryOptions {
  /** The clock of the service, from which a client's may differ. */
  readonly now?: () => number;
  /** Items in a page of a Query or Scan, which is 1 MB on AWS. */
  readonly pageItemsMax?: number;
  /** Called after every write, with the item as it was and as it is. */
  readonly onWrite?: (table: TableName, before: Item | undefined, after: Item | undefined) => void;
}

export class MemoryDynamoDB {
  readonly #tables = new Map<string, Table>();

  constructor({ now = () => 0, pageItemsMax = 1_000, onWrite }: MemoryOptions = {}) {
    for (const [name, definition] of Object.entries(TABLES)) {
      const written = (before?: Item, after?: Item) => onWrite?.(name as TableName, before, after);
      this.#tables.set(name, new Table(definition, now, pageItemsMax, written));
    }
  }

  /** For the repositories: an SDK client in everything that they use of one. */
  client(makeRequest: MakeRequest = atOnce): DynamoDBClient {
    // The paginators insist on the class.
    return Object.assign(Object.create(DynamoDBClient.prototype) as DynamoDBClient, {
      send: (command: Command) => this.#send(command, makeRequest),
    });
  }

  /** Every item of a table as it is now. */
  items(table: TableName): Item[] {
    return this.#table(table).items();
  }

  /** Deletes expired items, as TTL does some time later. */
  expire(nowMs: number): void {
    for (const table of this.#tables.values()) table.expire(nowMs);
  }

  #send(command: Command, makeRequest: MakeRequest): Promise<unknown> {
    const { input } = command;
    const operation = command.constructor.name.replace(/Command$/, '') as Operation;
    const perform = PERFORMERS[operation];
    if (!perform) throw validation(`expected an operation that the repositories use, got ${operation}`);
    const table = tableOf(operation, input);
    const isEventual = READS.has(operation) && !isConsistent(operation, input);
    return makeRequest({ operation, table, input, isEventual }, (mood = {}) =>
      perform(this.#table(table), input, isEventual ? mood : { ...mood, lagMs: 0 }),
    );
  }

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (!table) throw validation(`expected one of the tables, got ${name}`);
    return table;
  }
}

interface Command {
  readonly constructor: { readonly name: string };
  // biome-ignore lint/suspicious/noExplicitAny: each performer knows the input of its command
  readonly input: any;
}

const READS = new Set<Operation>(['GetItem', 'Query', 'Scan', 'BatchGetItem']);

const tableOf = (operation: Operation, input: Command['input']): string =>
  operation.startsWith('Batch') ? String(Object.keys(input.RequestItems)[0]) : input.TableName;

const isConsistent = (operation: Operation, input: Command['input']): boolean =>
  operation === 'BatchGetItem'
    ? Object.values((input as BatchGetItemInput).RequestItems ?? {}).every((keys) => keys.ConsistentRead)
    : input.ConsistentRead === true;

/** What was at a key at some time. */
interface Version {
  readonly item: Item | undefined;
  readonly atMs: number;
}

/** No copy is further behind. */
export const LAG_MAX_MS = 10_000;

class Table {
  /** The attributes of its key: of the partition, and then what is sorted by. */
  readonly keys: readonly string[];
  readonly indexes: NonNullable<TableDefinition['indexes']>;
  readonly pageItemsMax: number;
  readonly #now: () => number;
  readonly #written: (before?: Item, after?: Item) => void;
  /** By partition, then by the rest of the key. The last version is the newest. */
  readonly #partitions = new Map<string, Map<string, Version[]>>();

  constructor(
    { keys, indexes = {} }: TableDefinition,
    now: () => number,
    pageItemsMax: number,
    written: (before?: Item, after?: Item) => void,
  ) {
    this.keys = namesOf(keys);
    this.indexes = indexes;
    this.pageItemsMax = pageItemsMax;
    this.#now = now;
    this.#written = written;
  }

  get(key: Item, lagMs: number): Item | undefined {
    const [partition, rest] = this.#keyOf(key);
    return this.#at(this.#partitions.get(partition)?.get(rest), lagMs);
  }

  put(key: Item, item: Item | undefined): void {
    const [partition, rest] = this.#keyOf(key);
    const before = this.get(key, 0);
    if (before === undefined && item === undefined) return;
    const atMs = this.#now();
    const rows = getOrSet(this.#partitions, partition, () => new Map<string, Version[]>());
    const versions = getOrSet(rows, rest, () => []);
    versions.push({ item, atMs });
    while (versions[1] && versions[1].atMs <= atMs - LAG_MAX_MS) versions.shift();
    this.#written(before, item);
  }

  items(lagMs = 0): Item[] {
    return [...this.#partitions.keys()].flatMap((partition) => this.itemsIn(partition, lagMs));
  }

  itemsIn(partition: string, lagMs: number): Item[] {
    const items: Item[] = [];
    for (const versions of this.#partitions.get(partition)?.values() ?? []) {
      const item = this.#at(versions, lagMs);
      if (item) items.push(item);
    }
    return items;
  }

  expire(nowMs: number): void {
    for (const item of this.items()) {
      if (item.expiresAt?.N !== undefined && Number(item.expiresAt.N) * 1000 <= nowMs) {
        this.put(item, undefined);
      }
    }
  }

  #at(versions: readonly Version[] | undefined, lagMs: number): Item | undefined {
    if (!versions) return undefined;
    if (lagMs === 0) return versions.at(-1)?.item;
    const asOfMs = this.#now() - lagMs;
    return versions.findLast(({ atMs }) => atMs <= asOfMs)?.item;
  }

  #keyOf(item: Item): [partition: string, rest: string] {
    const [partition, sort] = this.keys.map((name) => {
      const value = item[name]?.S ?? item[name]?.N;
      if (value === undefined) throw validation(`expected a key with ${name}, got none`);
      return value;
    });
    return [partition as string, sort ?? ''];
  }
}

const namesOf = (keys: Keys): string[] => Object.keys(keys);

function getOrSet<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

const NOTHING: Item = {};

function expectCondition(input: Variables & { ConditionExpression?: string | undefined }, item: Item): void {
  const { ConditionExpression: expression } = input;
  if (expression === undefined || compileCondition(expression)(item, input)) return;
  throw new ConditionalCheckFailedException({ message: 'The conditional request failed', $metadata: {} });
}

type Perform = (table: Table, input: Command['input'], mood: Mood) => object;

const PERFORMERS: Readonly<Record<Operation, Perform>> = {
  GetItem(table, input: GetItemInput, { lagMs = 0 }) {
    const item = table.get(input.Key as Item, lagMs);
    return item ? { Item: project(item, input) } : {};
  },

  PutItem(table, input: PutItemInput) {
    const item = input.Item as Item;
    expectCondition(input, table.get(item, 0) ?? NOTHING);
    table.put(item, item);
    return {};
  },

  UpdateItem(table, input: UpdateItemInput) {
    const key = input.Key as Item;
    const before = table.get(key, 0) ?? NOTHING;
    expectCondition(input, before);
    const { apply, paths } = compileUpdate(input.UpdateExpression ?? '');
    const after = apply({ ...key, ...before }, input);
    table.put(key, after);
    const touched = paths.map((path) => path(input));
    switch (input.ReturnValues) {
      case 'ALL_NEW':
        return { Attributes: after };
      case 'UPDATED_NEW':
        return { Attributes: partAt(after, touched) };
      case 'UPDATED_OLD':
        return { Attributes: partAt(before, touched) };
      default:
        return {};
    }
  },

  DeleteItem(table, input: DeleteItemInput) {
    const key = input.Key as Item;
    const before = table.get(key, 0);
    expectCondition(input, before ?? NOTHING);
    table.put(key, undefined);
    return input.ReturnValues === 'ALL_OLD' && before ? { Attributes: before } : {};
  },

  Query(table, input: QueryInput, mood) {
    const { lagMs = 0 } = mood;
    const index = input.IndexName === undefined ? undefined : table.indexes[input.IndexName];
    if (input.IndexName !== undefined && !index) {
      throw validation(`expected an index, got ${input.IndexName}`);
    }
    const keys = index ? namesOf(index.keys) : table.keys;
    const [partitionKey = '', sortKey] = keys;
    const isInRange = compileCondition(input.KeyConditionExpression ?? '');
    const candidates = index ? table.items(lagMs) : table.itemsIn(partitionIn(input, partitionKey), lagMs);
    const found = candidates.filter((item) => partitionKey in item && isInRange(item, input));
    if (sortKey !== undefined) found.sort((a, b) => order(a[sortKey], b[sortKey]));
    if (input.ScanIndexForward === false) found.reverse();
    const kept = index && [...keys, ...table.keys, ...index.projected];
    return pageOf(table, input, kept ? found.map((item) => pick(item, kept)) : found, sortKey, mood);
  },

  Scan(table, input: ScanInput, mood) {
    const [key = ''] = table.keys;
    const items = table.items(mood.lagMs).sort((a, b) => order(a[key], b[key]));
    return pageOf(table, input, items, key, mood);
  },

  BatchGetItem(table, { RequestItems = {} }: BatchGetItemInput, { lagMs = 0, leavesUndone }) {
    const [[name = '', { Keys = [] } = { Keys: [] }] = []] = Object.entries(RequestItems);
    const { done, undone } = divide(Keys, leavesUndone);
    return {
      Responses: { [name]: done.map((key) => table.get(key, lagMs)).filter((item) => item !== undefined) },
      ...(undone.length > 0 && { UnprocessedKeys: { [name]: { Keys: undone } } }),
    };
  },

  BatchWriteItem(table, { RequestItems = {} }: BatchWriteItemInput, { leavesUndone }) {
    const [[name = '', requests = []] = []] = Object.entries(RequestItems);
    const { done, undone } = divide(requests, leavesUndone);
    for (const { DeleteRequest, PutRequest } of done) {
      if (DeleteRequest?.Key) table.put(DeleteRequest.Key, undefined);
      if (PutRequest?.Item) table.put(PutRequest.Item, PutRequest.Item);
    }
    return undone.length > 0 ? { UnprocessedItems: { [name]: undone } } : {};
  },
};

function divide<T>(items: readonly T[], leavesUndone: Mood['leavesUndone']): { done: T[]; undone: T[] } {
  const { done = [], undone = [] } = Object.groupBy(items, () => (leavesUndone?.() ? 'undone' : 'done'));
  return { done, undone };
}

/** The value that a key condition asks of the partition, which is what narrows a Query down. */
function partitionIn(input: QueryInput, partitionKey: string): string {
  const [name, value] = input.KeyConditionExpression?.split(/\s*=\s*|\s+AND\s+/) ?? [];
  const real = name?.startsWith('#') ? input.ExpressionAttributeNames?.[name] : name;
  const wanted = input.ExpressionAttributeValues?.[value ?? '']?.S;
  if (real !== partitionKey || wanted === undefined) {
    throw validation(`expected a condition on ${partitionKey} first, got ${input.KeyConditionExpression}`);
  }
  return wanted;
}

type PageInput = Pick<
  QueryInput,
  | 'ExclusiveStartKey'
  | 'Limit'
  | 'ScanIndexForward'
  | 'FilterExpression'
  | 'ProjectionExpression'
  | 'ExpressionAttributeNames'
  | 'ExpressionAttributeValues'
>;

/** A page is cut before it is filtered. */
function pageOf(
  table: Table,
  input: PageInput,
  sorted: readonly Item[],
  sortKey: string | undefined,
  { hasEmptyPage }: Mood,
) {
  const { ExclusiveStartKey: start, FilterExpression: filter, Limit = Number.POSITIVE_INFINITY } = input;
  const sign = input.ScanIndexForward === false ? -1 : 1;
  const rest =
    start && sortKey !== undefined
      ? sorted.filter((item) => sign * order(item[sortKey], start[sortKey]) > 0)
      : sorted;
  if (hasEmptyPage && filter !== undefined && rest[0] && sortKey !== undefined) {
    // As if what has expired stood before the first item.
    const before = { ...pick(rest[0], [...table.keys, sortKey]), [sortKey]: { S: '' } };
    return { Items: [], LastEvaluatedKey: start ?? before };
  }
  const page = rest.slice(0, Math.min(Limit, table.pageItemsMax));
  const last = page.length < rest.length ? page.at(-1) : undefined;
  const passes = filter === undefined ? () => true : compileCondition(filter);
  return {
    Items: page.filter((item) => passes(item, input)).map((item) => project(item, input)),
    ...(last && { LastEvaluatedKey: pick(last, [...table.keys, ...(sortKey ? [sortKey] : [])]) }),
  };
}

function project(item: Item, input: PageInput): Item {
  if (input.ProjectionExpression === undefined) return item;
  return partAt(
    item,
    compileProjection(input.ProjectionExpression).map((path) => path(input)),
  );
}

const pick = (item: Item, names: readonly string[]): Item =>
  Object.fromEntries(
    names.flatMap((name) => (item[name] ? [[name, item[name] as AttributeValue] as const] : [])),
  );
