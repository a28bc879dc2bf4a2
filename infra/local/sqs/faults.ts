import type { Queue, StoredMessage } from './fauxqs.ts';

/** Asked wherever something may go wrong with records: messages on their way to an event source mapping. */
export interface QueueFaults {
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
