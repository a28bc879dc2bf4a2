import type { Client, Message, Position, Subscription } from '../../shared/client/index.ts';
import type { PublishOptions } from '../../shared/client/outbox.ts';
import { type MessageFrame, type MessagesFrame, messagesIn } from '../../shared/protocol/acks.ts';
import type { Rewind } from '../../shared/protocol/frames.ts';
import { namespaceOf } from '../../shared/protocol/namespaces.ts';
import { type Pattern, patternsCovering, type Topic } from '../../shared/protocol/topic.ts';
import { Audience } from './audience.ts';
import { Device } from './device.ts';
import type { LogBook } from './log-book.ts';
import type { PositionOf } from './mutants.ts';
import type { Publications } from './publications.ts';
import { Reader, type SubscribeAck } from './reader.ts';
import { SUBSCRIPTIONS_MAX } from './settings.ts';
import type { Socket, Tap } from './socket.ts';
import type { System } from './system.ts';
import type { World } from './world.ts';

/** Why the server may end a subscription. */
const REFUSALS = new Set(['forbidden', 'limit_exceeded']);
/** An answer that takes longer than this the SDK has given up on. */
const COMMAND_TIMEOUT_MS = 30_000;
/** The next connection has every subscription by then. */
const MOVING_MS = 60_000;

interface Live {
  readonly reader: Reader;
  readonly subscription: Subscription;
  /** The server may refuse it, for a good reason. */
  readonly mayBeRefused: boolean;
}
/** What an application keeps to go on from, in another process. */
interface Saved {
  readonly position: Position;
  /** What it had got by then. */
  readonly got: Position;
  /** See `Reader`. */
  readonly startedAt?: number;
}
interface SubscribeWish {
  readonly rewind?: Rewind;
  readonly saved?: Saved | undefined;
}
/** How likely its application does what with a message. */
interface Behaviour {
  readonly leaves: number;
  readonly throws: number;
  readonly waits: number;
}
interface Sent {
  readonly pattern: string;
  readonly atMs: number;
}

