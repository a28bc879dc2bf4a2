import type { Queue, StoredMessage } from './fauxqs.ts';

export const BATCH_OPERATIONS = [
  'SendMessageBatch',
  'DeleteMessageBatch',
  'ChangeMessageVisibilityBatch',
] as const;
export type BatchOperation = (typeof BATCH_OPERATIONS)[number];

/** Asked wherever something may go wrong with calls, and with records: messages on their way to an event source mapping. */
export interface QueueFaults {
  /** Asked about every entry of a batch call: whether SQS refuses it. */
  refuses?(queueName: string, operation: BatchOperation): boolean;
  /** Which of so many visible messages is handed out next: 0 is the one whose turn it is. */
  next?(queueName: string, visible: number): number;
  /** Asked once about every message: whether it is handed out twice, or how many milliseconds later. */
  fate?(queueName: string): 'twice' | number | undefined;
}

/** Lets faults have their way with what is visible in standard queues. */
export class Disorder {
  readonly #faults: QueueFaults;
  /** Messages that the faults have been asked about, and second copies, about which they are not. */
  readonly #fated = new WeakSet<StoredMessage>();

  constructor(faults: QueueFaults) {
    this.#faults = faults;
  }

  /** Settles which messages are the next `count` of a queue. */
  arrange(queue: Queue, count: number): void {
    if (queue.isFifo()) return; // it keeps its order, and hands out once
    queue.processTimers();
    for (let settled = 0; settled < Math.min(count, queue.messages.length); ) {
      this.#choose(queue, settled);
      if (!this.#isDelayed(queue, settled)) settled++;
    }
  }

  /** Puts at `index` whichever message is next. */
  #choose({ name, messages }: Queue, index: number): void {
    const visible = messages.length - index;
    const offset = visible > 1 ? (this.#faults.next?.(name, visible) ?? 0) : 0;
    if (offset > 0) messages.splice(index, 0, ...messages.splice(index + offset, 1));
  }

  /** Asks the faults about the message at `index`, once; true if that delays it, so that another takes its place. */
  #isDelayed(queue: Queue, index: number): boolean {
    const message = queue.messages[index];
    if (!message || this.#fated.has(message)) return false;
    this.#fated.add(message);
    const fate = this.#faults.fate?.(queue.name);
    if (typeof fate === 'number') {
      queue.messages.splice(index, 1);
      message.delayUntil = Date.now() + fate; // fauxqs knows no other clock
      queue.delayedMessages.push(message);
      return true;
    }
    if (fate === 'twice') {
      const copy = { ...message };
      this.#fated.add(copy);
      queue.messages.push(copy);
    }
    return false;
  }
}

type Input = Record<string, unknown>;
interface Entry {
  readonly Id: string;
}
interface BatchOutput {
  readonly Successful?: readonly object[];
  readonly Failed?: readonly object[];
}

/** Runs what the faults let pass of a batch call; the answer, which is a 200 all the same, lists the others. */
export function runPassed(input: Input, refuses: () => boolean, run: (input: Input) => unknown): unknown {
  // Their types have been checked.
  const entries = (input.Entries ?? []) as readonly Entry[];
  const { refused = [], passed = [] } = Object.groupBy(entries, () => (refuses() ? 'refused' : 'passed'));
  if (refused.length === 0) return run(input);
  const { Successful = [], Failed = [] } =
    passed.length === 0 ? {} : (run({ ...input, Entries: passed }) as BatchOutput);
  return {
    Successful,
    Failed: [
      ...Failed,
      ...refused.map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError', Message: REFUSED })),
    ],
  };
}

const REFUSED = 'refused by a fault that is in force';

export const isBatch = (operation: string): operation is BatchOperation =>
  (BATCH_OPERATIONS as readonly string[]).includes(operation);
