import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Account } from '../account.ts';
import type { Clock } from '../clock.ts';
import { Delays } from '../delays.ts';
import {
  answer,
  type HttpEngine,
  type HttpRequest,
  type HttpResponse,
  isUnavailable,
  operationOf,
  parseInput,
  RequestError,
} from '../http/engine.ts';
import { owned } from '../owned.ts';
import { markFilesIn } from '../state/mark.ts';
import { Outage } from '../state/outage.ts';
import { stateProblem } from '../state/problem.ts';
import { checksum } from './checksum.ts';
import { Dynalite, type IndexDescription, type TableDescription } from './dynalite.ts';
import { runFaulty, type TableFaults } from './faults.ts';
import { meterIndexes, runMetered, type TableMeter } from './meter.ts';

/** DynamoDB deletes expired items some time after they expire, within days (DynamoDB guide, "Time to Live"). */
const SWEEP_INTERVAL_MS = 10_000;
/** One sweep looks at so many items of a table, and the next goes on from there. */
const SWEEP_ITEMS_MAX = 1_000;
/** What expired longer ago is taken for a mistake and kept (DynamoDB guide, "Time to Live"). */
const EXPIRED_AGO_MAX_SECONDS = 5 * 365 * 24 * 60 * 60;

/** A BatchWriteItem has up to 16 MB of items (DynamoDB guide, "Quotas"), and something around them. */
const BODY_BYTES_MAX = 17 * 1024 * 1024;

const EXPIRED = '#expiry BETWEEN :oldest AND :now';

/** The properties of an AWS::DynamoDB::Table or GlobalTable that make a difference here. Capacity does not. */
export interface TableDefinition extends TableDescription {
  readonly TimeToLiveSpecification?: { readonly AttributeName?: string; readonly Enabled: boolean };
}

export interface TablesOptions extends Account {
  readonly dataDir?: string | undefined;
  readonly clock: Clock;
  readonly faults?: TableFaults | undefined;
  readonly meter?: TableMeter;
  /** Told of what fails and has no caller: when the tables cannot be written, and when they can again. */
  readonly log?: (line: string) => void;
  /** When this machine was started, in seconds since the epoch; for tests. */
  readonly bootedAtSeconds?: number;
}

type Item = Record<string, unknown>;

interface Expiry {
  readonly keys: readonly string[];
  readonly attribute: string;
  /** Where the last sweep stopped. */
  lastKey?: Item | undefined;
}

/** DynamoDB: its API over HTTP, on dynalite, and the expiry of items, which dynalite has not. */
export class Tables implements HttpEngine {
  readonly #dynalite: Dynalite;
  readonly #clock: Clock;
  readonly #options: TablesOptions;
  /** Of requests that a fault holds up. */
  readonly #delays: Delays;
  readonly #expiries = new Map<string, Expiry>();
  #sweeping: Promise<void> = Promise.resolve();
  #cancelSweep: () => void = () => {};

  private constructor(dynalite: Dynalite, options: TablesOptions) {
    this.#dynalite = dynalite;
    this.#options = options;
    this.#clock = options.clock;
    this.#delays = new Delays(options.clock);
    this.#scheduleSweep();
  }

  static async open(options: TablesOptions): Promise<Tables> {
    const { dataDir, region, accountId, meter } = options;
    const onWrite = meter && meterIndexes(meter);
    const disk = dataDir !== undefined && { disk: diskOf(dataDir, options) };
    try {
      return new Tables(await Dynalite.open({ ...disk, region, accountId, onWrite }), options);
    } catch (error) {
      throw dataDir === undefined ? error : stateProblem('the tables', dataDir, error);
    }
  }

