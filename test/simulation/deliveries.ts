import type { TableName } from '../../shared/data/tables.ts';
import type { QueueEvent } from '../../shared/lambda/events.ts';
import { keepsHistory, type Namespaces, namespaceOf } from '../../shared/protocol/namespaces.ts';
import { patternsCovering, type Topic } from '../../shared/protocol/topic.ts';
import type { Item as TableItem } from '../memory/expression.ts';
import { SKEW_MS } from './audience.ts';
import type { Watcher } from './clients.ts';
import type { Environment } from './lambda.ts';
import type { LogBook, LogEntry } from './log-book.ts';
import { keyOf, type MessageKey, messagesOf, nameOf, type Pair, pairOf, pairsIn } from './messages.ts';
import type { DeadLetter } from './queue.ts';
import type { World } from './world.ts';

/** A message that was in time when its frames were packed may be on its way for so long. */
const LATE_MAX_MS = 60_000;

type Fields = Readonly<Record<string, unknown>>;

/** What became of the messages that connections should have got. */
export interface Balance {
  matched: number;
  delivered: number;
  gone: number;
  deadLettered: number;
  /** The subscription ended, or the message was too late, before it was delivered. */
  lapsed: number;
  /** In the log, but not on the bus: the publish route died in between, and told nobody that it was published. */
  unsent: number;
}

/** A message that a connection is to get, because of subscriptions that it had when it came. */
interface Debt {
  readonly expiresAtMs: number;
  readonly patterns: Set<string>;
}

/** What an invocation has done so far. */
interface Progress {
  readonly bodies: readonly string[];
  /** How often, by connection and message. */
  readonly delivered: Map<string, number>;
  readonly gone: Set<string>;
}

/** Faults after which a message may be posted to a connection twice. */
const REPEATING = [
  'recordTwice',
  'eventTwice',
  'invocationKilled',
  'invocationRefused',
  'requestThrottled',
  'requestUnanswered',
  'requestRepeated',
  'batchUndone',
  'queueFails',
  'queueRefuses',
  'busFails',
  'postHangs',
  'postFails',
] as const;

/**
 * The books of deliveries: who had a subscription when a message came, and what became of the two. Whoever has one from
 * then on until the end is delivered to, gone, or in a dead letter.
 */
export class Deliveries implements Watcher {
  /** Told when a message is there for everybody who is subscribed. */
  onDue: (topic: Topic, messageId: string, except: readonly string[]) => void = () => {};
  readonly balance: Balance = { matched: 0, delivered: 0, gone: 0, deadLettered: 0, lapsed: 0, unsent: 0 };
  readonly #world: World;
  readonly #namespaces: Namespaces;
  readonly #book: LogBook;
  /** By pattern and connection: when the rows that it has in shards expire. */
  readonly #rows = new Map<string, Map<string, Map<string, number>>>();
  /** When a connection lost its rows of a pattern. */
  readonly #endedAtMs = new Map<string, number>();
  /** Everybody that a message was owed to. */
  readonly #matched = new Map<MessageKey, Set<string>>();
  /** Subscribe commands without an answer: when they came, by connection and id. */
  readonly #subscribing = new Map<string, { readonly pattern: string; readonly atMs: number }>();
  /** By connection: messages that it is still to get. */
  readonly #owed = new Map<string, Map<MessageKey, Debt>>();
  /** By name, when messages are too late. */
  readonly #expiries = new Map<string, number>();
  readonly #badEvents = new Set<string>();
  readonly #progress = new Map<Environment, Progress>();
  /** How often a message was on the bus. */
  readonly arrivals = new Map<string, number>();
  readonly #deliveredOnce = new Set<string>();
  readonly #repeatsAllowed: boolean;

  constructor(world: World, namespaces: Namespaces, book: LogBook) {
    this.#world = world;
    this.#namespaces = namespaces;
    this.#book = book;
    this.#repeatsAllowed = REPEATING.some((fault) => world.faults.likely[fault] !== undefined);
    book.onStored = (topic, epoch, entry) => this.#stored(topic as Topic, epoch, entry);
  }

