import type { Code } from '../simulation/code.ts';
import { Dice } from '../simulation/dice.ts';
import { PATTERNS, TOPICS, USERS, type User } from './cast.ts';
import { anonymousAt, headersWith, type Issued, issue, TOLERANCE_MS } from './issuers.ts';
import { allows, brings, GRACE_MS, isRevoked, type Revocation, type Token } from './model.ts';
import { type Connection, type Frame, System } from './system.ts';

const START_MS = Date.UTC(2026, 10, 20);
const STEPS = [10, 40] as const;
const CONNECTIONS_MAX = 6;
/** A connection whose token is over is closed by then. */
const END_MS = 60_000;
const LOGS = TOPICS.filter((topic) => topic.startsWith('log/'));

interface Moment {
  readonly ms: number;
  readonly step: number;
}

interface Counting {
  readonly token: Token;
  /** The step in which another one took its place. */
  untilStep: number;
}

/** Somebody's connection, and what its client knows of it. */
interface Held {
  readonly connection: Connection;
  readonly user: User | undefined;
  /** What it was opened with, and what it was given since, each for as long as it counts. */
  readonly tokens: Counting[];
  /** What it was given for one subscription each: it could subscribe with it again. */
  readonly grants: { readonly pattern: string; readonly token: Token }[];
  readonly issued: Issued | undefined;
  /** Patterns that it has ever asked for. */
  readonly asked: Set<string>;
  /** Acknowledged subscriptions, and until when they have to bring everything. */
  readonly subscriptions: Map<string, number>;
}

export interface Report {
  readonly seed: number;
  readonly violation?: string;
  readonly steps: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** One sequence of what clients, back ends and time do; the same for the same seed. */
export async function runSequence(seed: number, code: Code): Promise<Report> {
  const sequence = new Sequence(seed, code);
  await sequence.run().catch((error: Error) => sequence.violate(`it threw: ${error.stack}`));
  const { violation, steps, counts } = sequence;
  return { seed, ...(violation !== undefined && { violation }), steps, counts };
}

class Sequence {
  violation: string | undefined;
  readonly steps: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #dice: Dice;
  readonly #system: System;
  readonly #held = new Map<string, Held>();
  readonly #revocations: Revocation[] = [];
  /** Whose frames have brought which message of the last publish. */
  #got = new Set<string>();
  #stepsDone = 0;
  /** When messages were published, by what they say. */
  readonly #published = new Map<unknown, Moment>();
  /** Patterns that a command was about, since somebody last asked. */
  readonly #touched = new Set<string>();

  constructor(seed: number, code: Code) {
    this.#dice = new Dice(seed);
    this.#system = new System(code, this.#dice.fork(), START_MS + this.#dice.integer(0, 999_999));
    this.#system.onFrame = (connection, frame) => this.#received(connection, frame);
  }

  violate(what: string): void {
    this.violation ??= what;
    this.#note('VIOLATION', what);
  }

  async run(): Promise<void> {
    await this.#publishTo(TOPICS);
    for (let left = this.#dice.integer(...STEPS); left > 0 && this.violation === undefined; left--) {
      await this.#step();
      await this.#system.advance();
      this.#stepsDone += 1;
    }
    await this.#publishTo(TOPICS);
  }

