import './memory.ts';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import type { Account } from '../account.ts';
import { RequestError, unknownOperation } from '../http/engine.ts';
import { spoilMark } from '../state/mark.ts';
import { hasRoomFor } from '../state/room.ts';
import { type Parser, remember } from './expressions.ts';
import { inspect, logBytes } from './leveldb/inspect.ts';
import { expectNoNull, type Types } from './nulls.ts';
import { type MapPaths, withProto } from './proto.ts';
import { type QueryInput, query, VALUES_AT_ONCE, type Values } from './query.ts';
import { type Database, UnwritableError, type Write, Writer, type WriterOptions } from './writer.ts';

/**
 * dynalite (DynamoDB on LevelDB), assembled from its parts: the store and the operations, without its HTTP server.
 * That one throws from callbacks what is not the caller's fault, and it closes the database only after it has
 * listened on a port. The types are the members that we rely on; the version is pinned exactly, and
 * test/integration/tables.test.ts is what an upgrade has to pass.
 */

type Done = (error: Failure | null, output?: unknown) => void;

interface Operation {
  readonly types: Types;
  readonly custom: unknown;
  readonly perform: (store: Store, input: unknown, done: Done) => void;
}

/** The caller's fault if it has a status code. */
interface Failure extends Error {
  readonly statusCode?: number;
  readonly body?: { readonly __type: string; readonly message?: string; readonly Message?: string };
}

interface Store {
  /** Ours, not one of dynalite: told of every write to a table before it reaches the table's indexes. */
  onWrite?: OnWrite | undefined;
  readonly tableDb: {
    awsRegion: string;
    awsAccountId: string;
    put(name: string, table: TableDescription, done: Done): void;
  };
  readonly db: Level;
  getItemDb(table: string): Items;
  getIndexDb(kind: 'local' | 'global', table: string, index: string): Items;
}

/** LevelDB with callbacks, as dynalite calls it. */
interface Level {
  open(): Promise<void>;
  close(): Promise<void>;
  put(key: string, value: unknown, done: WriteDone): void;
  del(key: string, done: WriteDone): void;
  batch(writes: readonly Write[], done: WriteDone): void;
  values(range: object): Values;
  createValueStream(range: object): ValueStream;
}
type WriteDone = (error?: unknown) => void;

/** Items of a table or of an index. */
interface Items {
  createValueStream(range: object): ValueStream;
}

interface Validations {
  checkTypes(input: unknown, types: Types): object;
  checkValidations(input: unknown, types: unknown, custom: unknown, store: Store): void;
}

interface KeyElement {
  readonly AttributeName: string;
  readonly KeyType: string;
}
export interface IndexDescription {
  readonly IndexName: string;
  readonly KeySchema: readonly KeyElement[];
  readonly Projection: { readonly ProjectionType?: string; readonly NonKeyAttributes?: readonly string[] };
}
export interface TableDescription {
  readonly TableName: string;
  readonly TableStatus?: string;
  readonly KeySchema: readonly KeyElement[];
  readonly AttributeDefinitions: readonly {
    readonly AttributeName: string;
    readonly AttributeType: string;
  }[];
  readonly GlobalSecondaryIndexes?: readonly IndexDescription[];
  readonly LocalSecondaryIndexes?: readonly IndexDescription[];
}

/** Items before and after a write, whichever there are. */
export type OnWrite = (
  table: TableDescription,
  before?: Record<string, unknown>,
  after?: Record<string, unknown>,
) => void;

const require = createRequire(import.meta.url);
const validations: Validations = require('dynalite/validations');

type UpdateIndexes = (store: Store, table: TableDescription, ...rest: [Item?, Item?, Done?]) => void;
type Item = Record<string, unknown>;

type QueryTable = (
  store: Store,
  table: TableDescription,
  input: QueryInput,
  range: object,
  isLocalIndex: boolean,
  isFetched: boolean,
  keyNames: readonly string[],
  done: Done,
) => void;

interface DatabaseModule {
  updateIndexes: UpdateIndexes;
  queryTable: QueryTable;
  mapPaths: MapPaths;
}
const database: DatabaseModule = require('dynalite/db');

