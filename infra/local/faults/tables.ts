import type { TableFaults, ThrottleError } from '../dynamodb/faults.ts';
import { type ActiveFaults, of } from './active.ts';
import {
  type Chance,
  type FieldsByEffect,
  named,
  oneOf,
  optional,
  required,
  type Span,
  span,
} from './fields.ts';

export type TableFault = RequestThrottle | RequestDelay;

/** A request to a table. */
interface OnRequest extends Chance {
  readonly on: 'table';
  readonly table?: string;
  readonly operation?: TableOperation;
}
/** It is refused. In a batch each item is struck or not, and those that are come back as unprocessed. */
interface RequestThrottle extends OnRequest {
  readonly effect: 'throttle';
  /** ProvisionedThroughputExceededException is the default. */
  readonly error?: ThrottleError;
}
/** It is performed so much later. */
interface RequestDelay extends OnRequest {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

const OPERATIONS = [
  'GetItem',
  'PutItem',
  'UpdateItem',
  'DeleteItem',
  'Query',
  'Scan',
  'BatchGetItem',
  'BatchWriteItem',
] as const;
type TableOperation = (typeof OPERATIONS)[number];

const request = { table: optional(named('table')), operation: optional(oneOf(...OPERATIONS)) };

export const tableFields: FieldsByEffect<TableFault> = {
  throttle: {
    ...request,
    error: optional(oneOf('ProvisionedThroughputExceededException', 'ThrottlingException')),
  },
  delay: { ...request, delayMs: required(span) },
};

/** What tables are told of the faults in force. */
export const tableFaults = (active: () => ActiveFaults): TableFaults => ({
  throttle: (table, name) => {
    const fault = active().strike(
      of('table', 'throttle'),
      table,
      ({ operation = name }) => operation === name,
    );
    return fault && (fault.error ?? 'ProvisionedThroughputExceededException');
  },
  delayMs: (table, name) => {
    const fault = active().strike(of('table', 'delay'), table, ({ operation = name }) => operation === name);
    return fault && active().ms(fault.delayMs);
  },
});