/** Somebody with an application on a device, who does this and that. */
export class Actor implements Tap {
  readonly name: string;
  readonly readers: Reader[] = [];
  readonly #world: World;
  readonly #system: System;
  readonly #book: LogBook;
  readonly #publications: Publications;
  readonly #positionOf: PositionOf;
  /** The newest that the socket has brought of each topic. */
  readonly #newest = new Map<string, Position>();
  #device: Device | undefined;
  #client: Client | undefined;
  readonly #live: Live[] = [];
  readonly #saved = new Map<Pattern, Saved>();
  readonly #connectionIds = new Set<string>();
  /** Messages that were sent to it, or its user, or everyone. */
  readonly #directs = new Set<string>();
  /** Messages that were sent to it while it was there and nothing could go wrong. */
  readonly #expected: {
    readonly client: Client | undefined;
    readonly messageId: string;
    readonly troubles: number;
  }[] = [];
  /** How often it has been anything but connected. */
  #troubles = 0;
  /** What its unordered subscriptions should bring, as long as it stays connected. */
  readonly #due: { readonly reader: Reader; readonly name: string; readonly troubles: number }[] = [];
  /** Subscribe commands without an answer, by socket and id. */
  readonly #sent = new Map<Socket, Map<string, Sent>>();

  constructor(
    name: string,
    world: World,
    system: System,
    book: LogBook,
    publications: Publications,
    positionOf: PositionOf,
  ) {
    this.name = name;
    this.#positionOf = positionOf;
    this.#world = world;
    this.#system = system;
    this.#book = book;
    this.#publications = publications;
  }

  get #hasTokens(): boolean {
    return this.#system.settings.authorization === 'required';
  }
  get isUp(): boolean {
    return this.#client !== undefined;
  }
  get isConnected(): boolean {
    return this.#client?.state === 'connected';
  }
  get receivedCount(): number {
    return this.readers.reduce((sum, { received }) => sum + received, 0);
  }

  start(): void {
    const { dice } = this.#world;
    this.#world.trace(this.name, 'starts');
    this.#device = new Device(this.#world, this.#system.gateway, this);
    this.#client = this.#system.rollout.clientCode().connectClient({
      ...this.#device.environment(dice.chance(0.5)),
      url: `wss://simulated/prod?userId=${this.name}`,
      ...(this.#hasTokens && { token: () => this.#system.tokens.issue(this.name) }),
      bufferMax: dice.pick([2, 1_000, 1_000]),
    });
    this.#troubles += 1;
    this.#client.on('state', ({ state }) => {
      if (state !== 'connected') this.#troubles += 1;
      if (state === 'closed' && this.isUp) this.stop(false);
    });
    this.#directs.clear();
    this.#client.on('message', ({ messageId }) => {
      if (this.#directs.has(messageId)) this.#world.violate(`${this.name} got ${messageId} twice`);
      this.#directs.add(messageId);
    });
    this.#client.on('error', ({ code, cause, message }) => {
      this.#world.trace(this.name, 'error', code, message);
      if (code === 'handler_failed' && !(cause instanceof Planned)) {
        this.#world.violate(`${this.name} has a handler that failed: ${(cause as Error).stack}`);
      }
    });
  }

  /** Closes the client as an application does, or the process ends in the middle of things. */
  stop(isOrderly: boolean): void {
    this.#world.trace(this.name, isOrderly ? 'closes' : 'vanishes');
    this.#endReaders();
    const client = this.#client;
    this.#client = undefined;
    if (isOrderly) client?.close();
    this.#device?.end();
    if (client) this.#publications.abandoned(client);
    this.#device = undefined;
  }

  setOnline(isOnline: boolean): void {
    this.#device?.setOnline(isOnline);
  }

  setClock(): void {
    this.#device?.setClock();
  }

  breakSockets(how: 'breaks' | 'goesSilent'): void {
    for (const socket of this.#device?.openSockets ?? []) socket[how]();
  }

  /** One subscription of a pattern at a time, unless it is known where another one begins. */
  subscribe(pattern: Pattern, { rewind, saved }: SubscribeWish = {}): void {
    if (!this.#client || (this.#liveOn(pattern).length > 0 && !saved)) return;
    const { settings } = this.#system;
    const namespace = namespaceOf(pattern, settings.namespaces);
    this.#world.trace(this.name, 'subscribes', pattern, JSON.stringify({ rewind, saved }));
    const reader = new Reader(this.#world, this.#book, {
      pattern,
      namespace,
      rewind,
      position: saved?.position,
      got: saved?.got,
      startedAt: saved?.startedAt,
      connectionIds: this.#connectionIds,
    });
    this.readers.push(reader);
    const isIterated = this.#world.dice.chance(0.15);
    const behaviour = this.#rollBehaviour();
    const subscription = this.#client.subscribe(pattern, {
      ...(rewind !== undefined && { rewind }),
      ...(saved && { position: saved.position }),
      ...(!isIterated && { onMessage: (message: Message) => this.#handle(live, message, behaviour) }),
      onRecovery: (recovery) => reader.recovered(recovery),
    });
    const isForbidden = !namespace.wildcards && pattern.endsWith('*');
    const mayBeRefused = this.#hasTokens || isForbidden || settings.subscriptionsMax < SUBSCRIPTIONS_MAX;
    const live: Live = { reader, subscription, mayBeRefused };
    this.#live.push(live);
    if (isIterated) void this.#iterate(live, behaviour);
  }

  unsubscribe(pattern: Pattern): void {
    const [live] = this.#liveOn(pattern);
    if (live) this.#leave(live);
  }

  /** Keeps where a subscription is, as an application does that wants to go on after a restart. */
  save(pattern: Pattern): void {
    const [live] = this.#liveOn(pattern);
    const saved = live && this.#whereIs(live);
    if (saved) this.#saved.set(pattern, saved);
  }

  /** Subscribes from where it was when it was saved, if it was. */
  resume(pattern: Pattern): void {
    this.subscribe(pattern, { saved: this.#saved.get(pattern) });
  }

  /** From a position that means nothing there. */
  subscribeAnyway(pattern: Pattern): void {
    const position = { epoch: 'none', offset: 1 };
    if (this.#liveOn(pattern).length === 0) this.subscribe(pattern, { saved: { position, got: position } });
  }

  /** Goes on with another token, on the same connection. */
  refresh(): void {
    if (this.#hasTokens) this.#client?.refresh().catch(() => {});
  }

  async askWhoAmI(): Promise<void> {
    const identity = await this.#client?.whoami().catch(() => undefined);
    if (!identity || !this.#client) return;
    if (!this.#connectionIds.has(identity.connectionId)) {
      this.#world.violate(`${this.name} is said to be ${identity.connectionId}`);
    }
  }

  /** Gives what does it again, with the same key, for as long as it has the same client. */
  publish(
    topic: Topic,
    options: PublishOptions,
    content = this.#publications.newContent(options.version),
  ): () => void {
    const client = this.#client;
    const publish = () => {
      if (!client || client !== this.#client) return;
      this.#world.trace(this.name, 'publishes', topic, content.n, JSON.stringify(options));
      const result = client.publish(topic, content, options);
      void this.#publications.published(client, topic, content, options, result);
    };
    publish();
    return publish;
  }

  /** To all connections of another one. */
  send(other: Actor): void {
    const data = this.#publications.newContent(undefined);
    const isThere = other.isConnected && this.#world.faults.isCalm;
    const client = other.#client;
    const troubles = other.#troubles;
    void this.#client?.send({ userId: other.name }, data).then(
      ({ messageId }) => {
        if (isThere && this.isUp) other.#expected.push({ client, messageId, troubles });
      },
      () => {},
    );
  }

  /** Reads a page of what a topic has kept. */
  async readHistory(topic: Topic): Promise<void> {
    const { dice } = this.#world;
    const namespace = namespaceOf(topic, this.#system.settings.namespaces);
    const connectionIds = this.#connectionIds;
    const audience = new Audience(this.#world, this.#book, { pattern: topic, namespace, connectionIds });
    const reverse = dice.chance(0.5);
    const options = { limit: dice.pick([1, 5, 100]), reverse };
    const page = await this.#client?.history(topic, options).catch(() => undefined);
    const wrong = page && audience.wrongIn(page, reverse);
    if (wrong !== undefined) this.#world.violate(`a page of ${topic} that ${this.name} read ${wrong}`);
  }

  /** A message is there for everybody who is subscribed now. */
  expectToGet(topic: Topic, messageId: string, except: readonly string[]): void {
    if (!this.isConnected || except.some((connectionId) => this.#connectionIds.has(connectionId))) return;
    for (const { reader, subscription } of patternsCovering(topic).flatMap((each) => this.#liveOn(each))) {
      if (reader.isOrdered || subscription.state !== 'subscribed') continue;
      this.#due.push({ reader, name: `${topic} ${messageId}`, troubles: this.#troubles });
    }
  }

  expectCaughtUp(): void {
    for (const { reader, name, troubles } of this.#due) {
      if (troubles === this.#troubles) reader.expectToHave(name);
    }
    for (const { client, messageId, troubles } of this.#expected) {
      if (client !== this.#client || this.#directs.has(messageId)) continue;
      // A revocation may close its connection at any time.
      if (this.#hasTokens && troubles !== this.#troubles) continue;
      this.#world.violate(`${this.name} was there and never got ${messageId}`);
    }
    for (const { reader, subscription, mayBeRefused } of this.#live) {
      const { state, error } = subscription;
      if (state === 'subscribed') reader.expectCaughtUp();
      else if (mayBeRefused && REFUSALS.has(String(error?.code))) continue;
      else this.#world.violate(`${this.name} is still ${state} to ${subscription.topic} (${error?.message})`);
    }
  }

  /** Its connections are known to have the subscriptions that it has, and no others. */
  expectRows(rows: ReadonlyMap<string, ReadonlySet<string>>): void {
    if (this.#hasTokens && this.#isMoving) return;
    const wanted = new Set(
      this.#live
        .filter(({ subscription }) => subscription.state === 'subscribed')
        .map(({ subscription }) => subscription.topic),
    );
    for (const { connection } of this.#device?.openSockets ?? []) {
      const known = rows.get(String(connection?.id)) ?? new Set<string>();
      const [extra] = known.difference(wanted);
      if (extra !== undefined) this.#world.violate(`${this.name} is subscribed to ${extra}, which it left`);
      // A token may just have ended, and its client is still to be told.
      if (this.#hasTokens) continue;
      const [missing] = wanted.difference(known);
      if (missing !== undefined) this.#world.violate(`${this.name} has no row for ${missing}`);
    }
  }

  /** To its next connection, because its token was about to end. */
  get #isMoving(): boolean {
    const sinceMs = this.#world.now() - MOVING_MS;
    return (
      this.#device?.openSockets.some(({ connection }) => Number(connection?.connectedAtMs) > sinceMs) ?? false
    );
  }

  opened(connectionId: string): void {
    this.#connectionIds.add(connectionId);
  }

  sent(socket: Socket, text: string): void {
    const { action, id, topic } = JSON.parse(text);
    if (action !== 'subscribe') return;
    const sent = this.#sent.get(socket) ?? new Map<string, Sent>();
    this.#sent.set(socket, sent);
    sent.set(id, { pattern: topic, atMs: this.#world.scheduler.nowMs });
  }

  received(socket: Socket, text: string): void {
    const frame = JSON.parse(text);
    this.#noteNewest(frame);
    if (frame.type === 'message' || frame.type === 'messages') this.#noteArrivals(frame);
    if (frame.type !== 'ack' || frame.action !== 'subscribe') return;
    const sent = this.#sent.get(socket)?.get(frame.id);
    if (!sent || this.#world.scheduler.nowMs - sent.atMs >= COMMAND_TIMEOUT_MS) return;
    for (const { reader } of this.#liveOn(sent.pattern as Pattern)) {
      if (reader.createdAtMs <= sent.atMs) reader.subscribed(frame);
    }
  }

  #noteArrivals(frame: MessageFrame | MessagesFrame): void {
    for (const { topic, ...message } of messagesIn(frame)) {
      if (topic === undefined || !('messageId' in message)) continue;
      for (const pattern of patternsCovering(topic)) {
        for (const { reader } of this.#liveOn(pattern)) reader.arrived(topic, message.messageId);
      }
    }
  }

  #noteNewest({ topic, epoch, offset, messages = [] }: SubscribeAck): void {
    const newest = messages.at(-1)?.offset ?? offset;
    if (topic !== undefined && epoch !== undefined && newest !== undefined) {
      this.#newest.set(topic, { epoch, offset: newest });
    }
  }

  #handle(live: Live, message: Message, behaviour: Behaviour): Promise<void> | undefined {
    const { dice } = this.#world;
    live.reader.got(message);
    if (dice.chance(behaviour.leaves)) this.#leaveAndReturn(live);
    if (dice.chance(behaviour.throws)) throw new Planned('the application failed, as planned');
    if (dice.chance(behaviour.waits)) return this.#wait(dice.scale(1, 2_000));
    return undefined;
  }

  /** In a loop, which it leaves now and then to come back later. */
  async #iterate(live: Live, behaviour: Behaviour): Promise<void> {
    const { dice } = this.#world;
    try {
      for await (const message of live.subscription) {
        live.reader.got(message);
        if (dice.chance(behaviour.waits)) await this.#wait(dice.scale(1, 2_000));
        if (dice.chance(behaviour.leaves)) break;
      }
    } catch (error) {
      this.#world.trace(this.name, 'iterates no more', (error as { code?: string }).code);
      return;
    }
    const { pattern } = live.reader.options;
    const saved = this.#leave(live);
    if (saved) this.#world.after(dice.scale(1, 10_000), () => this.subscribe(pattern, { saved }));
  }

  /** Within a handler: what is left of the batch must not be lost, nor come twice. */
  #leaveAndReturn(live: Live): void {
    const { dice } = this.#world;
    const { pattern } = live.reader.options;
    const saved = this.#leave(live);
    if (!saved) return;
    if (dice.chance(0.5)) this.subscribe(pattern, { saved });
    else this.#world.after(dice.scale(1, 10_000), () => this.subscribe(pattern, { saved }));
  }

  /** Answers with where to go on. */
  #leave(live: Live): Saved | undefined {
    const at = this.#live.indexOf(live);
    if (at < 0) return undefined;
    this.#world.trace(this.name, 'unsubscribes', live.subscription.topic);
    this.#live.splice(at, 1);
    live.subscription.unsubscribe();
    live.reader.ended();
    return this.#whereIs(live);
  }

  #whereIs(live: Live): Saved | undefined {
    const position = this.#position(live);
    const got = live.reader.cursor;
    if (!position || !got) return undefined;
    live.reader.expectPosition(position);
    // What the application is not done with comes again.
    const isBehind = position.epoch !== got.epoch || position.offset < got.offset;
    return { position, got: isBehind ? position : got, startedAt: live.reader.startedAt };
  }

  /** Subscriptions to the pattern that the server has not refused. */
  #liveOn(pattern: Pattern): Live[] {
    return this.#live.filter(
      ({ reader, subscription }) =>
        reader.options.pattern === pattern && subscription.state !== 'unsubscribed',
    );
  }

  #rollBehaviour(): Behaviour {
    const { dice } = this.#world;
    return {
      leaves: dice.chance(0.2) ? 0.1 : 0,
      throws: dice.chance(0.1) ? 0.1 : 0,
      waits: dice.chance(0.2) ? 0.5 : 0,
    };
  }

  #wait(ms: number): Promise<void> {
    const device = this.#device;
    return new Promise((resolve) => {
      this.#world.after(ms, () => {
        if (device?.isAlive) resolve();
      });
    });
  }

  #position({ subscription }: Live): Position | undefined {
    return this.#positionOf(subscription, this.#newest.get(subscription.topic));
  }

  #endReaders(): void {
    for (const { reader } of this.#live.splice(0)) reader.ended();
  }
}

/** What an application throws on purpose. */
class Planned extends Error {}