  /** Every write to the table of subscriptions. */
  written(table: TableName, before: TableItem | undefined, after: TableItem | undefined): void {
    const item = after ?? before;
    if (table !== 'subscriptions' || !item) return;
    const [pattern = '', shard = ''] = String(item.topicShard?.S).split('#');
    const connectionId = String(item.connectionId?.S);
    const connections = getOrSet(this.#rows, pattern, () => new Map<string, Map<string, number>>());
    const rows = getOrSet(connections, connectionId, () => new Map<string, number>());
    if (after) rows.set(shard, Number(after.expiresAt?.N) * 1_000);
    else rows.delete(shard);
    if (rows.size > 0) return;
    this.#rows.get(pattern)?.delete(connectionId);
    this.#endedAtMs.set(`${connectionId} ${pattern}`, this.#world.scheduler.nowMs);
    this.#lapse(connectionId, pattern);
  }

  /** The patterns that connections have rows for. */
  get subscriptions(): Map<string, Set<string>> {
    const found = new Map<string, Set<string>>();
    for (const [pattern, connections] of this.#rows) {
      for (const connectionId of connections.keys()) {
        getOrSet(found, connectionId, () => new Set()).add(pattern);
      }
    }
    return found;
  }

  /** A frame from a connection has reached the gateway. */
  received(connectionId: string, text: string): void {
    const { action, id, topic } = JSON.parse(text);
    if (action !== 'subscribe') return;
    this.#subscribing.set(`${connectionId} ${id}`, { pattern: topic, atMs: this.#world.scheduler.nowMs });
  }

  /** A frame goes to a connection: nothing that was not meant for it. */
  sent(connectionId: string, text: string): void {
    const frame = JSON.parse(text);
    if (frame.type === 'ack' && frame.action === 'subscribe') this.#subscribed(connectionId, frame);
    const { topic, epoch, messages = frame.type === 'message' ? [frame] : [] } = frame;
    for (const { offset, messageId } of messages) {
      if (messageId === undefined) continue;
      const entry = epoch === undefined ? undefined : this.#book.entry(topic, { epoch, offset });
      const expiresAtMs = entry?.expiresAtMs ?? this.#expiries.get(nameOf({ topic, messageId })) ?? Infinity;
      if (entry?.except.includes(connectionId)) {
        this.#world.violate(`${connectionId} was sent ${offset} of ${topic}, which leaves it out`);
      }
      if (expiresAtMs + LATE_MAX_MS < this.#world.now()) {
        this.#world.violate(`${connectionId} was sent ${messageId} of ${topic}, which is too late`);
      }
    }
  }

  /** What is stored by now is in the answer, or was on its way to a connection that had its row by then. */
  #subscribed(connectionId: string, { id, topic, epoch, offset, more }: Fields): void {
    const command = this.#subscribing.get(`${connectionId} ${id}`);
    const endedAtMs = this.#endedAtMs.get(`${connectionId} ${topic}`) ?? -Infinity;
    if (!command || epoch === undefined || more || endedAtMs >= command.atMs) return;
    for (let next = Number(offset) + 1; ; next++) {
      const entry = this.#book.entry(String(topic), { epoch: String(epoch), offset: next });
      if (!entry) return;
      const key = keyOf(String(topic), String(epoch), entry);
      if (entry.message && !this.#matched.get(key)?.has(connectionId)) {
        this.#world.violate(`${connectionId} has ${key} neither in its replay nor in its feed`);
      }
    }
  }