  /** Creates the table, or makes sure that the one from an earlier run has the same keys and indexes. */
  async create(definition: TableDefinition): Promise<void> {
    const { TableName, TimeToLiveSpecification: ttl } = definition;
    const table = await this.#describe(TableName);
    if (table && !isDeepStrictEqual(shapeOf(table), shapeOf(definition))) {
      throw new Error(
        `table ${TableName}: expected ${JSON.stringify(shapeOf(definition))}, got ${JSON.stringify(shapeOf(table))} ` +
          `in ${this.#options.dataDir ?? 'memory'}, from an earlier run: remove that directory to start afresh`,
      );
    }
    const created = table ?? (await this.#create(definition));
    if (created.TableStatus !== 'ACTIVE') await this.#dynalite.activate(created);
    if (ttl?.Enabled && ttl.AttributeName !== undefined) {
      const keys = definition.KeySchema.map(({ AttributeName }) => AttributeName);
      this.#expiries.set(TableName, { keys, attribute: ttl.AttributeName });
    }
  }

  bodyBytesMax(): number {
    return BODY_BYTES_MAX;
  }

  /** What was answered in an earlier run may be missing. */
  get hasLostWrites(): boolean {
    return this.#dynalite.hasLostWrites;
  }

  /** From now on it is noticed if what is answered gets lost. */
  account(): void {
    this.#dynalite.account();
  }

  async deleteItems(
    { TableName, KeySchema }: TableDefinition,
    isDoomed: (item: Item) => boolean,
  ): Promise<void> {
    const keys = KeySchema.map(({ AttributeName }) => AttributeName);
    let lastKey: Item | undefined;
    do {
      const { Items, LastEvaluatedKey } = await this.#scan({ TableName, ExclusiveStartKey: lastKey });
      for (const item of Items.filter(isDoomed)) {
        await this.#dynalite.run('DeleteItem', { TableName, Key: keyOf(item, keys) });
      }
      lastKey = LastEvaluatedKey;
    } while (lastKey);
  }

  handle(request: HttpRequest, body: Buffer, response: HttpResponse): Promise<void> {
    return answer(response, '1.0', () => this.#run(operationOf(request), parseInput(body)), checksum);
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    this.#delays.endAll();
    await this.#sweeping;
    await this.#dynalite.close();
  }

  #run(operation: string, input: Record<string, unknown>): Promise<unknown> {
    const { faults, meter } = this.#options;
    const perform = (passed: Record<string, unknown>) => this.#dynalite.run(operation, passed);
    const run = meter ? (passed: Item) => runMetered(operation, passed, perform, meter) : perform;
    if (!faults) return run(input);
    return runFaulty(operation, input, { faults, delays: this.#delays, run, account: this.#options });
  }

  async #create(definition: TableDefinition): Promise<TableDescription> {
    const { TableName, KeySchema, AttributeDefinitions } = definition;
    const globalIndexes = indexesOf(definition.GlobalSecondaryIndexes);
    const localIndexes = indexesOf(definition.LocalSecondaryIndexes);
    const { TableDescription } = (await this.#dynalite.run('CreateTable', {
      TableName,
      KeySchema,
      AttributeDefinitions,
      BillingMode: 'PAY_PER_REQUEST',
      ...(globalIndexes.length > 0 && { GlobalSecondaryIndexes: globalIndexes }),
      ...(localIndexes.length > 0 && { LocalSecondaryIndexes: localIndexes }),
    })) as { TableDescription: TableDescription }; // CreateTable's output
    return TableDescription;
  }

