import type { TableName } from '../../shared/data/tables.ts';
import type { QueueEvent, QueueRecord, QueueResult } from '../../shared/lambda/events.ts';
import { keepsHistory, type Namespaces, namespaceOf } from '../../shared/protocol/namespaces.ts';
import { patternsCovering, type Topic } from '../../shared/protocol/topic.ts';
import type { Item as TableItem } from '../memory/expression.ts';
import { SKEW_MS } from './audience.ts';
import type { Watcher } from './clients.ts';
import type { Environment } from './lambda.ts';
import { Letters } from './letters.ts';
import type { LogBook, LogEntry } from './log-book.ts';
import { keyOf, type MessageKey, messagesOf, nameOf, type Pair, pairOf, pairsIn } from './messages.ts';
import type { Promptness } from './promptness.ts';
import { type DeadLetter, RECEIVED_TOO_OFTEN } from './queue.ts';
import type { SystemSettings } from './settings.ts';
import { LATENCY_MAX_MS, type World } from './world.ts';

/** A message that was in time when it was packed may be on its way for so long, in a second frame after the first. */
const POST_LATE_MAX_MS = SKEW_MS + 2 * LATENCY_MAX_MS;
/** One that was in time when it was read for a replay comes with the answer, which a route has ten seconds for. */
const REPLAY_LATE_MAX_MS = SKEW_MS + 10_000;

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
  readonly sinceMs: number;
  readonly expiresAtMs: number;
  readonly patterns: Set<string>;
}

/** What an invocation has done so far. */
interface Progress {
  readonly sinceMs: number;
  readonly records: readonly QueueRecord[];
  /** How often, by connection and message. */
  readonly delivered: Map<string, number>;
  readonly gone: Set<string>;
  /** Connections and messages that it has left to others. */
  readonly queued: Set<string>;
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
  /** Whether a worker may be older than what it gets. */
  mayMisread: () => boolean = () => false;
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
  /** By name, when messages are too late, however often they were published. */
  readonly #expiries = new Map<string, number>();
  readonly #badEvents = new Set<string>();
  readonly #progress = new Map<Environment, Progress>();
  /** How often a message was on the bus. */
  readonly arrivals = new Map<string, number>();
  readonly #deliveredOnce = new Set<string>();
  readonly #repeatsAllowed: boolean;
  readonly #letters: Letters;
  readonly #promptness: Promptness;
  /** By the name of a message: when it was on the bus first, and by what it is known since. */
  readonly #arrivedAtMs = new Map<string, number>();
  readonly #keys = new Map<string, MessageKey>();
  /**
   * Names of messages that a newer publish route has logged, and perhaps died before they were on the bus; then an older
   * one published them again with their key, as if that had not been.
   */
  readonly #loggedBefore = new Set<string>();

