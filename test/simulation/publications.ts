import type { Published, PublishOptions, Stored } from '../../shared/client/outbox.ts';
import type { Position } from '../../shared/protocol/frames.ts';
import { keepsHistory, type Namespaces, namespaceOf } from '../../shared/protocol/namespaces.ts';
import type { Topic } from '../../shared/protocol/topic.ts';
import type { LogBook, LogEntry } from './log-book.ts';
import { Order } from './order.ts';
import type { DeadLetter } from './queue.ts';
import type { World } from './world.ts';

/** What every published message says of itself. */
interface Content {
  /** The same for the same message published again. */
  readonly n: number;
  readonly version?: number;
  readonly padding?: string;
}

/** A message in a frame of a client. */
interface Sent {
  readonly topic: Topic;
  readonly data: Content;
}
type Place = Position | { readonly dropped: 'stale' };

/** Older routes and those of now have each an id of their own for a message of a client. */
const ID_KINDS = 2;

interface Publication {
  readonly topic: Topic;
  readonly content: Content;
  isAccepted: boolean;
  readonly isOfClient?: boolean;
  /** Its client chose the key. */
  readonly hasOwnKey?: boolean;
}

/** Everything that was published, and what its publisher was told. */
export class Publications {
  readonly #world: World;
  readonly #book: LogBook;
  readonly #namespaces: Namespaces;
  readonly #all: Publication[] = [];
  readonly #order: Order;
  #next = 1;
  /** What publish frames had, by connection and id. */
  readonly #frames = new Map<string, readonly Sent[]>();
  /** How many each publisher waits for. */
  readonly #unsettled = new Map<object, number>();
  /**
   * What was dropped in a world that is upgraded. Older code may have taken the version, for what is another message to
   * it, and does not say where: then it is on the bus, and in the log once the fan-out gets it again.
   */
  readonly #dropped: Sent[] = [];
  /** Ids of the messages that were accepted, with their topics. */
  readonly #acceptedIds: { readonly topic: Topic; readonly messageId: string }[] = [];

  /** Whether older code comes back after the code of now. */
  goesBack = (): boolean => false;

  constructor(world: World, book: LogBook, namespaces: Namespaces) {
    this.#world = world;
    this.#book = book;
    this.#namespaces = namespaces;
    this.#order = new Order(world);
  }

  get count(): number {
    return this.#all.length;
  }

  /** Every publisher knows what became of its messages. */
  get isSettled(): boolean {
    return this.#unsettled.size === 0;
  }

  newContent(version: number | undefined, padding = 0): Content {
    return {
      n: this.#next++,
      ...(version !== undefined && { version }),
      ...(padding > 0 && { padding: 'x'.repeat(padding) }),
    };
  }

  /** By a back end: what is on the bus is accepted. */
  put(topic: Topic, content: Content): void {
    this.#order.published(content.n);
    this.#all.push({ topic, content, isAccepted: true });
  }

  /** These are of one event, or one frame. */
  together(contents: readonly Content[]): void {
    this.#order.together(contents.map(({ n }) => n));
  }

  /** A frame from a connection has reached the gateway. */
  received(connectionId: string, text: string): void {
    const { action, id, messages, ...single } = JSON.parse(text);
    if (action !== 'publish') return;
    const sent: readonly Sent[] = messages ?? [single];
    this.#frames.set(`${connectionId} ${id}`, sent);
    this.together(sent.map(({ data }) => data));
  }

