import { BATCH_OPERATIONS, type BatchOperation, type QueueFaults } from '../sqs/faults.ts';
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

export type QueueFault = EntryRefuse | RecordDuplicate | RecordReorder | RecordDelay;

/** An entry of a batch call is not taken, and the answer says so: each is struck or not. */
interface EntryRefuse extends Chance {
  readonly on: 'queue';
  readonly effect: 'refuse';
  readonly queue?: string;
  readonly operation?: BatchOperation;
}

/** A message on its way from a queue to a function. What ReceiveMessage takes is not harmed. */
interface OnRecord extends Chance {
  readonly on: 'queue';
  readonly queue?: string;
}
interface RecordDuplicate extends OnRecord {
  readonly effect: 'duplicate';
}
/** Any other of the visible messages overtakes it. */
interface RecordReorder extends OnRecord {
  readonly effect: 'reorder';
}
interface RecordDelay extends OnRecord {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

const queue = optional(named('queue'));

export const queueFields: FieldsByEffect<QueueFault> = {
  refuse: { queue, operation: optional(oneOf(...BATCH_OPERATIONS)) },
  duplicate: { queue },
  reorder: { queue },
  delay: { queue, delayMs: required(span) },
};

/** What queues are told of the faults in force. */
export const queueFaults = (active: () => ActiveFaults): QueueFaults => ({
  refuses: (queue, name) =>
    active().strike(of('queue', 'refuse'), queue, ({ operation = name }) => operation === name) !== undefined,
  // Always another than the one whose turn it is, so that a strike is seen.
  next: (queue, visible) =>
    active().strike(of('queue', 'reorder'), queue) ? 1 + active().below(visible - 1) : 0,
  fate: (queue) => {
    const fault = active().strike(of('queue', 'duplicate', 'delay'), queue);
    return fault && (fault.effect === 'duplicate' ? 'twice' : active().ms(fault.delayMs));
  },
});
