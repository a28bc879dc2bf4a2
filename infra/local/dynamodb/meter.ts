import { RequestError } from '../http/engine.ts';
import type { OnWrite } from './dynalite.ts';
import { indexWriteUnits } from './indexes.ts';

type Input = Record<string, unknown>;
type Run = (input: Input) => Promise<unknown>;

/** Told what requests to a table consume. */
export interface TableMeter {
  consumed(table: string, operation: string, kind: 'readUnits' | 'writeUnits', units: number): void;
}

interface ConsumedCapacity {
  readonly TableName: string;
  readonly CapacityUnits: number;
}

const KINDS: Readonly<Record<string, 'readUnits' | 'writeUnits'>> = {
  GetItem: 'readUnits',
  BatchGetItem: 'readUnits',
  Query: 'readUnits',
  Scan: 'readUnits',
  PutItem: 'writeUnits',
  UpdateItem: 'writeUnits',
  DeleteItem: 'writeUnits',
  BatchWriteItem: 'writeUnits',
};

/** "A conditional write that fails consumes write units as well", by the size of the item: at least one. */
const FAILED_CONDITION_UNITS = 1;

/**
 * Runs a request and counts what it consumes. dynalite reckons as DynamoDB does, but only when it is asked to, so it
 * is always asked, and who did not ask is not told. It counts characters of attribute names, DynamoDB bytes.
 */
export async function runMetered(
  operation: string,
  input: Input,
  run: Run,
  meter: TableMeter,
): Promise<unknown> {
  const kind = KINDS[operation];
  if (!kind) return run(input);
  const asked = (input.ReturnConsumedCapacity ?? 'NONE') !== 'NONE';
  try {
    const output = await run(asked ? input : { ...input, ReturnConsumedCapacity: 'TOTAL' });
    const { ConsumedCapacity, ...rest } = output as {
      readonly ConsumedCapacity?: ConsumedCapacity | readonly ConsumedCapacity[];
    };
    for (const { TableName, CapacityUnits } of [ConsumedCapacity ?? []].flat()) {
      meter.consumed(TableName, operation, kind, CapacityUnits);
    }
    return asked ? output : rest;
  } catch (error) {
    if (isConditionFailed(error)) {
      meter.consumed(String(input.TableName), operation, kind, FAILED_CONDITION_UNITS);
    }
    throw error;
  }
}

/** Counts what a write consumes in the indexes of its table, which dynalite does not. */
export const meterIndexes =
  (meter: TableMeter): OnWrite =>
  (table, before, after) => {
    if (!table.GlobalSecondaryIndexes?.length) return;
    const units = indexWriteUnits(table, before, after);
    if (units > 0) meter.consumed(table.TableName, 'indexes', 'writeUnits', units);
  };

const isConditionFailed = (error: unknown): boolean =>
  error instanceof RequestError && error.type.endsWith('#ConditionalCheckFailedException');
