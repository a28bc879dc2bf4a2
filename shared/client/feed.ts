import type { LogPage } from '../protocol/acks.ts';
import { type Position, REPLAY_MAX, type Rewind } from '../protocol/frames.ts';
import { FanwireError } from './errors.ts';
import { askGrant, type Grant } from './grant.ts';
import { isString } from './guards.ts';
import { type Consumer, Inbox, type Recovery } from './inbox.ts';
import { type Lease, leaseOf } from './lease.ts';
import type { LiveMessage, Message, PlacedMessage } from './message.ts';
import { Reading, type ReadingDeps } from './reading.ts';
import { Recent } from './recent.ts';
import type { Session } from './session.ts';
import { isSame, Stream } from './stream.ts';
import { Timers } from './timers.ts';
import { type Ack, writeCommand } from './write.ts';

/** Entries that came before what is missing below them. What finds no room is read from history later. */
const HELD_MAX = 1000;

export type SubscriptionState = 'subscribing' | 'subscribed' | 'unsubscribed';

interface FeedOptions extends Consumer {
  readonly rewind?: Rewind | undefined;
  readonly position?: Position | undefined;
  readonly grant?: Grant | undefined;
}

interface FeedHooks extends Omit<ReadingDeps, 'timers' | 'entriesMax' | 'grant'> {
  readonly onError: (error: FanwireError) => void;
  /** The server will not have this subscription. */
  readonly onRefused: (error: FanwireError) => void;
  /** Its loop is to end with this error. */
  readonly onLost: (error: FanwireError) => void;
}

/** One subscription's talk with the server: subscribes, again after every drop, and has gaps filled. */
export class Feed {
  readonly topic: string;
  readonly inbox: Inbox;
  readonly ready: Promise<void>;
  #resolveReady = () => {};
  #rejectReady = (_: FanwireError) => {};
  readonly #isPattern: boolean;
  readonly #options: FeedOptions;
  readonly #hooks: FeedHooks;
  readonly #timers: Timers;
  /** Messages that have no position, or one that means nothing here because the topic is a pattern. */
  readonly #recent: Recent;
  #stream = new Stream<PlacedMessage>(HELD_MAX);
  #state: SubscriptionState = 'subscribing';
  #error: FanwireError | undefined;
  #wasSubscribed = false;
  /** The application is to hear with the next answer whether anything was missed. */
  #owesReport: boolean;
  #reading: Reading | undefined;
  #cancelWatch: (() => void) | undefined;
  /** Repairs in a row that found nothing: what is missing has not been decided yet. */
  #fruitless = 0;
  /** Messages were left out because the application had too many before it. */
  #isStalled = false;
  /** How often the heartbeat has looked since something came, or the server was asked. */
  #quietChecks = 0;
  /** The heartbeat has asked whether this is the newest position, and nothing has come since. */
  #asked: Position | undefined;
  /** What the server has last taken, and for how long it is good. */
  #grant: string | undefined;
  #lease: Lease | undefined;
  readonly #renewal: Timers;