  async #describe(TableName: string): Promise<TableDescription | undefined> {
    try {
      const { Table } = (await this.#dynalite.run('DescribeTable', { TableName })) as {
        Table: TableDescription;
      };
      return Table;
    } catch (error) {
      if (isError(error, 'ResourceNotFoundException')) return undefined;
      throw error;
    }
  }

  #scheduleSweep(): void {
    this.#cancelSweep = this.#clock.after(SWEEP_INTERVAL_MS, () => {
      this.#scheduleSweep();
      this.#sweeping = this.#sweeping.then(() => this.#sweep());
    });
  }

  async #sweep(): Promise<void> {
    for (const [table, expiry] of this.#expiries) {
      await owned(
        async () => {
          expiry.lastKey = await this.#deleteExpired(table, expiry);
        },
        (error) => this.#onSweepError(table, error),
      );
    }
  }

  #onSweepError(table: string, error: unknown): void {
    // Somebody has deleted the table, and what was in it.
    if (isError(error, 'ResourceNotFoundException')) this.#expiries.delete(table);
    else if (!isUnavailable(error))
      this.#options.log?.(`what has expired in ${table} stays until the next sweep: ${error}`);
  }

  /** Looks at the items after `lastKey`; answers with the last one seen, or with nothing at the table's end. */
  async #deleteExpired(table: string, { keys, attribute, lastKey }: Expiry): Promise<Item | undefined> {
    const nowSeconds = Math.floor(this.#clock.now() / 1000);
    const isExpired = {
      TableName: table,
      ExpressionAttributeNames: { '#expiry': attribute },
      ExpressionAttributeValues: {
        ':oldest': { N: String(nowSeconds - EXPIRED_AGO_MAX_SECONDS) },
        ':now': { N: String(nowSeconds) },
      },
    };
    const { Items, LastEvaluatedKey } = await this.#scan({
      ...isExpired,
      FilterExpression: EXPIRED,
      Limit: SWEEP_ITEMS_MAX,
      ExclusiveStartKey: lastKey,
    });
    for (const item of Items) {
      await this.#delete({ ...isExpired, Key: keyOf(item, keys), ConditionExpression: EXPIRED });
    }
    return LastEvaluatedKey;
  }

  async #scan(input: Record<string, unknown>): Promise<{ Items: Item[]; LastEvaluatedKey?: Item }> {
    return (await this.#dynalite.run('Scan', input)) as { Items: Item[]; LastEvaluatedKey?: Item }; // Scan's output
  }

  /** Not if the item was renewed since the scan: the condition then fails. */
  async #delete(request: Record<string, unknown>): Promise<void> {
    try {
      await this.#dynalite.run('DeleteItem', request);
    } catch (error) {
      if (!isError(error, 'ConditionalCheckFailedException')) throw error;
    }
  }
}

const keyOf = (item: Item, keys: readonly string[]): Item =>
  Object.fromEntries(keys.map((key) => [key, item[key]]));

const diskOf = (dataDir: string, { clock, log = () => {}, bootedAtSeconds }: TablesOptions) => ({
  path: join(dataDir, 'dynamodb'),
  markFile: markFilesIn(dataDir).tables,
  clock,
  outage: new Outage(`the tables in ${dataDir}`, log),
  ...(bootedAtSeconds !== undefined && { bootedAtSeconds }),
});

/** What cannot be changed in a table that is there. */
function shapeOf(table: TableDescription): unknown {
  const { KeySchema, AttributeDefinitions, GlobalSecondaryIndexes, LocalSecondaryIndexes } = table;
  return {
    keys: KeySchema.map(({ AttributeName, KeyType }) => `${AttributeName} ${KeyType}`),
    attributes: AttributeDefinitions.map(
      ({ AttributeName, AttributeType }) => `${AttributeName} ${AttributeType}`,
    ).sort(),
    globalIndexes: indexesOf(GlobalSecondaryIndexes),
    localIndexes: indexesOf(LocalSecondaryIndexes),
  };
}

/** Only the members that make a difference here, in one order. */
const indexesOf = (indexes: readonly IndexDescription[] = []): IndexDescription[] =>
  indexes
    .map(({ IndexName, KeySchema, Projection }) => ({
      IndexName,
      KeySchema: KeySchema.map(({ AttributeName, KeyType }) => ({ AttributeName, KeyType })),
      Projection: {
        ...(Projection.ProjectionType !== undefined && { ProjectionType: Projection.ProjectionType }),
        ...(Projection.NonKeyAttributes && { NonKeyAttributes: Projection.NonKeyAttributes }),
      },
    }))
    .sort((a, b) => (a.IndexName < b.IndexName ? -1 : 1));

const isError = (error: unknown, name: string): boolean =>
  error instanceof RequestError && error.type.endsWith(`#${name}`);
