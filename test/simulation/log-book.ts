import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { TableName } from '../../shared/data/tables.ts';
import { COMING_LOG, type Position } from '../../shared/protocol/frames.ts';
import { type Namespaces, namespaceOf } from '../../shared/protocol/namespaces.ts';
import type { Topic } from '../../shared/protocol/topic.ts';
import { SKEW_MAX_MS } from './lambda.ts';
import type { World } from './world.ts';

/** What was decided for an offset, kept for ever. */
export interface LogEntry {
  readonly offset: number;
  /** A tombstone has none. */
  readonly message?: StoredMessage;
  readonly json?: string;
  readonly except: readonly string[];
  readonly expiresAtMs: number;
  /** By the clock of whoever allocated it. */
  readonly atMs: number;
  /** The true time. */
  readonly writtenAtMs: number;
  /** From then on it may be deleted. */
  readonly keptUntilMs: number;
}
interface StoredMessage {
  readonly messageId: string;
  readonly publishedAt: string;
  readonly data: unknown;
}
/** A log of a topic. */
interface Begun {
  readonly epoch: string;
  readonly atMs: number;
}
interface TopicLog {
  readonly entries: Map<number, LogEntry>;
  /** By offset, by the clocks of those who allocated it. */
  readonly allocatedAtMs: Map<number, number>;
  head: number;
  /** When that was, the true time. */
  movedAtMs: number;
}
type Item = Readonly<Record<string, AttributeValue>>;

const KEY_WINDOW_MS = 5 * 60_000;
/** A log that is not published to lives for so long, give or take what clocks differ by. */
const HEAD_LIFE_MS = 30 * 86_400_000;
const HEAD_MARGIN_MS = 2 * 60_000;
/** How much longer than its time older code kept an entry, and a second, because it counted in whole ones. */
const OLDER_MARGIN_MS = 3_601_000;

/** No item is for longer: a revocation outlives the oldest token, of 30 days, by a day. */
const EXPIRY_WITHIN_MS = 32 * 86_400_000;

/** The logs as they were written: what everything that a client gets is held against. */
export class LogBook {
  readonly #world: World;
  readonly #namespaces: Namespaces;
  /** By topic and epoch. */
  readonly #logs = new Map<string, TopicLog>();
  /** Of each topic, in order. */
  readonly #begun = new Map<string, Begun[]>();
  /** By topic: the versions for which the code of now has taken an offset. */
  readonly #versions = new Map<string, Set<string | undefined>>();
  /** Told of every message that is stored. */
  onStored: (topic: string, epoch: string, entry: LogEntry) => void = () => {};

  constructor(world: World, namespaces: Namespaces) {
    this.#world = world;
    this.#namespaces = namespaces;
  }

  written(table: TableName, before: Item | undefined, after: Item | undefined): void {
    if (!after) return; // its time has come, and the book keeps it
    this.#expectExpiry(table, after);
    const name = table === 'topics' ? after.topic?.S : table === 'messages' ? after.log?.S : undefined;
    const [topic = '', second = '', third] = name?.split('#') ?? [];
    if (table === 'topics' && second === 'log') this.#headMoved(topic, after);
    if (table === 'messages' && third === undefined) this.#decided(topic, second, before, after);
  }

