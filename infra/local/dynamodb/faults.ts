import { isRecord } from '../../../shared/protocol/json.ts';
import type { Account } from '../account.ts';
import type { Delays } from '../delays.ts';
import { RequestError } from '../http/engine.ts';

export type ThrottleError = 'ProvisionedThroughputExceededException' | 'ThrottlingException';

/** Asked wherever something may go wrong with a table. */
export interface TableFaults {
  /** Asked about every request, and in a batch about every item: whether DynamoDB refuses it, and in which words. */
  throttle?(table: string, operation: string): ThrottleError | undefined;
  /** How many milliseconds later a request is performed. */
  delayMs?(table: string, operation: string): number | undefined;
}

type Input = Readonly<Record<string, unknown>>;
type Run = (input: Record<string, unknown>) => Promise<unknown>;
type ErrorOf = (table: string) => ThrottleError | undefined;
type Refuse = (table: string, error: ThrottleError) => RequestError;

interface Batch {
  /** The member of a table's request that lists its items; without it, the request is the list. */
  readonly list?: string;
  /** The member of the answer that says what was not done. */
  readonly rest: string;
}

const BATCHES: Readonly<Record<string, Batch>> = {
  BatchWriteItem: { rest: 'UnprocessedItems' },
  BatchGetItem: { list: 'Keys', rest: 'UnprocessedKeys' },
};

/** DynamoDB's own words, captured by its users. */
const MESSAGES: Readonly<Record<ThrottleError, string>> = {
  ProvisionedThroughputExceededException:
    'The level of configured provisioned throughput for the table was exceeded. Consider increasing your ' +
    'provisioning level with the UpdateTable API.',
  ThrottlingException:
    'Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table ' +
    'or index so please try again shortly. If exceptions persist, check if you have a hot key: ' +
    'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html',
};

const READS: ReadonlySet<string> = new Set(['GetItem', 'BatchGetItem', 'Query', 'Scan']);

interface FaultyDeps {
  readonly faults: TableFaults;
  readonly delays: Delays;
  readonly run: Run;
  readonly account: Account;
}

/** Runs a request to which what `faults` say happens. */
export async function runFaulty(
  operation: string,
  input: Input,
  { faults, delays, run, account }: FaultyDeps,
): Promise<unknown> {
  const tables = tablesOf(operation, input);
  const delayMs = Math.max(0, ...tables.map((table) => faults.delayMs?.(table, operation) ?? 0));
  if (delayMs > 0) await delays.wait(delayMs);
  const throttle: ErrorOf = (table) => faults.throttle?.(table, operation);
  const refuse: Refuse = (table, error) => refusal(error, operation, table, account);
  const batch = BATCHES[operation];
  if (batch) return runBatch(input, batch, { throttle, refuse, run });
  for (const table of tables) {
    const error = throttle(table);
    if (error) throw refuse(table, error);
  }
  return run(input);
}

/** The tables that a request names. */
function tablesOf(operation: string, { TableName, RequestItems }: Input): string[] {
  if (operation in BATCHES) return Object.keys(isRecord(RequestItems) ? RequestItems : {});
  return typeof TableName === 'string' ? [TableName] : [];
}

/**
 * Runs what throttles let pass of a batch. It answers with the rest, and fails only if that is everything (DynamoDB
 * API reference, BatchWriteItem and BatchGetItem).
 */
async function runBatch(
  input: Input,
  { list, rest }: Batch,
  { throttle, refuse, run }: { readonly throttle: ErrorOf; readonly refuse: Refuse; readonly run: Run },
): Promise<unknown> {
  const { passed, kept, first } = divide(input, list, throttle);
  if (!first) return run(input);
  if (Object.keys(passed).length === 0) throw refuse(first.table, first.error);
  const output = await run({ ...input, RequestItems: passed });
  return { ...(output as Input), [rest]: kept };
}

interface Division {
  /** By table, in the form of RequestItems. */
  readonly passed: Record<string, unknown>;
  readonly kept: Record<string, unknown>;
  /** The first that was kept, if any. */
  readonly first: { readonly table: string; readonly error: ThrottleError } | undefined;
}

function divide({ RequestItems }: Input, list: string | undefined, throttle: ErrorOf): Division {
  const passed: Record<string, unknown> = {};
  const kept: Record<string, unknown> = {};
  let first: Division['first'];
  for (const [table, request] of Object.entries(isRecord(RequestItems) ? RequestItems : {})) {
    const items = itemsOf(request, list);
    const errors = items.map(() => throttle(table));
    const error = errors.find((each) => each !== undefined);
    if (!error) {
      passed[table] = request; // nothing is kept, or it is for dynalite to refuse
      continue;
    }
    first ??= { table, error };
    const some = (chosen: unknown[]): unknown =>
      list === undefined ? chosen : { ...(request as Input), [list]: chosen };
    kept[table] = some(items.filter((_, index) => errors[index]));
    const rest = items.filter((_, index) => !errors[index]);
    if (rest.length > 0) passed[table] = some(rest);
  }
  return { passed, kept, first };
}

function itemsOf(request: unknown, list: string | undefined): unknown[] {
  const items = list === undefined || !isRecord(request) ? request : request[list];
  return Array.isArray(items) ? items : [];
}

function refusal(error: ThrottleError, operation: string, table: string, account: Account): RequestError {
  const kind = READS.has(operation) ? 'Read' : 'Write';
  const limit =
    error === 'ThrottlingException' ? 'KeyRangeThroughputExceeded' : 'ProvisionedThroughputExceeded';
  const resource = `arn:aws:dynamodb:${account.region}:${account.accountId}:table/${table}`;
  return new RequestError(
    `com.amazonaws.dynamodb.v20120810#${error}`,
    MESSAGES[error],
    400,
    {},
    { ThrottlingReasons: [{ reason: `Table${kind}${limit}`, resource }] },
  );
}
