import type { MessageFrame, MessagesFrame, ServerFrame } from '../protocol/acks.ts';
import type { Position, Recipient, Rewind, TopicPosition } from '../protocol/frames.ts';
import { patternsCovering, type Topic } from '../protocol/topic.ts';
import { expectEvent, expectHistory, expectPublish, expectSend, expectSubscribe } from './arguments.ts';
import { Connector, type State, type StateChange } from './connector.ts';
import { Emitter } from './emitter.ts';
import { FanwireError } from './errors.ts';
import { Feed } from './feed.ts';
import { askGrant, type Grant } from './grant.ts';
import type { Consumer } from './inbox.ts';
import { type Message, messagesOf, placedIn } from './message.ts';
import type { Settings } from './options.ts';
import { Outbox, type Published, type PublishOptions, type Stored } from './outbox.ts';
import { Recent } from './recent.ts';
import type { Refreshed } from './renewal.ts';
import { Requests } from './requests.ts';
import type { Session } from './session.ts';
import { Subscription } from './subscription.ts';
import { type Ack, type Fields, type SentAction, wireAge, writeCommand } from './write.ts';

export interface Events {
  readonly state: StateChange;
  /** Sent to this connection, its user or everyone: it has no topic. */
  readonly message: Message;
  /** Errors that reject no promise, and what the application's handlers threw. Without a handler they are logged. */
  readonly error: FanwireError;
}

export interface SubscribeOptions<T = unknown> extends Consumer<T> {
  /** So many of the newest messages, or those of the last so many seconds, come first. Not with `position`. */
  readonly rewind?: Rewind;
  /** Everything after this position comes first, or `onRecovery` says why not. */
  readonly position?: Position;
  /**
   * The right to this topic, which the application's back end has given. A function is asked before every subscribe, and
   * before its last grant ends; with a text the subscription ends when that does.
   */
  readonly grant?: Grant;
}

export interface HistoryOptions {
  /** Forward from here. */
  readonly after?: Position;
  /** In reverse from below this offset. */
  readonly before?: number;
  /** 1 to 100; 50 unless given. */
  readonly limit?: number;
  readonly reverse?: boolean;
  /** As in `subscribe`. */
  readonly grant?: Grant;
}

export interface HistoryPage<T = unknown> extends Position {
  readonly messages: readonly Message<T>[];
  /** Go on `after` this page's position, or in reverse `before` its offset. */
  readonly more: boolean;
  /** With `after`: whether everything after it is still there. If not, `messages` is empty. */
  readonly recovered?: boolean;
  readonly reason?: string;
}

export interface Identity {
  readonly connectionId: string;
  readonly userId?: string;
  /** Where to post to this connection. */
  readonly endpoint: string;
}

