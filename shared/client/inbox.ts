import type { LossReason, Position } from '../protocol/frames.ts';
import { call } from './call.ts';
import { FanwireError, type FanwireErrorCode } from './errors.ts';
import type { Message } from './message.ts';

/** What became of the time in which messages may have been missed. */
export interface Recovery {
  /** Whether everything that was missed follows now. If not, nothing of it does, and the feed goes on after `to`. */
  readonly recovered: boolean;
  /** Why it is lost. A code of an error if the server refused to say what was missed. */
  readonly reason?: LossReason | 'slow_consumer' | FanwireErrorCode;
  readonly from?: Position;
  readonly to?: Position;
}

export interface Consumer<T = unknown> {
  /** Without it, messages wait for the iterator. The next message waits for a promise that it returns. */
  readonly onMessage?: ((message: Message<T>) => unknown) | undefined;
  /**
   * In its place among the messages, which wait for a promise that it returns. Without it a loss is an `error` event; and
   * a loop ends there, with the error `lost`, unless the topic keeps no history and there was a drop.
   */
  readonly onRecovery?: ((recovery: Recovery) => unknown) | undefined;
}

interface InboxHooks {
  readonly onError: (error: FanwireError) => void;
  /** Something is lost, and the application has no `onRecovery` to hear of it. */
  readonly onLoss: (recovery: Recovery) => void;
  /** The same in a loop that must not go on as if nothing were missing. */
  readonly onBreak: (recovery: Recovery) => void;
  /** There is nothing left. */
  readonly onEmpty: () => void;
}

type Item = { readonly before: Position | undefined } & (
  | { readonly message: Message }
  | { readonly recovery: Recovery }
);

interface Waiter {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void;
  readonly reject: (error: FanwireError) => void;
}

/** Messages on their way to the application, one at a time, as fast as it takes them. */
export class Inbox {
  readonly #consumer: Consumer;
  readonly #hooks: InboxHooks;
  readonly #max: number;
  readonly #items: Item[] = [];
  /** The application has it, and is not done with it. */
  #inHand: Item | undefined;
  readonly #waiters: Waiter[] = [];
  #isIterated = false;
  #isOver = false;
  /** Thrown once at the end of the iteration. */
  #error: FanwireError | undefined;

  constructor(consumer: Consumer, max: number, hooks: InboxHooks) {
    this.#consumer = consumer;
    this.#max = max;
    this.#hooks = hooks;
  }

  get isFull(): boolean {
    return this.#items.length >= this.#max;
  }

  /** Just before the first thing that the application is not done with. Undefined if there is none. */
  get pending(): { readonly before: Position | undefined } | undefined {
    return this.#inHand ?? this.#items[0];
  }

  /** A report comes before the messages. */
  push(messages: readonly Message[], recovery?: Recovery): void {
    if (recovery) this.#items.push({ recovery, before: recovery.from });
    for (const message of messages) this.#items.push({ message, before: positionBefore(message) });
    this.#drain();
  }

  /** For messages that cannot be had again: what finds no room is lost, and said to be. */
  offer(message: Message): void {
    const last = this.#items.at(-1);
    const isSaid = last && 'recovery' in last && last.recovery.reason === 'slow_consumer';
    if (!this.isFull) this.push([message]);
    else if (!isSaid) this.push([], { recovered: false, reason: 'slow_consumer' });
  }

  iterate(onLeave: () => void): AsyncIterableIterator<Message, undefined> {
    if (this.#consumer.onMessage || this.#isIterated) {
      throw new FanwireError('bad_request', 'expected one consumer of a subscription, got another');
    }
    this.#isIterated = true;
    const iterator: AsyncIterableIterator<Message, undefined> = {
      next: () => this.#next(),
      return: async () => {
        onLeave();
        return { done: true, value: undefined };
      },
      throw: async (error) => {
        onLeave();
        throw error;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** What is in hand counts as done with. */
  done(): void {
    this.#inHand = undefined;
  }

  end(error?: FanwireError): void {
    this.#isOver = true;
    this.#error = error;
    // The first one stays, because it says up to where the application got.
    this.#items.length = Math.min(this.#items.length, 1);
    for (const waiter of this.#waiters.splice(0)) this.#finish(waiter);
  }

  #next(): Promise<IteratorResult<Message, undefined>> {
    return new Promise((resolve, reject) => {
      // Asking for the next message says that the one before is done with.
      if (this.#inHand && 'message' in this.#inHand) this.done();
      if (this.#isOver) return this.#finish({ resolve, reject });
      this.#waiters.push({ resolve, reject });
      this.#drain();
    });
  }

  #finish({ resolve, reject }: Waiter): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) reject(error);
    else resolve({ done: true, value: undefined });
  }

  #drain(): void {
    while (!this.#isOver && !this.#inHand) {
      const item = this.#items[0];
      if (!item) {
        this.#hooks.onEmpty();
        return;
      }
      if (this.#isForIterator(item)) {
        if (this.#waiters.length === 0) return;
        this.#items.shift();
        this.#handToIterator(item);
      } else {
        this.#items.shift();
        this.#handToHandler(item);
      }
    }
  }

  #isForIterator(item: Item): boolean {
    const { onMessage, onRecovery } = this.#consumer;
    return !onMessage && ('message' in item || (!onRecovery && isBreak(item.recovery)));
  }

  #handToIterator(item: Item): void {
    if ('recovery' in item) {
      this.#hooks.onBreak(item.recovery);
      return;
    }
    this.#waiters.shift()?.resolve({ done: false, value: item.message });
    // Whoever waits for the next one, too, has said that this one is done with.
    if (this.#waiters.length === 0) this.#inHand = item;
  }

  #handToHandler(item: Item): void {
    this.#inHand = item;
    const pending = this.#handle(item);
    if (!pending) this.done();
    pending?.then(() => {
      this.done();
      this.#drain();
    });
  }

  #handle(item: Item): Promise<void> | undefined {
    const { onMessage, onRecovery } = this.#consumer;
    const { onError, onLoss } = this.#hooks;
    if ('message' in item) return onMessage && call(onMessage, item.message, onError);
    if (onRecovery) return call(onRecovery, item.recovery, onError);
    if (!item.recovery.recovered) onLoss(item.recovery);
    return undefined;
  }
}

/** A drop on a topic without history is what one may expect of it, and nobody knows whether anything was missed. */
const isBreak = ({ recovered, reason }: Recovery): boolean => !recovered && reason !== 'no_history';

const positionBefore = ({ epoch, offset }: Message): Position | undefined =>
  epoch !== undefined && offset !== undefined ? { epoch, offset: offset - 1 } : undefined;