  /** TTL reads seconds: an item in another unit would be gone at once, or never. */
  #expectExpiry(table: TableName, { expiresAt }: Item): void {
    const inMs = Number(expiresAt?.N) * 1_000 - this.#world.now();
    if (expiresAt && Math.abs(inMs) < EXPIRY_WITHIN_MS) return;
    const isPosts = table === 'topics' && expiresAt === undefined; // the one item that never expires
    if (!isPosts) this.#world.violate(`${table} has an item that expires at ${expiresAt?.N} s`);
  }

  /** Where the topic's log ends; undefined if it has none. */
  head(topic: string): Position | undefined {
    const epoch = this.#begun.get(topic)?.at(-1)?.epoch;
    return epoch === undefined ? undefined : { epoch, offset: this.#log(topic, epoch).head };
  }

  /**
   * A position before the first message of a log that was to come, as one in the log that came: undefined if none has,
   * or not so soon that it is sure to be the first.
   */
  come(topic: string, position: Position): Position | undefined {
    const givenAtMs = givenAt(position);
    if (givenAtMs === undefined) return position;
    const first = this.#begun.get(topic)?.find(({ atMs }) => atMs > givenAtMs - SKEW_MAX_MS);
    const isSure = first && first.atMs < givenAtMs + HEAD_LIFE_MS - HEAD_MARGIN_MS;
    return isSure ? { epoch: first.epoch, offset: 0 } : undefined;
  }

  /** Whether a log may have come since the position was given, and have gone. */
  mayHaveGone(position: Position): boolean {
    return this.#world.now() > Number(givenAt(position)) + HEAD_LIFE_MS - HEAD_MARGIN_MS;
  }

  /** Whether the topic may have had no log when the position was given. */
  hadNone(topic: string, position: Position): boolean {
    const last = this.#begun.get(topic)?.at(-1);
    const { movedAtMs = 0 } = last ? this.#log(topic, last.epoch) : {};
    return Number(givenAt(position)) > movedAtMs + HEAD_LIFE_MS - HEAD_MARGIN_MS;
  }

  /** Whether the code of now has taken the version, which for older code is then that one message's which did. */
  hasTaken(topic: string, version: number): boolean {
    return this.#versions.get(topic)?.has(String(version)) ?? false;
  }

  entry(topic: string, { epoch, offset }: Position): LogEntry | undefined {
    return this.#log(topic, epoch).entries.get(offset);
  }

  /** When an offset was allocated, also if it was never decided. */
  allocatedAtMs(topic: string, { epoch, offset }: Position): number {
    return this.#log(topic, epoch).allocatedAtMs.get(offset) ?? Number.NaN;
  }

  /** Of one of the topic's logs, in order. */
  entries(topic: string, epoch: string): LogEntry[] {
    return [...this.#log(topic, epoch).entries.values()].sort((a, b) => a.offset - b.offset);
  }

  /** Of all logs that there have been, each in order. */
  get logs(): { readonly topic: string; readonly entries: readonly LogEntry[] }[] {
    return [...this.#logs.keys()].map((name) => {
      const [topic = '', epoch = ''] = name.split('#');
      return { topic, entries: this.entries(topic, epoch) };
    });
  }

  #headMoved(topic: string, item: Item): void {
    const [epoch, offset] = [String(item.epoch?.S), Number(item.offset?.N)];
    const log = this.#log(topic, epoch);
    if (offset < log.head) this.#world.violate(`the log of ${topic} went back from ${log.head} to ${offset}`);
    for (let taken = log.head + 1; taken <= offset; taken++) {
      log.allocatedAtMs.set(taken, Number(item.allocatedAt?.N));
    }
    log.head = offset;
    if (item.versionOffset && item.versionOffset.N === item.offset?.N) {
      this.#versions.set(topic, (this.#versions.get(topic) ?? new Set()).add(item.version?.N));
    }
    log.movedAtMs = this.#world.now();
    const begun = this.#begun.get(topic) ?? [];
    if (begun.at(-1)?.epoch !== epoch) begun.push({ epoch, atMs: this.#world.now() });
    this.#begun.set(topic, begun);
  }

  #decided(topic: string, epoch: string, before: Item | undefined, item: Item): void {
    const log = this.#log(topic, epoch);
    const offset = Number(item.offset?.N);
    const decided = log.entries.get(offset);
    if (decided && !before && this.#isOlderAgain(topic, decided, item)) return;
    if (before || decided) this.#world.violate(`offset ${offset} of ${topic} was decided twice`);
    if (offset < 1 || offset > log.head) {
      this.#world.violate(`offset ${offset} of ${topic} was decided, and the head is ${log.head}`);
    }
    const json = item.json?.S;
    const message = json === undefined ? undefined : (JSON.parse(json) as StoredMessage & Position);
    const entry: LogEntry = {
      offset,
      ...(message && { message }),
      ...(json !== undefined && { json }),
      except: item.except?.SS ?? [],
      expiresAtMs: Number(item.lateAt?.N ?? Infinity),
      atMs: Number(item.at?.N),
      writtenAtMs: this.#world.now(),
      keptUntilMs: keptUntil(item),
    };
    if (message) this.#expectNew(topic, log, message, offset);
    log.entries.set(offset, entry);
    if (message) this.onStored(topic, epoch, entry);
  }

  /**
   * The same message is written where a worker of older code had written it, and where it is deleted by now: a record
   * may come again for two hours, and older code kept entries for only one more than their namespace says.
   */
  #isOlderAgain(topic: string, decided: LogEntry, item: Item): boolean {
    const { json, atMs, keptUntilMs } = decided;
    const { history } = namespaceOf(topic as Topic, this.#namespaces);
    const marginMs = keptUntilMs - atMs - Number(history?.seconds) * 1_000;
    return (
      this.#world.mode === 'upgrade' &&
      marginMs <= OLDER_MARGIN_MS &&
      keptUntilMs <= this.#world.now() &&
      json !== undefined &&
      item.json?.S === json
    );
  }

  /** A message is stored once, unless it was published again with the same key after its time. */
  #expectNew(topic: string, log: TopicLog, message: StoredMessage & Position, offset: number): void {
    if (message.offset !== offset) {
      this.#world.violate(`offset ${offset} of ${topic} has a message that says ${message.offset}`);
    }
    for (const { message: other, offset: at } of log.entries.values()) {
      if (other?.messageId !== message.messageId) continue;
      if (Date.parse(message.publishedAt) > Date.parse(other.publishedAt) + KEY_WINDOW_MS) continue;
      this.#world.violate(`message ${message.messageId} of ${topic} is stored at ${at} and at ${offset}`);
    }
  }

  #log(topic: string, epoch: string): TopicLog {
    const name = `${topic}#${epoch}`;
    const found = this.#logs.get(name);
    if (found) return found;
    const made: TopicLog = { entries: new Map(), allocatedAtMs: new Map(), head: 0, movedAtMs: 0 };
    this.#logs.set(name, made);
    return made;
  }
}

const keptUntil = ({ expiresAt }: Item): number => Number(expiresAt?.N) * 1_000;

/** When a position was given that is before the first message of a log to come; undefined if it is no such position. */
const givenAt = ({ epoch }: Position): number | undefined =>
  epoch.startsWith(COMING_LOG) ? Number.parseInt(epoch.slice(COMING_LOG.length), 36) : undefined;