/** See `connect`. */
export class Client {
  readonly #settings: Settings;
  readonly #connector: Connector;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #events = new Emitter<Events>();
  /** By topic or pattern. There are no empty sets. */
  readonly #feeds = new Map<string, Set<Feed>>();
  /** During a rollover a message to the user comes on both connections. */
  readonly #recentDirect: Recent;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#recentDirect = new Recent(settings.elapsedMs);
    this.#outbox = new Outbox(settings, this.#session);
    this.#requests = new Requests(settings, this.#session);
    this.#connector = new Connector(settings, {
      onState: (change) => this.#onState(change),
      onFrame: (frame) => this.#onFrame(frame),
      onError: this.#events.report,
      onRollover: (next) => this.#join(next),
      onNewest: (positions) => this.#onNewest(positions),
      quietPositions: () => this.#quietPositions(),
    });
    this.#connector.start();
  }

  get state(): State {
    return this.#connector.state;
  }

  /** Why it is `disconnected` or `closed`. */
  get reason(): FanwireError | undefined {
    return this.#connector.reason;
  }

  /** Gives a function that takes the handler off again. */
  on<E extends keyof Events>(event: E, handler: (argument: Events[E]) => unknown): () => void {
    expectEvent(event, handler);
    return this.#events.on(event, handler);
  }

  /**
   * Subscribes to a topic, or with `/*` at its end to everything below it, until `unsubscribe`, across all drops. On
   * topics with history each message comes once and in order. Subscriptions to the same topic know nothing of each
   * other: each has its own position and replay.
   *
   * @example
   * const lobby = client.subscribe('chat/lobby', { rewind: 10, onMessage: ({ data }) => show(data) });
   */
  subscribe<T = unknown>(topic: string, options: SubscribeOptions<T> = {}): Subscription<T> {
    const given = expectSubscribe(topic, options as SubscribeOptions);
    const feedOptions = { ...given, position: bare(given.position) };
    const feed = new Feed(topic, feedOptions, {
      settings: this.#settings,
      session: this.#session,
      onError: this.#events.report,
      onRefused: (error) => {
        feed.end(error);
        // The server may have it all the same: an earlier answer was lost, or another subscription was there and has left.
        this.#leave(feed);
        this.#events.report(error);
      },
      onLost: (error) => {
        feed.end(error);
        this.#leave(feed);
      },
    });
    if (this.state === 'closed') {
      feed.end(this.reason);
    } else {
      this.#add(feed);
      for (const session of this.#connector.sessions) feed.join(session);
    }
    return new Subscription<T>(feed, () => this.#leave(feed));
  }

  /**
   * Resolves once the message is on the bus, from where it is not lost on its way to those who are connected; on a topic
   * that keeps history it is stored by then, and what is published after that comes after it. Waits for a connection,
   * and tries again after a drop.
   */
  publish(topic: string, data: unknown, options: PublishOptions & { readonly stored: true }): Promise<Stored>;
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<Published>;
  async publish(topic: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    const given = expectPublish(topic, options);
    this.#expectOpen();
    return this.#outbox.publish(topic, data, given);
  }

  /** To every connection of a user, or to one connection. Not tried again: it has no key that would keep it one message. */
  async send(to: Recipient, data: unknown, options: Pick<PublishOptions, 'maxAge'> = {}): Promise<Published> {
    const { maxAge = Infinity } = expectSend(to, options);
    const { messageId } = await this.#request('send', { to, data, maxAge: wireAge(maxAge) });
    return { messageId };
  }

  /** A page of what the topic has had. */
  async history<T = unknown>(topic: string, options: HistoryOptions = {}): Promise<HistoryPage<T>> {
    const { grant: given, ...rest } = expectHistory(topic, options);
    const grant = given && (await askGrant(given, this.#settings));
    const page = await this.#request('history', { topic, ...rest, after: bare(rest.after), grant });
    const { epoch, offset, more = false, recovered, reason } = page;
    return {
      // That the data is a T is the application's word.
      messages: placedIn(topic, page) as Message<T>[],
      epoch,
      offset,
      more,
      ...(recovered !== undefined && { recovered }),
      ...(reason && { reason }),
    };
  }

  async whoami(): Promise<Identity> {
    const { connectionId, userId, endpoint } = await this.#request('whoami', {});
    return {
      connectionId,
      endpoint,
      ...(userId !== undefined && { userId }),
    };
  }

  /**
   * Gives the live connection a fresh token, because the user has other rights now. The client does so by itself before a
   * token ends. Without a connection there is nothing to do: the next one asks for a token anyway.
   */
  async refresh(): Promise<Refreshed> {
    this.#expectOpen();
    return this.#connector.refresh();
  }

  /** For good. Everything that still waits is rejected, and every subscription ends. */
  close(): void {
    this.#connector.close(new FanwireError('closed', 'the client was closed'));
  }

  readonly #session = (): Session | undefined => this.#connector.session;

  #onState(change: StateChange): void {
    const { state, reason } = change;
    if (state === 'connected') this.#resume();
    if (state === 'disconnected') this.#suspend();
    if (state === 'closed' && reason) this.#end(reason);
    this.#events.emit('state', change);
    // An application that does not listen to states must hear that nothing will come any more.
    if (state === 'closed' && reason && reason.code !== 'closed') this.#events.report(reason);
  }

  #resume(): void {
    const session = this.#session();
    if (session) this.#join(session);
    this.#outbox.pump();
    this.#requests.flush();
  }

  #suspend(): void {
    for (const feed of this.#allFeeds()) feed.suspend();
  }

  #end(reason: FanwireError): void {
    this.#outbox.close(reason);
    this.#requests.close(reason);
    const feeds = this.#allFeeds();
    this.#feeds.clear();
    for (const feed of feeds) feed.end(reason.code === 'closed' ? undefined : reason);
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'message':
      case 'messages':
        this.#onMessages(frame);
        break;
      case undefined:
        // From API Gateway. Whose answer it is will be known when that one is late.
        this.#events.report(new FanwireError('internal', frame.message, { cause: frame }));
    }
  }

  #onMessages(frame: MessageFrame | MessagesFrame): void {
    const { topic, epoch } = frame;
    if (topic && epoch === undefined && this.#feedsCovering(topic).some((feed) => feed.keepsHistory)) {
      const expected = `expected a position of a message of ${topic}, got none`;
      this.#events.report(new FanwireError('bad_frame', expected, { cause: frame }));
      return;
    }
    for (const message of messagesOf(frame)) {
      if (message.topic !== undefined) {
        for (const feed of this.#feedsCovering(message.topic)) feed.receive(message);
      } else if (!message.skipped && this.#recentDirect.add(message.messageId, message.publishedAt)) {
        this.#events.emit('message', message);
      }
    }
  }

  /** The server sends a message once to a connection, however many of its subscriptions cover the topic. */
  #feedsCovering(topic: Topic): Feed[] {
    return patternsCovering(topic).flatMap((pattern) => [...(this.#feeds.get(pattern) ?? [])]);
  }

  #allFeeds(): Feed[] {
    return [...this.#feeds.values()].flatMap((feeds) => [...feeds]);
  }

  #join(session: Session): void {
    for (const feed of this.#allFeeds()) feed.join(session);
  }

  #add(feed: Feed): void {
    const feeds = this.#feeds.get(feed.topic) ?? new Set();
    this.#feeds.set(feed.topic, feeds.add(feed));
  }

  /** Whether it was the topic's last. */
  #remove(feed: Feed): boolean {
    const feeds = this.#feeds.get(feed.topic);
    if (!feeds?.delete(feed) || feeds.size > 0) return false;
    return this.#feeds.delete(feed.topic);
  }

  #leave(feed: Feed): void {
    const { topic } = feed;
    if (!this.#remove(feed)) {
      if (feed.hasGrant) this.#renew(topic);
      return;
    }
    for (const { topicOrder } of this.#connector.sessions) {
      topicOrder.add(topic, {
        command: () => (this.#feeds.has(topic) ? undefined : writeCommand('unsubscribe', { topic })),
        onAck: () => {},
        onRefused: this.#events.report,
      });
    }
  }

  /** What the server has of the topic lasts as long as the grant of one that has ended. The others have their own right. */
  #renew(topic: string): void {
    for (const feed of this.#feeds.get(topic) ?? []) {
      for (const session of this.#connector.sessions) feed.renew(session);
    }
  }

  /** The lowest of each epoch of a topic. */
  #quietPositions(): TopicPosition[] {
    const positions = new Map<string, TopicPosition>();
    for (const feed of this.#allFeeds()) {
      const position = feed.quietPosition();
      if (!position) continue;
      const log = `${feed.topic} ${position.epoch}`;
      const known = positions.get(log);
      if (known && known.offset <= position.offset) continue;
      positions.set(log, { topic: feed.topic, ...position });
    }
    return [...positions.values()];
  }

  #onNewest(positions: readonly TopicPosition[]): void {
    const newest = new Map(positions.map((position) => [position.topic, position]));
    for (const { topic, epoch, offset } of newest.values()) {
      for (const feed of this.#feeds.get(topic) ?? []) feed.endsAt({ epoch, offset });
    }
  }

  #request<A extends SentAction>(action: A, fields: Fields<A>): Promise<Ack<A>> {
    this.#expectOpen();
    return this.#requests.send(action, fields);
  }

  #expectOpen(): void {
    if (this.state === 'closed') throw this.reason;
  }
}

/** A page of history is a position, too, but the server takes no more than that. */
const bare = (position: Position | undefined): Position | undefined =>
  position && { epoch: position.epoch, offset: position.offset };