  async #step(): Promise<void> {
    const held = this.#open.length > 0 ? this.#dice.pick(this.#open) : undefined;
    if (!held) return void (await this.#connect());
    const step = this.#dice.weighted({
      connect: this.#open.length < CONNECTIONS_MAX ? 0.12 : 0,
      command: 0.32,
      renew: 0.06,
      together: 0.08,
      rollOver: 0.06,
      leave: 0.03,
      pass: 0.16,
      publish: 0.2,
      send: 0.03,
      revoke: 0.03,
      race: 0.02,
    });
    const perform: Readonly<Record<NonNullable<typeof step>, () => Promise<unknown>>> = {
      connect: () => this.#connect(),
      command: () => this.#command(held),
      renew: () => this.#renew(held),
      together: () => this.#together(held),
      rollOver: () => this.#rollOver(held),
      leave: () => this.#leave(held),
      pass: () => this.#pass(),
      publish: () => this.#publishTo(this.#rollTopics()),
      send: () => this.#send(held),
      revoke: () => this.#revoke(held),
      race: () => this.#race(held),
    };
    if (step) await perform[step]();
  }

  get #open(): Held[] {
    return [...this.#held.values()].filter(({ connection }) => connection.isOpen);
  }

  async #connect(as?: Held): Promise<Held | undefined> {
    const dice = this.#dice;
    const { nowMs } = this.#system;
    const user = as ? as.user : dice.chance(0.1) ? undefined : dice.pick(USERS);
    const isSameToken = as?.issued && dice.chance(0.3);
    const issued = isSameToken ? as.issued : user && (await issue(dice, user, nowMs));
    const token = issued ? issued.token : anonymousAt(nowMs);
    const isBad = !token || this.#isOver(token, TOLERANCE_MS) || this.#isRevoked(token);
    const connection = await this.#system.connect(issued ? headersWith(dice, issued.text) : {});
    this.#note('connect', user?.name, JSON.stringify(token), connection?.id);
    if (!connection) {
      const isGood = token && !this.#isOver(token, 0) && !this.#isRevoked(token);
      if (isGood) this.violate('a good token was refused');
      return undefined;
    }
    if (isBad) {
      this.violate('a bad token was taken');
      return undefined;
    }
    const held = {
      connection,
      user,
      issued,
      tokens: [{ token, untilStep: Infinity }],
      grants: [],
      asked: new Set<string>(),
      subscriptions: new Map(),
    };
    this.#held.set(connection.id, held);
    return held;
  }

  /** The client goes over to its next connection, and takes its subscriptions along. */
  async #rollOver(held: Held): Promise<void> {
    const next = await this.#connect(held);
    if (!next) return;
    for (const pattern of held.subscriptions.keys()) await this.#subscribe(next, pattern);
    if (this.#dice.chance(0.7)) await this.#leave(held);
  }

  async #leave(held: Held): Promise<void> {
    this.#note('leave', held.connection.id);
    await this.#system.disconnect(held.connection, this.#dice.chance(0.8));
  }

  /** Often to a moment at which something ends. */
  async #pass(): Promise<void> {
    const dice = this.#dice;
    const { nowMs } = this.#system;
    const ends = this.#open.flatMap((held) => everythingOf(held).map(({ endsAtMs }) => endsAtMs));
    const edge = dice.pick(ends) + dice.pick([0, GRACE_MS]) + dice.pick([-1_000, -1, 0, 1, 1_000]);
    const isNear = edge > nowMs && edge - nowMs < 3_600_000;
    const ms = isNear && dice.chance(0.6) ? edge - nowMs : Math.round(dice.scale(100, 900_000));
    this.#note('pass', ms);
    await this.#system.advance(ms);
  }

  async #command(held: Held): Promise<void> {
    const dice = this.#dice;
    const pattern = this.#aim(held);
    const topic = dice.pick(TOPICS.filter((each) => brings(pattern, each)).concat(dice.pick(TOPICS)));
    const perform = {
      subscribe: () => this.#subscribe(held, pattern),
      unsubscribe: () => this.#unsubscribe(held, pattern),
      history: () => this.#ask(held, 'history', { topic: dice.pick(LOGS) }),
      ping: () => this.#ask(held, 'ping', {}),
      publish: () => this.#ask(held, 'publish', { topic, data: this.#newData() }),
    };
    const likely = { subscribe: 0.55, unsubscribe: 0.15, history: 0.1, ping: 0.05, publish: 0.15 };
    await perform[dice.weighted(likely) ?? 'subscribe']();
  }

  /** At what it has a right to, or at what is close to that, or at anything. */
  #aim(held: Held): string {
    const dice = this.#dice;
    const rights = tokensOf(held).flatMap(({ rights }) =>
      Object.keys(rights).filter((right) => rights[right]?.includes('subscribe')),
    );
    const near = PATTERNS.filter((pattern) =>
      rights.some((right) => right.split('/')[0] === pattern.split('/')[0]),
    );
    const choices = dice.weighted({ right: 0.5, near: 0.35 });
    const aims = choices === 'right' ? PATTERNS.filter((each) => rights.includes(each)) : near;
    return dice.pick(choices && aims.length > 0 ? aims : PATTERNS);
  }

  async #subscribe(held: Held, topic: string): Promise<void> {
    held.asked.add(topic);
    this.#touched.add(topic);
    const rewind = this.#dice.chance(topic.startsWith('log/') ? 0.6 : 0.05) ? { rewind: 10 } : {};
    const granted = this.#dice.chance(0.2) ? await this.#issueFor(held, 'grant') : undefined;
    const handedOver = granted?.token &&
      this.#isOwn(held, granted.token) && { pattern: topic, token: granted.token };
    // Messages may come with the answer.
    if (handedOver) held.grants.push(handedOver);
    const grant = granted && { grant: granted.text };
    const reply = await this.#ask(held, 'subscribe', { topic, ...rewind, ...grant });
    if (reply.type !== 'ack') {
      if (handedOver) held.grants.splice(held.grants.indexOf(handedOver), 1);
      return;
    }
    const tokens = granted ? [granted.token] : tokensOf(held, this.#stepsDone);
    const able = tokens.filter(
      (token) => token && this.#isOwn(held, token) && allows(token, 'subscribe', topic),
    );
    if (!able.some((token) => token && !this.#isOver(token, GRACE_MS)))
      this.violate(`${held.connection.id} may subscribe to ${topic}`);
    // With a grant it may end before the tokens do, but not after.
    const ends = [...tokensOf(held), ...(granted?.token ? [granted.token] : [])];
    held.subscriptions.set(topic, granted ? Math.min(...ends.map(endOf)) : endFor(held, topic));
  }

  /** Now and then somebody else's. */
  #issueFor({ user }: Held, kind?: 'grant'): Promise<Issued> {
    const dice = this.#dice;
    const owner = user && dice.chance(0.85) ? user : dice.pick(USERS);
    return issue(dice, owner, this.#system.nowMs, dice.chance(0.05) ? 'forged' : kind);
  }

  #isOwn({ user }: Held, token: Token): boolean {
    return user?.name === token.user;
  }

  /** Goes on with another token, perhaps one that it has been given before, or one of somebody else. */
  async #renew(held: Held): Promise<void> {
    const { text, token } = this.#dice.chance(0.1) && held.issued ? held.issued : await this.#issueFor(held);
    const reply = await this.#ask(held, 'authenticate', { token: text });
    const isGood = token && held.user && this.#isOwn(held, token) && !this.#isRevoked(token);
    if (reply.type !== 'ack') {
      // Another renewal may have come in between, or just before, or the connection is over.
      const isRefused = !['unavailable', 'rate_limited', 'gone'].includes(String(reply.code));
      if (isRefused && isGood && !this.#isOver(token, 0)) this.violate('a good token was refused');
      return;
    }
    if (!isGood || this.#isOver(token, TOLERANCE_MS)) {
      this.violate(`${held.connection.id} goes on with a bad token`);
      return;
    }
    for (const counting of held.tokens.slice(1))
      counting.untilStep = Math.min(counting.untilStep, this.#stepsDone);
    held.tokens.push({ token, untilStep: Infinity });
    for (const [pattern, untilMs] of held.subscriptions) {
      this.#touched.add(pattern);
      // What has ended does not come back; and grants and tokens take turns.
      const isGranted = held.grants.some((grant) => grant.pattern === pattern);
      const isSure = !isGranted && untilMs > this.#system.nowMs && endFor(held, pattern) > -Infinity;
      held.subscriptions.set(pattern, isSure ? endFor(held, pattern) : Number.NaN);
    }
  }

  async #unsubscribe(held: Held, topic: string): Promise<void> {
    this.#touched.add(topic);
    await this.#ask(held, 'unsubscribe', { topic });
    held.subscriptions.delete(topic);
  }

  /** Several commands at the same time. Which of them is the last is left to chance, so that nothing is owed for them. */
  async #together(held: Held): Promise<void> {
    this.#touched.clear();
    const one = () => (this.#dice.chance(0.2) ? this.#renew(held) : this.#command(held));
    await Promise.all(Array.from({ length: this.#dice.integer(2, 4) }, one));
    for (const pattern of this.#touched) {
      if (held.subscriptions.has(pattern)) held.subscriptions.set(pattern, Number.NaN);
    }
  }

  async #ask(held: Held, action: string, fields: Frame): Promise<Frame> {
    const reply = await this.#system.command(held.connection, action, fields);
    this.#note(held.connection.id, action, JSON.stringify(fields), JSON.stringify(reply));
    if (reply.code === 'internal') this.violate(`${action} failed: ${JSON.stringify(fields)}`);
    return reply;
  }

  async #publishTo(topics: readonly string[]): Promise<void> {
    const n = this.#newData();
    this.#note('publish', n, topics.join(' '));
    this.#got = new Set();
    this.#system.put('fanwire.publish', { topics, data: n });
    await this.#system.advance();
    if (this.#system.isSlow) return;
    for (const held of this.#open) {
      for (const topic of topics) this.#expectGot(held, topic, n);
    }
  }

  get #now(): Moment {
    return { ms: this.#system.nowMs, step: this.#stepsDone };
  }

  #newData(): number {
    const n = this.#published.size + 1;
    this.#published.set(n, this.#now);
    return n;
  }

  /** Most of them with subscribers, if there are any. */
  #rollTopics(): readonly string[] {
    const dice = this.#dice;
    const asked = this.#open.flatMap((held) => [...held.asked]);
    const near = TOPICS.filter((topic) => asked.some((pattern) => brings(pattern, topic)));
    const topics = near.length > 0 && dice.chance(0.8) ? near : TOPICS;
    return dice.shuffled(topics).slice(0, dice.integer(1, 4));
  }

  #expectGot({ connection, subscriptions }: Held, topic: string, n: number): void {
    const isOwed = [...subscriptions].some(
      ([pattern, untilMs]) => untilMs > this.#system.nowMs && brings(pattern, topic),
    );
    if (!isOwed) return;
    this.#count('owed');
    if (!this.#got.has(`${connection.id} ${topic} ${n}`))
      this.violate(`${connection.id} is subscribed and never got ${n} of ${topic}`);
  }

  /** To all connections of a user, one of them, or everyone. */
  async #send({ user, connection }: Held): Promise<void> {
    const to = this.#dice.pick<unknown>([
      'everyone',
      { connectionId: connection.id },
      { userId: user?.name ?? 'nobody' },
    ]);
    this.#note('send', JSON.stringify(to));
    this.#system.put('fanwire.publish', { to, data: 0 });
  }

  async #revoke(held: Held): Promise<void> {
    const { user } = held;
    if (!user) return;
    const tokenId = this.#dice.chance(0.5) ? { tokenId: this.#dice.pick(everythingOf(held)).id } : {};
    // In whole seconds, as tokens say when they were issued.
    const atMs = Math.floor(this.#system.nowMs / 1_000) * 1_000;
    this.#note('revoke', user.name, JSON.stringify(tokenId));
    this.#revocations.push({ user: user.name, ...tokenId, atMs });
    this.#system.put('fanwire.revoke', { userId: user.name, ...tokenId });
  }

  /** A token is revoked during a handshake with it: nobody can say whether it comes before or after. */
  async #race(held: Held): Promise<void> {
    await Promise.all([this.#rollOver(held), this.#revoke(held).then(() => this.#system.advance())]);
  }

  /** Everything that a connection gets, the moment that it does. */
  #received(connection: Connection, frame: Frame): void {
    const { type, action, topic, messages = type === 'message' ? [frame] : [] } = frame;
    const held = this.#held.get(connection.id);
    if (!held || !Array.isArray(messages) || messages.length === 0) return;
    if (type !== 'ack') this.#expectAlive(held);
    if (typeof topic !== 'string') return;
    for (const { data } of messages) this.#got.add(`${connection.id} ${topic} ${data}`);
    this.#count(type === 'ack' ? 'read' : 'received');
    if (type === 'ack') {
      this.#expectMay(held, 'history', topic);
      if (action === 'subscribe') this.#expectMay(held, 'subscribe', topic);
      return;
    }
    for (const { data } of messages) this.#expectMay(held, 'subscribe', topic, this.#published.get(data));
    if (![...held.asked].some((pattern) => brings(pattern, topic)))
      this.violate(`${connection.id} got ${topic}, which it has not asked for`);
  }

  /** What is late on its way was right to be sent when it was published, if it was then. */
  #expectMay(held: Held, operation: 'subscribe' | 'history', topic: string, published = this.#now): void {
    const { ms, step } = this.#system.isSlow ? published : this.#now;
    const may = [...tokensOf(held, step), ...grantsFor(held, topic)].some(
      (token) => allows(token, operation, topic) && !this.#isOver(token, GRACE_MS, ms),
    );
    if (!may) this.violate(`${held.connection.id} got ${topic} without a right to ${operation}`);
  }

  /** Nothing at all comes later than that. */
  #expectAlive(held: Held): void {
    if (tokensOf(held).every((token) => this.#isOver(token, END_MS)))
      this.violate(`${held.connection.id} got something, and its token is over`);
  }

  #isOver(token: Token, graceMs: number, atMs = this.#system.nowMs): boolean {
    return atMs > token.endsAtMs + graceMs || isRevoked(token, this.#revocations, atMs - GRACE_MS);
  }

  /** Just now, or long ago. */
  #isRevoked(token: Token): boolean {
    return isRevoked(token, this.#revocations, Infinity);
  }

  #note(...words: readonly (string | number | undefined)[]): void {
    this.steps.push(`${this.#system.nowMs - START_MS} ${words.join(' ')}`);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

const endOf = ({ endsAtMs }: Token): number => endsAtMs;

/** What a connection may do, one of these allows: the one that it was opened with, and the newest that there was then. */
const tokensOf = ({ tokens }: Held, step = Infinity): Token[] =>
  tokens.filter(({ untilStep }) => untilStep >= step).map(({ token }) => token);

/** Those of subscriptions that bring the topic. */
const grantsFor = ({ grants }: Held, topic: string): Token[] =>
  grants.flatMap(({ pattern, token }) => (brings(pattern, topic) ? token : []));

const everythingOf = (held: Held): Token[] => [...tokensOf(held), ...held.grants.map(({ token }) => token)];

/** Until when its tokens allow a subscription. */
const endFor = (held: Held, pattern: string): number =>
  Math.max(
    ...tokensOf(held)
      .filter((token) => allows(token, 'subscribe', pattern))
      .map(endOf),
  );