  arrived(event: string): void {
    const messages = messagesOf(event, this.#namespaces);
    if (!messages) this.#badEvents.add(event);
    for (const { topic, messageId, expiresAtMs, except } of messages ?? []) {
      const name = nameOf({ topic, messageId });
      this.arrivals.set(name, (this.arrivals.get(name) ?? 0) + 1);
      this.#expiries.set(name, expiresAtMs);
      if (keepsHistory(namespaceOf(topic, this.#namespaces))) continue;
      this.#owe(topic, keyOf(topic, undefined, { messageId }), expiresAtMs, except);
      if (expiresAtMs === Infinity) this.onDue(topic, messageId, except);
    }
  }

  began(environment: Environment, { Records }: QueueEvent): void {
    this.#progress.set(environment, {
      bodies: Records.map(({ body }) => body),
      delivered: new Map(),
      gone: new Set(),
    });
  }

  posted(environment: Environment, connectionId: string, text: string, outcome: string): void {
    if (outcome !== 'delivered' && outcome !== 'gone') return;
    const progress = this.#progress.get(environment);
    if (outcome === 'gone') progress?.gone.add(connectionId);
    for (const { key, isOnce } of this.#entriesIn(text)) {
      if (this.#settle(connectionId, key)) this.balance[outcome] += 1;
      if (outcome !== 'delivered') continue;
      const pair = pairOf(connectionId, key);
      progress?.delivered.set(pair, (progress.delivered.get(pair) ?? 0) + 1);
      if (isOnce && !this.#repeatsAllowed && this.#deliveredOnce.has(pair)) {
        this.#world.violate(`${connectionId} was posted ${key} twice, and nothing was repeated`);
      }
      this.#deliveredOnce.add(pair);
    }
  }

  /** What goes to the delivery queue names whom it is missing for, and nobody else. */
  queued(environment: Environment, bodies: readonly string[]): void {
    const progress = this.#progress.get(environment);
    if (!progress) return;
    for (const { connectionId, key } of bodies.flatMap(pairsIn)) {
      const delivered = progress.delivered.get(pairOf(connectionId, key)) ?? 0;
      if (delivered === 0 || progress.gone.has(connectionId)) continue;
      // A batch can have the same twice, and one of the two can be missing.
      if (delivered < this.#timesIn(progress.bodies, connectionId, key)) continue;
      this.#world.violate(`a job names ${key} for ${connectionId}, who has got it`);
    }
  }

  /** Nothing is pending any more: what is still owed is lost, unless it is in a dead letter. */
  expectSettled(badEvents: readonly DeadLetter[], undelivered: readonly DeadLetter[]): void {
    const dead = new Set(
      undelivered.flatMap(({ body }) =>
        pairsIn(body).map(({ connectionId, key }) => pairOf(connectionId, key)),
      ),
    );
    for (const event of this.#badEvents) {
      if (badEvents.some(({ body }) => body === event)) continue;
      this.#world.violate(`a bad event is no dead letter: ${event}`);
    }
    const deadMessages = new Set(
      badEvents.flatMap(({ body }) => (messagesOf(body, this.#namespaces) ?? []).map(nameOf)),
    );
    for (const [connectionId, owed] of this.#owed) {
      for (const [key, { expiresAtMs, patterns }] of owed) {
        const hasRow = [...patterns].some((pattern) => this.#hasLiveRow(pattern, connectionId));
        const isOver = expiresAtMs <= this.#world.now() || !hasRow;
        if (isOver) this.balance.lapsed += 1;
        else if (dead.has(pairOf(connectionId, key)) || deadMessages.has(this.#nameOf(key)))
          this.balance.deadLettered += 1;
        else if (!this.arrivals.has(this.#nameOf(key))) this.balance.unsent += 1;
        else this.#world.violate(`${connectionId} has a subscription and never got ${key}`);
      }
    }
    const { matched, delivered, gone, deadLettered, lapsed, unsent } = this.balance;
    if (matched !== delivered + gone + deadLettered + lapsed + unsent) {
      this.#world.violate(`the books do not balance: ${JSON.stringify(this.balance)}`);
    }
  }

  /** Whoever is left out gets a note in its place. */
  #stored(topic: Topic, epoch: string, entry: LogEntry): void {
    this.#owe(topic, keyOf(topic, epoch, entry), entry.expiresAtMs);
    const { message, expiresAtMs, except } = entry;
    if (message && expiresAtMs === Infinity) this.onDue(topic, message.messageId, except);
  }

  #owe(topic: Topic, key: MessageKey, expiresAtMs: number, except: readonly string[] = []): void {
    for (const pattern of patternsCovering(topic)) {
      for (const connectionId of this.#rows.get(pattern)?.keys() ?? []) {
        if (except.includes(connectionId) || !this.#hasLiveRow(pattern, connectionId)) continue;
        const owed = getOrSet(this.#owed, connectionId, () => new Map<MessageKey, Debt>());
        if (!owed.has(key)) this.balance.matched += 1;
        getOrSet(owed, key, () => ({ expiresAtMs, patterns: new Set() })).patterns.add(pattern);
        getOrSet(this.#matched, key, () => new Set()).add(connectionId);
      }
    }
  }

  #settle(connectionId: string, key: MessageKey): boolean {
    return this.#owed.get(connectionId)?.delete(key) ?? false;
  }

  /** Whoever had no other subscription to it when a message came is owed it no longer. */
  #lapse(connectionId: string, pattern: string): void {
    for (const [key, { patterns }] of this.#owed.get(connectionId) ?? []) {
      if (!patterns.delete(pattern) || patterns.size > 0) continue;
      this.#settle(connectionId, key);
      this.balance.lapsed += 1;
    }
  }

  /** How often a batch of jobs, or of events, has a message for a connection. */
  #timesIn(bodies: readonly string[], connectionId: string, key: MessageKey): number {
    const isIt = (pair: Pair) => pair.connectionId === connectionId && pair.key === key;
    const isNamed = (message: { topic: string; messageId: string }) => nameOf(message) === this.#nameOf(key);
    const times = bodies.map((body) =>
      'connectionIds' in JSON.parse(body)
        ? pairsIn(body).filter(isIt).length
        : (messagesOf(body, this.#namespaces) ?? []).filter(isNamed).length,
    );
    return times.reduce((sum, each) => sum + each, 0);
  }

  /** By which a message is known on the bus. */
  #nameOf(key: MessageKey): string {
    const [topic = '', offset = '', epoch] = key.split(' ');
    if (epoch === undefined) return key;
    const { message } = this.#book.entry(topic, { epoch, offset: Number(offset) }) ?? {};
    return nameOf({ topic, messageId: message?.messageId });
  }

  /** Whatever the clocks say, it has not expired. */
  #hasLiveRow(pattern: string, connectionId: string): boolean {
    const rows = this.#rows.get(pattern)?.get(connectionId);
    return rows?.values().some((expiresAtMs) => expiresAtMs > this.#world.now() + SKEW_MS) ?? false;
  }

  #entriesIn(text: string): { key: MessageKey; isOnce: boolean }[] {
    const { type, topic, epoch, messages, ...single } = JSON.parse(text);
    if (topic === undefined || !['message', 'messages'].includes(type)) return [];
    return (messages ?? [single]).map((entry: { readonly offset?: number; readonly messageId?: string }) => ({
      key: keyOf(topic, epoch, entry),
      isOnce: entry.offset !== undefined || this.arrivals.get(`${topic} ${entry.messageId}`) === 1,
    }));
  }
}

function getOrSet<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