/** The one place that sees the item before a write and after it, which is what a write to an index is billed by. */
const { updateIndexes } = database;
database.updateIndexes = (store, table, before, after, done) => {
  store.onWrite?.(table, before, after);
  updateIndexes(store, table, before, after, done);
};

/** An index may have to have its items fetched from the table: that rare query is left to dynalite. */
const { queryTable } = database;
database.queryTable = (store, table, input, range, isLocalIndex, isFetched, keyNames, done) => {
  if (isFetched) return queryTable(store, table, input, range, isLocalIndex, isFetched, keyNames, done);
  const { TableName, IndexName } = input;
  const items =
    IndexName === undefined
      ? store.getItemDb(TableName)
      : store.getIndexDb(isLocalIndex ? 'local' : 'global', TableName, IndexName);
  const { values } = items.createValueStream(range);
  // A second call changes nothing. It is made where the first one throws, which nobody else would hear of.
  query(values, { table, input, isLocalIndex, keyNames })
    .then((page) => done(null, page))
    .catch(done);
};

database.mapPaths = withProto(database.mapPaths);

for (const name of ['condition', 'update', 'projection']) {
  remember(require(`dynalite/db/${name}Parser`) as Parser);
}

/** Not DescribeTimeToLive: dynalite has no TTL and would say so. */
const operations: ReadonlyMap<string, Operation> = new Map(
  [
    'BatchGetItem',
    'BatchWriteItem',
    'CreateTable',
    'DeleteItem',
    'DeleteTable',
    'DescribeTable',
    'GetItem',
    'ListTables',
    'ListTagsOfResource',
    'PutItem',
    'Query',
    'Scan',
    'TagResource',
    'UntagResource',
    'UpdateItem',
    'UpdateTable',
  ].map((name) => {
    const file = name.charAt(0).toLowerCase() + name.slice(1);
    return [
      name,
      { ...require(`dynalite/validations/${file}`), perform: require(`dynalite/actions/${file}`) },
    ];
  }),
);

interface DynaliteOptions extends Account {
  /** Where the database lives, and what its writer needs; without it, in memory. */
  readonly disk?: Disk;
  readonly onWrite?: OnWrite | undefined;
}

export class Dynalite {
  readonly #store: Store;
  readonly #running = new Set<Promise<unknown>>();
  readonly #writer: Writer | undefined;
  /** What was answered in an earlier run may be missing. */
  readonly hasLostWrites: boolean;

  private constructor(store: Store, writer: Writer | undefined, hasLostWrites: boolean) {
    this.#store = store;
    this.#writer = writer;
    this.hasLostWrites = hasLostWrites;
  }

  static async open({ disk, region, accountId, onWrite }: DynaliteOptions): Promise<Dynalite> {
    const store: Store = require('dynalite/db').create({
      path: disk?.path,
      createTableMs: 0,
      deleteTableMs: 0,
      updateTableMs: 0,
    });
    store.onWrite = onWrite;
    store.tableDb.awsRegion = region;
    store.tableDb.awsAccountId = accountId;
    // dynalite never closes its iterators: each Query and Scan would leave 10 KB behind.
    store.db.createValueStream = (range) => new ValueStream(store.db.values(range));
    const writer = disk && writeWith(store.db, disk);
    // It would open by itself, and fail at the first request instead of here.
    if (!disk || !writer) {
      await store.db.open();
      return new Dynalite(store, undefined, false);
    }
    const damage = damageIn(disk);
    const hasLostWrites = await writer.open().catch((error: unknown) => {
      throw damage && !isInUse(error) ? damage : error; // what another one is writing may look damaged
    });
    const dynalite = new Dynalite(store, writer, hasLostWrites);
    if (!damage) return dynalite;
    await dynalite.close();
    throw damage;
  }

  /** From now on it is noticed if what is answered gets lost. */
  account(): void {
    this.#writer?.account();
  }