  constructor(topic: string, options: FeedOptions, hooks: FeedHooks) {
    this.topic = topic;
    this.#isPattern = topic.endsWith('*');
    this.#options = options;
    this.#hooks = hooks;
    this.#timers = new Timers(hooks.settings);
    this.#renewal = new Timers(hooks.settings);
    this.#recent = new Recent(hooks.settings.elapsedMs);
    this.#owesReport = options.position !== undefined;
    this.inbox = new Inbox(options, hooks.settings.bufferMax, {
      onError: hooks.onError,
      onEmpty: () => this.#resume(),
      onLoss: (recovery) => hooks.onError(lossOf(topic, recovery)),
      onBreak: (recovery) => hooks.onLost(lossOf(topic, recovery)),
    });
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // An application that does not use it must not get an unhandled rejection: a refusal is reported as an error, too.
    this.ready.catch(() => {});
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  get error(): FanwireError | undefined {
    return this.#error;
  }

  get position(): Position | undefined {
    const { pending } = this.inbox;
    return pending ? pending.before : (this.#stream.position ?? this.#options.position);
  }

  /** By the server's word, and then each message of it has a position. Of what a pattern covers it says nothing. */
  get keepsHistory(): boolean {
    return this.#stream.position !== undefined;
  }

  get hasGrant(): boolean {
    return this.#options.grant !== undefined;
  }

  get #hasEnded(): boolean {
    return this.#state === 'unsubscribed';
  }

  /** Subscribes on this connection: the first one, the one after a drop, or one beside that will take over. */
  join(session: Session): void {
    this.#subscribe(session, false);
  }

  /** Subscribes again where it is subscribed, so that it lasts longer. */
  renew(session: Session): void {
    if (this.#state === 'subscribed') this.#subscribe(session, true);
  }

  #subscribe({ topicOrder }: Session, isRenewal: boolean): void {
    const { topic } = this;
    let from: Position | undefined;
    let isLive = false;
    let grant: string | undefined;
    const command = (text?: string) => {
      if (this.#hasEnded) return undefined;
      grant = text;
      const isLate = this.#lease !== undefined && this.#lease.leftMs() <= 0;
      if (isLate && isString(this.#options.grant)) {
        // Whatever the server would say to it: there is no other to come.
        this.#hooks.onRefused(new FanwireError('expired', ENDED));
        return undefined;
      }
      isLive = isRenewal && !isLate;
      // It goes on meanwhile, so that what the answer says of the log is of no use.
      if (isLive) return writeCommand('subscribe', { topic, grant });
      // It has ended meanwhile, without a word.
      if (isRenewal) this.suspend();
      from = this.#stream.position ?? this.#options.position;
      const rewind = from || this.#wasSubscribed ? undefined : this.#options.rewind;
      return writeCommand('subscribe', { topic, position: from, rewind, grant });
    };
    topicOrder.add(topic, {
      command: () => {
        const given = this.#hasEnded ? undefined : this.#options.grant;
        const text = given && askGrant(given, this.#hooks.settings);
        return text instanceof Promise ? text.then(command) : command(text);
      },
      onAck: (ack) => {
        if (!isLive) this.#joined(from, ack);
        if (grant !== undefined) this.#granted(grant, ack.expiresAt);
      },
      onRefused: this.#hooks.onRefused,
    });
  }

  #granted(grant: string, expiresAt: string | undefined): void {
    if (this.#hasEnded) return;
    this.#grant = grant;
    this.#lease = leaseOf(grant, this.#hooks.settings, this.#lease, expiresAt);
    this.#renewal.clear();
    const lease = this.#lease;
    if (!lease) return;
    // Not before its end, if that is the end of the subscription.
    const inMs = isString(this.#options.grant) ? Math.max(lease.leftMs(), 0) + 1 : lease.renewInMs();
    this.#renewal.after(inMs, () => {
      const session = this.#hooks.session();
      if (session) this.#subscribe(session, true);
    });
  }

  /** The connection is gone. */
  suspend(): void {
    this.#renewal.clear();
    this.#stopRepairs();
    this.#owesReport ||= this.#wasSubscribed;
    this.#state = 'subscribing';
  }

  receive(message: LiveMessage): void {
    if (this.#hasEnded) return;
    if (!hasPosition(message) || this.#isPattern) {
      if (!message.skipped && this.#isNew(message)) this.inbox.offer(message);
      return;
    }
    this.#quietChecks = 0;
    this.#asked = undefined;
    if (this.inbox.isFull) {
      this.#isStalled = true;
      this.#stream.saw(message);
    } else {
      this.inbox.push(this.#stream.add(message));
      this.#watchGap();
    }
  }

  /** A message to several topics may have one id for all of them. */
  #isNew(message: Message): boolean {
    const { topic, messageId, publishedAt, epoch, offset } = message;
    if (epoch !== undefined) return this.#recent.add(`${topic} ${epoch} ${offset}`);
    return this.#recent.add(`${topic} ${messageId}`, publishedAt);
  }

  /** The server says that the log ends there. */
  endsAt(newest: Position): void {
    if (isSame(newest, this.#asked)) this.#stream.endAt(newest);
    this.#asked = undefined;
    this.#stream.saw(newest);
    this.#watchGap();
  }

  /** For the heartbeat: where it stands, if it was quiet for a whole period between two checks. */
  quietPosition(): Position | undefined {
    if (++this.#quietChecks < 2 || this.#state !== 'subscribed' || this.#reading) return undefined;
    this.#quietChecks = 0;
    this.#asked = this.#stream.position;
    return this.#asked;
  }

  end(error?: FanwireError): void {
    if (this.#hasEnded) return;
    this.#state = 'unsubscribed';
    this.#error = error;
    this.#renewal.clear();
    this.#stopRepairs();
    this.inbox.end(error);
    this.#rejectReady(error ?? new FanwireError('closed', 'unsubscribed before the server had answered'));
  }

  #joined(from: Position | undefined, ack: Ack<'subscribe'>): void {
    if (this.#hasEnded) return;
    if (ack.epoch === undefined) this.#joinedLive(from);
    else if (ack.recovered !== false) this.#read(from, ack, REPLAY_MAX);
    // The newest is the one that came last: whatever the server may not say, nothing was missed.
    else if (from && isSame(from, ack)) this.#read(from, from, REPLAY_MAX);
    else this.#lost(from, ack, ack.reason);
  }

  /** A pattern, or a topic without history: what was missed is gone. */
  #joinedLive(from: Position | undefined): void {
    if (this.#stream.position) this.#stream = new Stream(HELD_MAX);
    this.#subscribed();
    this.#give([], { recovered: false, reason: 'no_history', ...(from && { from }) });
  }

  #read(from: Position | undefined, first: LogPage, entriesMax: number): void {
    this.#stopRepairs();
    const reading = new Reading(
      this.topic,
      { ...this.#hooks, timers: this.#timers, entriesMax, grant: () => this.#grant },
      {
        onRead: (to, entries, isCut) => this.#recovered(from, to, entries, isCut),
        onLost: (page) => this.#lost(from, page, page.reason),
        // What comes live may be had all the same.
        onRefused: (after, { code }) => this.#lost(from, this.#stream.beyondGap ?? after, code),
      },
    );
    this.#reading = reading;
    reading.take(first);
  }

  #recovered(
    asked: Position | undefined,
    to: Position,
    entries: readonly PlacedMessage[],
    isCut: boolean,
  ): void {
    // Live messages may have taken it further than where it was asked from.
    const from = this.#stream.position ?? asked;
    const ready = this.#stream.cover(asked, to, entries);
    if (!isSame(from, this.#stream.position)) this.#fruitless = 0;
    this.#isStalled ||= isCut;
    if (isCut) this.#stream.saw({ epoch: to.epoch, offset: to.offset + 1 });
    this.#subscribed();
    const now = this.#stream.position ?? to;
    this.#give(
      ready,
      from ? { recovered: true, from, to: now } : { recovered: false, reason: 'no_history', to },
    );
  }

  #lost(asked: Position | undefined, { epoch, offset }: Position, reason: Recovery['reason']): void {
    const to = { epoch, offset };
    const from = this.#stream.position ?? asked;
    const ready = this.#stream.lose(asked, to);
    this.#subscribed();
    if (ready) {
      this.#owesReport = true;
      this.#give(ready, { recovered: false, ...(reason && { reason }), ...(from && { from }), to });
    } else if (from && !this.#stream.gap) {
      this.#give([], { recovered: true, from, to: from });
    } else {
      this.#watchGap();
    }
  }

  #subscribed(): void {
    this.#stopRepairs();
    this.#state = 'subscribed';
    this.#wasSubscribed = true;
    this.#resolveReady();
  }

  #give(ready: readonly PlacedMessage[], recovery: Recovery): void {
    const isOwed = this.#owesReport;
    this.#owesReport = false;
    this.inbox.push(ready, isOwed ? recovery : undefined);
    this.#watchGap();
  }

  /** What is missing may still be on its way. If it does not come, it is asked for. */
  #watchGap(): void {
    // Not before the server has said that the position still holds.
    const begun = this.#state === 'subscribed' ? this.#stream.begin() : [];
    if (begun.length > 0) this.inbox.push(begun);
    if (!this.#stream.gap) this.#fruitless = 0;
    if (!this.#mayRepair) {
      this.#cancelWatch?.();
      this.#cancelWatch = undefined;
      return;
    }
    if (this.#cancelWatch) return;
    const { gapMs, backoffMsMax } = this.#hooks.settings;
    const { position } = this.#stream;
    this.#cancelWatch = this.#timers.after(
      Math.max(gapMs, Math.min(gapMs * 2 ** this.#fruitless, backoffMsMax)),
      () => {
        this.#cancelWatch = undefined;
        if (isSame(position, this.#stream.position)) this.#repair();
        else this.#watchGap();
      },
    );
  }

  get #mayRepair(): boolean {
    return this.#state === 'subscribed' && this.#stream.gap && !this.#reading && !this.inbox.isFull;
  }

  #repair(): void {
    const { position } = this.#stream;
    if (!position || !this.#mayRepair) return;
    this.#fruitless++;
    const nothingYet: LogPage = { ...position, more: true };
    this.#read(position, nothingYet, this.#hooks.settings.bufferMax);
  }

  /** The application has caught up. */
  #resume(): void {
    const wasStalled = this.#isStalled;
    this.#isStalled = false;
    if (wasStalled) this.#repair();
    this.#watchGap();
  }

  #stopRepairs(): void {
    this.#timers.clear();
    this.#cancelWatch = undefined;
    this.#reading?.stop();
    this.#reading = undefined;
  }
}

const ENDED = 'expected a grant that lasts, or a function that gives the next, got one that has ended';

/** For an application that gave no `onRecovery`. */
const lossOf = (topic: string, recovery: Recovery): FanwireError =>
  new FanwireError(
    'lost',
    `expected every message of ${topic}, but what was missed cannot be had (${recovery.reason}); onRecovery can be told of it`,
    { cause: recovery },
  );

const hasPosition = (message: LiveMessage): message is LiveMessage & Position => message.epoch !== undefined;
