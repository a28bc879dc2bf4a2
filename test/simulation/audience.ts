import type { HistoryPage, Message } from '../../shared/client/index.ts';
import type { Position } from '../../shared/protocol/frames.ts';
import type { Namespace } from '../../shared/protocol/namespaces.ts';
import { SKEW_MAX_MS } from './lambda.ts';
import type { LogBook, LogEntry } from './log-book.ts';
import type { World } from './world.ts';

/** Two clocks differ by no more. */
export const SKEW_MS = 2 * SKEW_MAX_MS + 100;

export interface AudienceOptions {
  readonly pattern: string;
  readonly namespace: Namespace;
  /** Every connection id that its client has had. */
  readonly connectionIds: ReadonlySet<string>;
}

/** Whose messages are whose: what one client is meant to get of a topic. */
export class Audience {
  readonly #world: World;
  readonly #book: LogBook;
  readonly #pattern: string;
  readonly #namespace: Namespace;
  readonly #connectionIds: ReadonlySet<string>;

  constructor(world: World, book: LogBook, { pattern, namespace, connectionIds }: AudienceOptions) {
    this.#world = world;
    this.#book = book;
    this.#pattern = pattern;
    this.#namespace = namespace;
    this.#connectionIds = connectionIds;
  }

  isMeantToGet({ message, except, expiresAtMs }: LogEntry): boolean {
    if (!message || expiresAtMs <= this.#world.now() + SKEW_MS) return false;
    return !except.some((connectionId) => this.#connectionIds.has(connectionId));
  }

  /** Whatever the clocks say, it can still be read. */
  isSurelyKept({ offset, atMs }: Pick<LogEntry, 'offset' | 'atMs'>, epoch: string): boolean {
    const head = this.#book.head(this.#pattern);
    const { messages = 0, seconds = 0 } = this.#namespace.history ?? {};
    if (head?.epoch !== epoch || offset <= head.offset - messages) return false;
    return atMs + seconds * 1_000 > this.#world.now() + SKEW_MS;
  }

  /**
   * Something between two offsets that it should have got, or that is not decided, in words. Up to `oldUpTo` it need not
   * have got what is too old.
   */
  missingBetween(after: Position, before: number, oldUpTo: number): string | undefined {
    const { epoch } = after;
    for (let offset = after.offset + 1; offset < before; offset++) {
      const entry = this.#book.entry(this.#pattern, { epoch, offset });
      const atMs = entry?.atMs ?? this.#book.allocatedAtMs(this.#pattern, { epoch, offset });
      if (offset <= oldUpTo && !this.isSurelyKept({ offset, atMs }, epoch)) continue;
      if (!entry) return `offset ${offset} is not decided`;
      if (!this.isMeantToGet(entry)) continue;
      return `never got ${offset} (after ${after.offset})`;
    }
    return undefined;
  }

  /** What is wrong with a page of history, in words. */
  wrongIn({ epoch, offset, messages, more }: HistoryPage, isReverse: boolean): string | undefined {
    const ascending = isReverse ? messages.toReversed() : messages;
    // In between is nothing that it should have got, nor after the last of a page that has no next one.
    const marks = ascending.map((message) => Number(message.offset));
    if (!isReverse && !more) marks.push(offset + 1);
    for (const [index, mark] of marks.entries()) {
      const before = marks[index - 1];
      const missing =
        before === undefined ? undefined : this.missingBetween({ epoch, offset: before }, mark, Infinity);
      if (missing !== undefined) return `has ${mark}, and ${missing}`;
    }
    const isStored = (message: Message) => {
      const entry = this.#book.entry(this.#pattern, { epoch, offset: Number(message.offset) });
      return entry?.message?.messageId === message.messageId;
    };
    const foreign = messages.find((message) => !isStored(message));
    return foreign && `has ${foreign.messageId} at ${foreign.offset}`;
  }
}