  constructor(world: World, settings: SystemSettings, book: LogBook, promptness: Promptness) {
    this.#world = world;
    this.#namespaces = settings.namespaces;
    this.#book = book;
    this.#letters = new Letters(world, settings);
    this.#promptness = promptness;
    const isRepeating = REPEATING.some((fault) => world.faults.likely[fault] !== undefined);
    // Whether a key was delivered already is noted in another place by older code.
    this.#repeatsAllowed = isRepeating || world.mode === 'upgrade';
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

  /** The patterns that connections have rows for which have not expired. */
  get subscriptions(): Map<string, Set<string>> {
    const found = new Map<string, Set<string>>();
    for (const [pattern, connections] of this.#rows) {
      for (const [connectionId, rows] of connections) {
        if (rows.values().every((expiresAtMs) => expiresAtMs <= this.#world.now())) continue;
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
      if (entry?.except.includes(connectionId)) {
        this.#world.violate(`${connectionId} was sent ${offset} of ${topic}, which leaves it out`);
      }
      this.#expectNotTooLate(connectionId, keyOf(topic, epoch, { offset, messageId }), REPLAY_LATE_MAX_MS);
    }
  }

  /** What is stored by now is in the answer, or was on its way to a connection that had its row by then. */
  #subscribed(connectionId: string, { id, topic, epoch, offset, more }: Fields): void {
    const command = this.#subscribing.get(`${connectionId} ${id}`);
    const endedAtMs = this.#endedAtMs.get(`${connectionId} ${topic}`) ?? -Infinity;
    if (!command || epoch === undefined || more || endedAtMs >= command.atMs) return;
    const position = { epoch: String(epoch), offset: Number(offset) };
    const from = this.#book.come(String(topic), position) ?? position;
    for (let next = from.offset + 1; ; next++) {
      const entry = this.#book.entry(String(topic), { epoch: from.epoch, offset: next });
      if (!entry) return;
      const key = keyOf(String(topic), from.epoch, entry);
      if (entry.message && !this.#matched.get(key)?.has(connectionId)) {
        this.#world.violate(`${connectionId} has ${key} neither in its replay nor in its feed`);
      }
    }
  }

  arrived(event: string): void {
    const messages = messagesOf(event, this.#namespaces);
    if (!messages) this.#badEvents.add(event);
    for (const { topic, messageId, expiresAtMs, except, isLogged } of messages ?? []) {
      const name = nameOf({ topic, messageId });
      if (this.#world.mode === 'upgrade' && !isLogged && this.#keys.has(name)) this.#loggedBefore.add(name);
      this.arrivals.set(name, (this.arrivals.get(name) ?? 0) + 1);
      // Published again, it may be on the bus before the one that it repeats, by another clock.
      this.#expiries.set(name, Math.max(expiresAtMs, this.#expiries.get(name) ?? -Infinity));
      getOrSet(this.#arrivedAtMs, name, () => this.#world.scheduler.nowMs);
      if (keepsHistory(namespaceOf(topic, this.#namespaces))) continue;
      this.#keys.set(name, name);
      this.#owe(topic, name, expiresAtMs, except);
      if (expiresAtMs === Infinity) this.onDue(topic, messageId, except);
    }
  }

  /** When a message was on the bus first, by its name. */
  arrivedAtMs(name: string): number | undefined {
    return this.#arrivedAtMs.get(name);
  }

  began(environment: Environment, { Records }: QueueEvent): void {
    this.#progress.set(environment, {
      sinceMs: this.#world.scheduler.nowMs,
      records: Records,
      delivered: new Map(),
      gone: new Set(),
      queued: new Set(),
    });
  }

  /** A record that is done leaves nothing behind: everybody it is for was posted to, or is in a job or a dead letter. */
  answered(environment: Environment, { batchItemFailures }: QueueResult): void {
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    const progress = this.#progress.get(environment);
    const isDone = ({ messageId, body }: QueueRecord) => !failed.has(messageId) && !this.#letters.has(body);
    for (const { body } of progress?.records.filter(isDone) ?? []) {
      for (const { connectionId, key } of this.#pairsFor(body, Number(progress?.sinceMs))) {
        const debt = this.#owed.get(connectionId)?.get(key);
        const pair = pairOf(connectionId, key);
        if (!debt || progress?.queued.has(pair) || this.#letters.pairs.has(pair)) continue;
        if (debt.expiresAtMs <= this.#world.now() + SKEW_MS || !this.#isSubscribed(connectionId, debt))
          continue;
        this.#world.violate(`the record that had ${key} for ${connectionId} is done, and nobody has it`);
      }
    }
  }

  /** A dead letter was written. */
  buried(letter: DeadLetter): void {
    this.#letters.add(letter);
    const names = pairsIn(letter.body).map(({ key }) => this.#nameOf(key));
    const messages = messagesOf(letter.body, this.#namespaces) ?? [];
    if (messages.length > 0 && letter.reason !== RECEIVED_TOO_OFTEN && !this.mayMisread()) {
      this.#world.violate(`an event that can be read is a dead letter: ${letter.reason}`);
    }
    for (const name of new Set([...names, ...messages.map(nameOf)])) {
      if (!this.#promptness.isRecovered(this.#arrivedAtMs.get(name) ?? -Infinity)) continue;
      this.#world.violate(`${name} is a dead letter (${letter.reason}), and nothing went wrong`);
    }
  }

  posted(environment: Environment, connectionId: string, text: string, outcome: string): void {
    const entries = this.#entriesIn(text);
    for (const { key, isMessage } of entries) {
      if (isMessage) this.#expectNotTooLate(connectionId, key, POST_LATE_MAX_MS);
    }
    const pairs = entries.map(({ key }) => pairOf(connectionId, key));
    if (outcome !== 'delivered') this.#letters.failed(connectionId, pairs, outcome);
    if (outcome !== 'delivered' && outcome !== 'gone') return;
    const progress = this.#progress.get(environment);
    if (outcome === 'gone') progress?.gone.add(connectionId);
    for (const { key, isOnce } of entries) {
      this.#expectInTime(connectionId, key);
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
      progress.queued.add(pairOf(connectionId, key));
      const delivered = progress.delivered.get(pairOf(connectionId, key)) ?? 0;
      if (delivered === 0 || progress.gone.has(connectionId)) continue;
      // A batch can have the same twice, and one of the two can be missing.
      if (delivered < this.#timesIn(progress.records, connectionId, key)) continue;
      this.#world.violate(`a job names ${key} for ${connectionId}, who has got it`);
    }
  }

  /** Nothing is pending any more: what is still owed is lost, unless it is in a dead letter. */
  expectSettled(badEvents: readonly DeadLetter[]): void {
    for (const event of this.#badEvents) {
      if (badEvents.some(({ body }) => body === event)) continue;
      this.#world.violate(`a bad event is no dead letter: ${event}`);
    }
    const deadMessages = new Set(
      badEvents.flatMap(({ body }) => (messagesOf(body, this.#namespaces) ?? []).map(nameOf)),
    );
    for (const [connectionId, owed] of this.#owed) {
      for (const [key, debt] of owed) {
        const isOver = debt.expiresAtMs <= this.#world.now() || !this.#isSubscribed(connectionId, debt);
        if (isOver) this.balance.lapsed += 1;
        else if (this.#letters.pairs.has(pairOf(connectionId, key)) || deadMessages.has(this.#nameOf(key)))
          this.balance.deadLettered += 1;
        else if (this.#isUnsent(this.#nameOf(key))) this.balance.unsent += 1;
        else this.#world.violate(`${connectionId} has a subscription and never got ${key}`);
      }
    }
    const { matched, delivered, gone, deadLettered, lapsed, unsent } = this.balance;
    if (matched !== delivered + gone + deadLettered + lapsed + unsent) {
      this.#world.violate(`the books do not balance: ${JSON.stringify(this.balance)}`);
    }
  }

  #isUnsent(name: string): boolean {
    return !this.arrivals.has(name) || this.#loggedBefore.has(name);
  }

  /** Whoever is left out gets a note in its place. */
  #stored(topic: Topic, epoch: string, entry: LogEntry): void {
    const key = keyOf(topic, epoch, entry);
    const name = this.#nameOf(key);
    this.#keys.set(name, key);
    this.#promptness.expectInTime(`${name} was stored`, this.#arrivedAtMs.get(name) ?? Infinity);
    this.#owe(topic, key, entry.expiresAtMs);
    const { message, expiresAtMs, except } = entry;
    if (message && expiresAtMs === Infinity) this.onDue(topic, message.messageId, except);
  }

  #owe(topic: Topic, key: MessageKey, expiresAtMs: number, except: readonly string[] = []): void {
    for (const pattern of patternsCovering(topic)) {
      for (const connectionId of this.#rows.get(pattern)?.keys() ?? []) {
        if (except.includes(connectionId) || !this.#hasLiveRow(pattern, connectionId)) continue;
        const owed = getOrSet(this.#owed, connectionId, () => new Map<MessageKey, Debt>());
        if (!owed.has(key)) this.balance.matched += 1;
        const make = () => ({
          sinceMs: this.#world.scheduler.nowMs,
          expiresAtMs,
          patterns: new Set<string>(),
        });
        const held = getOrSet(owed, key, make);
        held.patterns.add(pattern);
        // Published again after its time, it is owed from now on.
        if (held.expiresAtMs <= this.#world.now()) owed.set(key, { ...make(), patterns: held.patterns });
        getOrSet(this.#matched, key, () => new Set()).add(connectionId);
      }
    }
  }

  #settle(connectionId: string, key: MessageKey): boolean {
    return this.#owed.get(connectionId)?.delete(key) ?? false;
  }

  #isSubscribed(connectionId: string, { patterns }: Debt): boolean {
    return [...patterns].some((pattern) => this.#hasLiveRow(pattern, connectionId));
  }

  #expectInTime(connectionId: string, key: MessageKey): void {
    const debt = this.#owed.get(connectionId)?.get(key);
    if (debt) this.#promptness.expectInTime(`${connectionId} was posted ${key}`, debt.sinceMs);
  }

  #expectNotTooLate(connectionId: string, key: MessageKey, lateMaxMs: number): void {
    const [topic = '', offset = '', epoch] = key.split(' ');
    const entry =
      epoch === undefined ? undefined : this.#book.entry(topic, { epoch, offset: Number(offset) });
    const expiresAtMs = entry?.expiresAtMs ?? this.#expiries.get(key) ?? Infinity;
    const lateMs = this.#world.now() - expiresAtMs;
    if (lateMs > lateMaxMs) this.#world.violate(`${connectionId} was sent ${key} ${lateMs} ms too late`);
  }

  /** What is owed of what a record has, but for what another one may have brought since. */
  #pairsFor(body: string, sinceMs: number): Pair[] {
    // One that was published again may be too late in the one job and in time in the other.
    const isOwedSince = ({ connectionId, key }: Pair) =>
      Number(this.#owed.get(connectionId)?.get(key)?.sinceMs) <= sinceMs &&
      Number(this.arrivals.get(this.#nameOf(key)) ?? 1) === 1;
    if ('connectionIds' in JSON.parse(body)) return pairsIn(body).filter(isOwedSince);
    return (messagesOf(body, this.#namespaces) ?? []).flatMap((message) => {
      const name = nameOf(message);
      const isOnce = this.arrivals.get(name) === 1 && !this.#loggedBefore.has(name);
      const key = isOnce ? this.#keys.get(name) : undefined;
      const connectionIds = key === undefined ? [] : [...(this.#matched.get(key) ?? [])];
      return connectionIds.map((connectionId) => ({ connectionId, key: String(key) }));
    });
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
  #timesIn(records: readonly QueueRecord[], connectionId: string, key: MessageKey): number {
    const isIt = (pair: Pair) => pair.connectionId === connectionId && pair.key === key;
    const isNamed = (message: { topic: string; messageId: string }) => nameOf(message) === this.#nameOf(key);
    const times = records.map(({ body }) =>
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

  /** What a frame has of a topic: messages, and notes in the place of those that are for others. */
  #entriesIn(text: string): { key: MessageKey; isMessage: boolean; isOnce: boolean }[] {
    const { type, topic, epoch, messages, ...single } = JSON.parse(text);
    if (topic === undefined || !['message', 'messages'].includes(type)) return [];
    return (messages ?? [single]).map((entry: { readonly offset?: number; readonly messageId?: string }) => ({
      key: keyOf(topic, epoch, entry),
      isMessage: entry.messageId !== undefined,
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