  /** A frame goes to a connection: what it says of publishes is so already. */
  answered(connectionId: string, text: string): void {
    const { type, action, id, messageId, messageIds = [messageId], ...rest } = JSON.parse(text);
    if (type !== 'ack' || action !== 'publish') return;
    const places: readonly (Place | null)[] = rest.places ?? [
      rest.epoch === undefined && rest.dropped === undefined ? null : rest,
    ];
    for (const [index, sent] of (this.#frames.get(`${connectionId} ${id}`) ?? []).entries()) {
      this.#expectPlace(sent, messageIds[index], places[index] ?? undefined);
    }
  }

  #expectPlace({ topic, data }: Sent, messageId: string, place: Place | undefined): void {
    const isKept = keepsHistory(namespaceOf(topic, this.#namespaces));
    // Older code does not say it.
    if (place === undefined && this.#world.mode === 'upgrade') return;
    if (isKept !== (place !== undefined)) {
      this.#world.violate(`message ${data.n} to ${topic} has the place ${JSON.stringify(place)}`);
    } else if (place) this.#expectStored(topic, data, { messageId, ...place });
  }

  /** Nobody is there any more to be told. */
  abandoned(publisher: object): void {
    this.#unsettled.delete(publisher);
  }

  /** By a client. */
  published(
    publisher: object,
    topic: Topic,
    content: Content,
    options: PublishOptions,
    result: Promise<Published | Stored>,
  ): Promise<void> {
    const hasOwnKey = options.key !== undefined;
    const publication: Publication = { topic, content, isAccepted: false, isOfClient: true, hasOwnKey };
    this.#order.published(content.n);
    this.#all.push(publication);
    this.#unsettled.set(publisher, (this.#unsettled.get(publisher) ?? 0) + 1);
    const settled = result.then(
      (answer) => {
        publication.isAccepted = true;
        this.#order.acknowledged(content.n);
        this.#world.trace('accepted', topic, content.n, answer.messageId);
        this.#acceptedIds.push({ topic, messageId: answer.messageId });
        if (options.stored) this.#expectStored(topic, content, answer as Stored);
      },
      (error: { readonly code?: string }) => this.#world.trace('not published', topic, content.n, error.code),
    );
    return settled.finally(() => {
      const left = (this.#unsettled.get(publisher) ?? 0) - 1;
      if (left > 0) this.#unsettled.set(publisher, left);
      else this.#unsettled.delete(publisher);
    });
  }

  /** Everything is quiet: what was accepted is in its log once, and what was not at most once. */
  expectInLogs(badEvents: readonly DeadLetter[], arrivals: ReadonlyMap<string, number>): void {
    const dead = new Set(
      badEvents.flatMap(({ body }) => [...body.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n))),
    );
    const stored = this.#storedCounts();
    for (const publication of this.#all) {
      const { topic, content, isAccepted, hasOwnKey } = publication;
      if (!keepsHistory(namespaceOf(topic, this.#namespaces))) continue;
      const count = stored.get(`${topic} ${content.n}`) ?? 0;
      if (count > this.#timesMax(hasOwnKey))
        this.#world.violate(`message ${content.n} to ${topic} is stored ${count} times`);
      const isExcused =
        dead.has(content.n) || this.#isOutdated(topic, content) || this.#isRefusedByOlderCode(publication);
      if (count === 0 && isAccepted && !isExcused) {
        this.#world.violate(`message ${content.n} to ${topic} was accepted and is not stored`);
      }
    }
    for (const { topic, data } of this.#dropped) {
      if (!stored.has(`${topic} ${data.n}`) && !dead.has(data.n)) this.#expectOutdated(topic, data);
    }
    for (const { topic, messageId } of this.#acceptedIds) {
      if (!arrivals.has(`${topic} ${messageId}`)) {
        this.#world.violate(`message ${messageId} to ${topic} was accepted and is not on the bus`);
      }
    }
    for (const { topic, entries } of this.#book.logs) this.#expectVersionsRise(topic, entries);
    this.#order.expectKept(this.#book);
  }

  /**
   * A route of now has taken its version, and has died; then an older one has acknowledged it, and an older fan-out, which
   * takes it for another message, has dropped it.
   */
  #isRefusedByOlderCode({ topic, content: { version }, isOfClient = false }: Publication): boolean {
    return this.goesBack() && isOfClient && version !== undefined && this.#book.hasTaken(topic, version);
  }

  /** How often a message may be stored. An older client does not say that a key is its own once it has reconnected. */
  #timesMax(hasOwnKey = false): number {
    if (this.#world.mode !== 'upgrade') return 1;
    return hasOwnKey ? Infinity : ID_KINDS;
  }

  #expectStored(topic: Topic, content: Content, answer: Stored): void {
    if ('dropped' in answer) {
      if (this.#world.mode === 'upgrade') this.#dropped.push({ topic, data: content });
      else this.#expectOutdated(topic, content);
      return;
    }
    const entry = this.#book.entry(topic, answer);
    if ((entry?.message?.data as Content | undefined)?.n !== content.n) {
      this.#world.violate(
        `message ${content.n} to ${topic} is not at ${answer.offset}, where it should be stored`,
      );
    }
  }

  #expectOutdated(topic: Topic, content: Content): void {
    if (this.#isOutdated(topic, content)) return;
    this.#world.violate(`message ${content.n} to ${topic} was dropped, and there is no newer version`);
  }

  /** Another message has a version that is as new. */
  #isOutdated(topic: Topic, { n, version }: Content): boolean {
    if (version === undefined) return false;
    return this.#all.some(
      (other) => other.topic === topic && other.content.n !== n && (other.content.version ?? 0) >= version,
    );
  }

  #expectVersionsRise(topic: string, entries: readonly LogEntry[]): void {
    let newest = 0;
    for (const { message, offset } of entries) {
      const { version = Infinity } = (message?.data ?? {}) as Partial<Content>;
      if (version === Infinity) continue;
      if (version <= newest) {
        this.#world.violate(`version ${version} of ${topic} is at ${offset}, after version ${newest}`);
      }
      newest = version;
    }
  }

  #storedCounts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { topic, entries } of this.#book.logs) {
      for (const { message } of entries) {
        const { n } = (message?.data ?? {}) as Partial<Content>;
        const name = `${topic} ${n}`;
        if (n !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
    return counts;
  }
}