  /** One operation of the DynamoDB API, from its input to its output. */
  async run(operation: string, input: Record<string, unknown>): Promise<unknown> {
    const found = operations.get(operation);
    if (!found) throw unknownOperation(operation);
    const running = this.#perform(found, input);
    this.#running.add(running);
    try {
      return await running;
    } catch (error) {
      throw this.#toRequestError(error);
    } finally {
      this.#running.delete(running);
    }
  }

  /** Makes a table usable now: dynalite does it a moment after CreateTable, and never if it is killed in between. */
  activate(table: TableDescription): Promise<unknown> {
    const indexes = table.GlobalSecondaryIndexes?.map((index) => ({ ...index, IndexStatus: 'ACTIVE' }));
    const active = {
      ...table,
      TableStatus: 'ACTIVE',
      ...(indexes && { GlobalSecondaryIndexes: indexes }),
    };
    return promised((done) => this.#store.tableDb.put(table.TableName, active, done));
  }

  async close(): Promise<void> {
    // Operations are several reads and writes: one that lost its database halfway would leave half of them.
    await Promise.allSettled(this.#running);
    await this.#writer?.close();
    await this.#store.db.close();
  }

  #toRequestError(error: unknown): unknown {
    const ofCaller = asRequestError(error);
    if (ofCaller instanceof RequestError) return ofCaller;
    // While the database is opened again, reads fail, too.
    return error instanceof UnwritableError || this.#writer?.isBroken ? unavailable() : error;
  }

  #perform({ types, custom, perform }: Operation, input: Record<string, unknown>): Promise<unknown> {
    return promised((done) => {
      const checked = validations.checkTypes(input, types);
      expectNoNull(checked, types);
      validations.checkValidations(checked, types, custom, this.#store);
      perform(this.#store, checked, done);
    });
  }
}

type Disk = WriterOptions & { readonly path: string };

/** To be asked before LevelDB opens it, which leaves no trace of what it could not read. */
function damageIn({ path, markFile }: Disk): Error | undefined {
  try {
    if (!inspect(path)) spoilMark(markFile);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const isInUse = (error: unknown): boolean =>
  error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'LEVEL_LOCKED';

/** What opening a database writes beside what is in its logs: a manifest, and the beginning of another log. */
const OPENING_BYTES = 64 * 1024;

/** Has all writes go through one writer. */
function writeWith(db: Level, options: Disk): Writer {
  // dynalite replaces these methods: its own take callbacks, and what it has closed it does not open again.
  const own: Database = Object.getPrototypeOf(db);
  const writer = new Writer(
    {
      open: () => own.open.call(db),
      get: (key) => own.get.call(db, key),
      batch: (writes, given = { sync: false }) => own.batch.call(db, writes, given),
      close: () => own.close.call(db),
      hasRoom: () => hasRoomFor(`${options.path}.room`, logBytes(options.path) + OPENING_BYTES),
    },
    options,
  );
  db.put = (key, value, done) => writer.write([{ type: 'put', key, value }], done);
  db.del = (key, done) => writer.write([{ type: 'del', key }], done);
  db.batch = (writes, done) => writer.write(writes, done);
  return writer;
}

/** Values as dynalite wants them; a query takes them as they are. */
class ValueStream extends Readable {
  readonly values: Values;

  constructor(values: Values) {
    super({ objectMode: true });
    this.values = values;
  }

  override _read(): void {
    this.values.nextv(VALUES_AT_ONCE).then(
      (found) => {
        for (const value of found) this.push(value);
        if (found.length === 0) this.push(null);
      },
      (error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.values.close().then(() => done(error), done);
  }
}

const promised = (start: (done: Done) => void): Promise<unknown> =>
  new Promise((resolve, reject) => {
    start((error, output) => (error ? reject(error) : resolve(output)));
  });

/** DynamoDB's word for what is its own fault (API reference, "Error handling"). */
const unavailable = (): RequestError =>
  new RequestError(
    'com.amazonaws.dynamodb.v20120810#InternalServerError',
    'the tables cannot be written',
    500,
  );

function asRequestError(error: unknown): unknown {
  const { statusCode, body } = error as Failure;
  if (statusCode === undefined || body === undefined) return error;
  return new RequestError(body.__type, body.message ?? body.Message ?? '', statusCode);
}
