import type { Recovery } from '../../shared/client/inbox.ts';
import type { Message } from '../../shared/client/message.ts';
import { COMING_LOG, type Position, REPLAY_MAX, type Rewind } from '../../shared/protocol/frames.ts';
import { keepsHistory } from '../../shared/protocol/namespaces.ts';
import type { Pattern } from '../../shared/protocol/topic.ts';
import { Audience, type AudienceOptions, SKEW_MS } from './audience.ts';
import type { LogBook } from './log-book.ts';
import type { World } from './world.ts';

interface ReaderOptions extends AudienceOptions {
  readonly pattern: Pattern;
  readonly rewind?: Rewind | undefined;
  /** Where an earlier subscription stopped. */
  readonly position?: Position | undefined;
  /** What the application had got by then. */
  readonly got?: Position | undefined;
  /** Where it had started. */
  readonly startedAt?: number | undefined;
}

const KEY_WINDOW_MS = 5 * 60_000;

/** What is said in an ack of `subscribe`. */
export interface SubscribeAck {
  readonly topic?: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly messages?: readonly { readonly offset: number }[];
  readonly more?: boolean;
}

/** Watches over what one subscription hands to the application. */
export class Reader {
  readonly options: ReaderOptions;
  readonly createdAtMs: number;
  received = 0;
  losses = 0;
  readonly #world: World;
  readonly #book: LogBook;
  /** Everything up to here has been handed over, or is nothing that it should be. */
  #cursor: Position | undefined;
  /** Up to here its first answer replayed what there was: what was too old need not be among it. */
  #startedAt: number;
  #hasEnded = false;
  readonly #audience: Audience;
  /** When each message was handed over last, and as what. */
  readonly #seen = new Map<string, { readonly atMs: number; readonly publishedAt: string }>();
  /** Came for it, if it knows no order. */
  readonly #arrived = new Set<string>();

  constructor(world: World, book: LogBook, options: ReaderOptions) {
    this.#audience = new Audience(world, book, options);
    this.#world = world;
    this.#book = book;
    this.options = options;
    this.createdAtMs = world.scheduler.nowMs;
    this.#startedAt = options.startedAt ?? -1;
    if (this.isOrdered) this.#cursor = options.got ?? options.position;
  }

  get startedAt(): number {
    return this.#startedAt;
  }

  /** Where the application is. */
  get cursor(): Position | undefined {
    return this.#cursor;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Gets what the log has, in order. */
  get isOrdered(): boolean {
    return keepsHistory(this.options.namespace) && !this.options.pattern.endsWith('*');
  }

  /** The first answer says where it starts, unless it has a position. */
  subscribed(ack: SubscribeAck): void {
    if (!this.isOrdered || this.#cursor || ack.epoch === undefined || ack.offset === undefined) return;
    const { epoch, offset, messages = [], more } = ack;
    const first = messages[0]?.offset;
    this.#cursor = { epoch, offset: first === undefined ? offset : first - 1 };
    this.#startedAt = offset;
    const { rewind } = this.options;
    if (rewind !== undefined && !more) this.#expectRewind(rewind, messages.length, { epoch, offset });
  }

  /** The client's socket has brought it. */
  arrived(topic: string, messageId: string): void {
    if (!this.isOrdered) this.#arrived.add(`${topic} ${messageId}`);
  }

  got(message: Message): void {
    const name = `${message.topic} ${message.messageId}`;
    this.received += 1;
    this.#world.trace('got', this.options.pattern, message.offset, message.messageId);
    if (this.#hasEnded) {
      this.#violate(`got ${name} after its end`);
      return;
    }
    if (this.isOrdered) {
      this.#gotInOrder(message);
      return;
    }
    if (!isCovered(String(message.topic), this.options.pattern)) {
      this.#violate(`got ${name}`);
    }
    const { publishedAt } = message;
    const atMs = this.#world.scheduler.nowMs;
    const before = this.#seen.get(name);
    // Published again, and so late on its way that its key counts no more.
    const isAnother = before && publishedAt !== before.publishedAt && atMs - before.atMs > KEY_WINDOW_MS;
    if (before && !isAnother) {
      this.#violate(`got ${name} twice`);
      return;
    }
    this.#seen.set(name, { atMs, publishedAt });
  }

  recovered({ recovered, reason, from, to }: Recovery): void {
    const words = [reason, from?.offset, to?.offset];
    this.#world.trace('recovery', this.options.pattern, String(recovered), ...words);
    if (this.#hasEnded) {
      this.#violate('was told of a recovery after its end');
      return;
    }
    if (reason === 'slow_consumer') this.losses += 1;
    if (recovered || !this.isOrdered) return;
    if (!to) {
      this.#violate(`lost something (${reason}), and is not told up to where`);
      return;
    }
    const cursor = this.#come;
    if (cursor) this.#expectJustified(reason, cursor, to);
    this.losses += 1;
    this.#cursor = to;
  }

  ended(): void {
    this.#hasEnded = true;
  }

  /** A position that the SDK gives to go on from: nothing may be below it that the application has not got. */
  expectPosition(position: Position | undefined): void {
    const cursor = this.#come;
    if (!this.isOrdered || !position || !cursor) return;
    const { epoch, offset } = this.#book.come(this.options.pattern, position) ?? position;
    if (epoch === cursor.epoch) this.#expectNothingBetween(cursor, offset + 1, `its position is ${offset}`);
  }

  /** It was there all the time. */
  expectToHave(name: string): void {
    if (this.#hasEnded || this.losses > 0 || this.#seen.has(name)) return;
    this.#violate(`was there and never got ${name}`);
  }

  /** Everything is quiet, and the client is connected. */
  expectCaughtUp(): void {
    if (this.#hasEnded) return;
    if (!this.isOrdered) {
      const [missing] = this.losses > 0 ? [] : this.#arrived.difference(this.#seen);
      if (missing !== undefined) this.#violate(`never got ${missing}, which has come for it`);
      return;
    }
    const head = this.#book.head(this.options.pattern);
    if (!head) return;
    const cursor = this.#come;
    if (!cursor) {
      this.#violate('never learned where it starts');
      return;
    }
    if (cursor.epoch !== head.epoch) {
      if (this.#book.hadNone(this.options.pattern, cursor)) return;
      this.#violate(`is still in epoch ${cursor.epoch}`);
      return;
    }
    this.#expectNothingBetween(cursor, head.offset + 1, 'everything is over');
  }

  /** Where the application is, in the log that has come since if there was none. */
  get #come(): Position | undefined {
    return this.#cursor && (this.#book.come(this.options.pattern, this.#cursor) ?? this.#cursor);
  }

  #gotInOrder({ epoch = '', offset = 0, messageId }: Message): void {
    const stored = this.#book.entry(this.options.pattern, { epoch, offset })?.message;
    if (stored?.messageId !== messageId) {
      this.#violate(`got ${messageId} at ${offset}, where the log has ${stored?.messageId}`);
      return;
    }
    const cursor = this.#come;
    if (!cursor) {
      this.#violate(`got ${offset} before it had an answer`);
      return;
    }
    if (cursor.epoch !== epoch) {
      this.#violate(`got ${offset} of another epoch`);
      return;
    }
    if (offset <= cursor.offset) {
      this.#violate(`got ${offset} after ${cursor.offset}`);
      return;
    }
    this.#expectNothingBetween(cursor, offset, `it got ${offset}`);
    this.#cursor = { epoch, offset };
  }

  #expectNothingBetween(after: Position, before: number, because: string): void {
    const missing = this.#audience.missingBetween(after, before, this.#startedAt);
    if (missing !== undefined) this.#violate(`${missing}, and ${because}`);
  }

  /** Of so many newest messages, or those of so many seconds, it gets what it is meant to have. */
  #expectRewind(wanted: Rewind, count: number, { epoch, offset }: Position): void {
    const messages = this.#book
      .entries(this.options.pattern, epoch)
      .filter((entry) => entry.message && entry.offset <= offset);
    const first = (this.#cursor?.offset ?? offset) + 1;
    const sinceMs = typeof wanted === 'number' ? 0 : this.#world.now() - wanted.seconds * 1_000 + SKEW_MS;
    const newest = typeof wanted === 'number' ? messages.slice(-wanted) : messages;
    if (typeof wanted === 'number' && count > wanted)
      this.#violate(`wanted ${wanted} messages and got ${count}`);
    for (const entry of newest) {
      if (entry.offset >= first || entry.atMs <= sinceMs) continue;
      if (!this.#audience.isMeantToGet(entry) || !this.#audience.isSurelyKept(entry, epoch)) continue;
      this.#violate(`wanted ${JSON.stringify(wanted)}, got ${count}, and ${entry.offset} is kept`);
    }
  }

  #expectJustified(reason: Recovery['reason'], from: Position, to: Position): void {
    const { namespace, pattern } = this.options;
    const { messages = 0, seconds = 0 } = namespace.history ?? {};
    const head = this.#book.head(pattern)?.offset ?? 0;
    const oldest = this.#book.entry(pattern, { epoch: from.epoch, offset: from.offset + 1 });
    const sureAfterMs = this.#world.now() - seconds * 1_000 + SKEW_MS;
    const isJustified = {
      trimmed: head - from.offset > messages || !oldest || oldest.atMs < sureAfterMs,
      too_many: head - from.offset > REPLAY_MAX,
      recovery_off: !namespace.recovery,
      epoch: from.epoch !== to.epoch && !this.#isStillToCome(from),
    }[String(reason)];
    const isOfOldCode = this.#world.mode === 'upgrade' && reason === 'epoch';
    if (!isJustified && !isOfOldCode) {
      this.#violate(`was told that ${from.offset} to ${to.offset} are lost (${reason}), which they are not`);
    }
  }

  /** It is before a log that is still to come, for all that can be known. */
  #isStillToCome(from: Position): boolean {
    // Older code knows of no such positions.
    const isKnown = from.epoch.startsWith(COMING_LOG) && this.#world.mode !== 'upgrade';
    return isKnown && !this.#book.mayHaveGone(from);
  }

  #violate(what: string): void {
    this.#world.violate(`a subscriber of ${this.options.pattern} ${what}`);
  }
}

/** Not by what decides it in the client, which may be wrong. */
function isCovered(topic: string, pattern: string): boolean {
  const wanted = pattern.split('/');
  if (wanted.at(-1) !== '*') return topic === pattern;
  return wanted.slice(0, -1).every((segment, index) => topic.split('/')[index] === segment);
}
