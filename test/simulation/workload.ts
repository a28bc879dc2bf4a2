import type { PublishOptions } from '../../shared/client/outbox.ts';
import type { Rewind } from '../../shared/protocol/frames.ts';
import { keepsHistory, namespaceOf } from '../../shared/protocol/namespaces.ts';
import { REVOKE_DETAIL_TYPE } from '../../shared/protocol/revocation.ts';
import {
  type Pattern,
  parsePattern,
  parseTopic,
  patternsCovering,
  type Topic,
} from '../../shared/protocol/topic.ts';
import type { Actor } from './actor.ts';
import { type Habits, rollHabits } from './habits.ts';
import type { Publications } from './publications.ts';
import type { System } from './system.ts';
import type { World } from './world.ts';

/** One begins as another ends: a wildcard below the first does not cover it. */
const TOPICS = 'log/a log/b short/a short/b last/a plain/a plain/ab plain/b closed/a'
  .split(' ')
  .map(parseTopic);
const PATTERNS = 'log/* short/* plain/* plain/a/* last/*'.split(' ').map(parsePattern);
/** Everything that somebody may have a right to. */
export const ALL_PATTERNS: readonly string[] = [...TOPICS, ...PATTERNS];
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const TICK_MS = 3 * SECOND_MS;
/** Of messages with a key, those whose key somebody else has, too. */
const THIEF_SHARE = 0.3;
/** A message that is as large as a client's frame allows; a page of history holds four. */
const FAT_BYTES = 25_000;

/** What the people of a world do while it lasts, and what happens to them. */
export class Workload {
  readonly topics: readonly Topic[];
  readonly activeMs: number;
  readonly #world: World;
  readonly #system: System;
  readonly #actors: readonly Actor[];
  readonly #publications: Publications;
  readonly #patterns: readonly Pattern[];
  readonly #tickMs: number;
  /** Of messages. */
  readonly #fatShare: number;
  readonly #habits: Habits;
  /** Whoever stays does not leave by chance. */
  readonly #leavingFactor: number;
  /** Of ticks, those at which somebody's token is revoked. */
  readonly #revokedShare: number;
  /** And those at which somebody asks for another token. */
  readonly #refreshedShare: number;
  readonly #versions = new Map<Topic, number>();
  #endMs = 0;

  constructor(world: World, system: System, actors: readonly Actor[], publications: Publications) {
    const { dice } = world;
    this.#world = world;
    this.#system = system;
    this.#actors = actors;
    this.#publications = publications;
    this.topics = dice.shuffled(TOPICS).slice(0, dice.integer(2, 5));
    const covering = new Set(this.topics.flatMap(patternsCovering));
    const wildcards = PATTERNS.filter((pattern) => covering.has(pattern) && dice.chance(0.3));
    this.#patterns = [...(this.topics as readonly string[] as Pattern[]), ...wildcards];
    // Longer than a connection can last, now and then.
    const isLong = dice.chance(0.02);
    const connectionsLastMs = world.faults.has('connectionCut') ? system.settings.ageMaxMs : 0;
    const shortestMs = connectionsLastMs > 0 ? MINUTE_MS : 3 * SECOND_MS;
    const longestMs = Math.max(3 * MINUTE_MS, 1.5 * connectionsLastMs);
    this.activeMs = isLong ? dice.scale(2 * HOUR_MS, 4 * HOUR_MS) : dice.scale(shortestMs, longestMs);
    this.#tickMs = Math.max(TICK_MS, this.activeMs / 60);
    this.#fatShare = dice.chance(0.08) ? dice.between(0.3, 0.9) : 0;
    // A connection lasts until it is replaced only with somebody who stays.
    this.#leavingFactor = connectionsLastMs > 0 ? 0.06 : 1;
    this.#habits = rollHabits(dice, world.mode);
    this.#revokedShare = world.mode === 'rights' ? 0.03 : 0;
    this.#refreshedShare = world.mode === 'rights' ? 0.1 : 0;
  }

  /** Plans one time of activity, from now on. */
  plan(publishes: number): void {
    this.#endMs = this.#world.scheduler.nowMs + this.activeMs;
    this.#planActors();
    this.#planPublishes(publishes);
    this.#planUpkeep();
  }

  arrive(actor: Actor): void {
    const { dice } = this.#world;
    actor.start();
    for (const pattern of dice.shuffled(this.#patterns).slice(0, dice.integer(1, 3))) {
      if (dice.chance(0.5)) actor.resume(pattern);
      else this.#subscribe(actor, pattern);
    }
  }

  /** Several messages to several topics, in one event. */
  #putMany(): void {
    const { dice } = this.#world;
    const topics = dice.shuffled(this.topics).slice(0, dice.integer(1, 3));
    const contents = Array.from({ length: dice.integer(1, 4) }, () =>
      this.#publications.newContent(undefined),
    );
    for (const topic of topics) for (const content of contents) this.#publications.put(topic, content);
    this.#publications.together(contents);
    const messages = contents.map((data) => ({ data }));
    this.#system.bus.put('my.shop', JSON.stringify({ topics, messages }));
  }

  /** To everyone, or what nobody can make sense of. */
  #putApart(): void {
    const { bus } = this.#system;
    if (this.#world.dice.chance(0.5)) bus.put('my.shop', JSON.stringify({ to: 'everyone', data: 1 }));
    else bus.put('my.shop', JSON.stringify({ topic: 'no good', data: 1 }));
  }

  /** From a back end. What it is not sure of it puts again, maybe on another host. */
  put(topic: Topic, { key, maxAge, version }: PublishOptions = {}, padding = 0): void {
    const content = this.#publications.newContent(version, padding);
    this.#publications.put(topic, content);
    const put = () => {
      const publishedAt = maxAge === undefined ? this.#backEndTime() : undefined;
      const detail = { topic, data: content, key, maxAge, version, publishedAt };
      this.#system.bus.put('my.shop', JSON.stringify(detail));
    };
    put();
    this.#again(key, put);
  }

  /** What a clock of a back end says, if it says anything; older code measures keys with it. */
  #backEndTime(): string | undefined {
    const { dice, mode, scheduler } = this.#world;
    if (mode === 'upgrade' || dice.chance(0.5)) return undefined;
    return new Date(scheduler.nowMs + dice.between(-HOUR_MS, HOUR_MS)).toISOString();
  }

  /** Whoever is not sure that it worked does it again. */
  #again(key: string | undefined, publish: () => void): void {
    const { dice } = this.#world;
    for (let again = 0; key !== undefined && again < 3 && dice.chance(0.5); again++) {
      this.#world.after(dice.scale(1, MINUTE_MS), publish);
    }
  }

  #planActors(): void {
    const { dice } = this.#world;
    for (const actor of this.#actors) {
      this.#world.after(dice.scale(1, this.activeMs / 2), () => {
        if (!actor.isUp) this.arrive(actor);
        this.#tick(actor);
      });
    }
  }

  #subscribe(actor: Actor, pattern: Pattern): void {
    const rewind = this.#rollRewind(pattern);
    actor.subscribe(pattern, rewind === undefined ? {} : { rewind });
  }

  #rollRewind(pattern: Pattern): Rewind | undefined {
    const { dice } = this.#world;
    if (!this.#hasLog(pattern) || dice.chance(0.5)) return undefined;
    return dice.chance(0.7) ? dice.pick([1, 3, 10, 100]) : { seconds: dice.pick([1, 10, 1_000]) };
  }

  #hasLog(pattern: Pattern): boolean {
    return keepsHistory(namespaceOf(pattern, this.#system.settings.namespaces)) && !pattern.endsWith('*');
  }

  /** Now and then somebody does something, or something happens to them. */
  #tick(actor: Actor): void {
    const world = this.#world;
    const { dice, faults } = world;
    world.after(dice.scale(this.#tickMs / 10, this.#tickMs), () => {
      if (world.scheduler.nowMs >= this.#endMs) return;
      if (actor.isUp) this.#act(actor);
      else if (dice.chance(0.3)) this.arrive(actor);
      if (dice.chance(this.#revokedShare)) this.#revoke(actor);
      if (dice.chance(this.#refreshedShare)) actor.refresh();
      if (actor.isUp && faults.hits('socketBreaks')) actor.breakSockets('breaks');
      if (actor.isUp && faults.hits('socketGoesSilent')) actor.breakSockets('goesSilent');
      if (actor.isUp && faults.hits('clockMoves')) actor.setClock();
      if (actor.isUp && faults.hits('clientOffline')) {
        actor.setOnline(false);
        world.after(dice.scale(100, 2 * MINUTE_MS), () => actor.setOnline(true));
      }
      this.#tick(actor);
    });
  }

  #revoke({ name }: Actor): void {
    const { bus, tokens } = this.#system;
    const revocation = tokens.revoke(name);
    if (!revocation) return;
    this.#world.trace('revoke', JSON.stringify(revocation));
    bus.put('my.shop', JSON.stringify(revocation), REVOKE_DETAIL_TYPE);
  }

  #act(actor: Actor): void {
    const { dice } = this.#world;
    const pattern = dice.pick(this.#patterns);
    const { actions } = this.#habits;
    const likely = { ...actions, stop: actions.stop * this.#leavingFactor };
    const perform: Readonly<Record<keyof typeof likely, () => void>> = {
      subscribe: () => this.#subscribe(actor, pattern),
      unsubscribe: () => actor.unsubscribe(pattern),
      save: () => actor.save(pattern),
      stop: () => actor.stop(dice.chance(0.5)),
      send: () => actor.send(dice.pick(this.#actors)),
      readHistory: () => this.#hasLog(pattern) && actor.readHistory(pattern as string as Topic),
      askWhoAmI: () => actor.askWhoAmI(),
      subscribeForbidden: () => actor.subscribe(parsePattern('closed/*')),
      subscribeAnyway: () => this.#hasLog(pattern) || actor.subscribeAnyway(pattern),
      resume: () => actor.resume(pattern),
    };
    const action = dice.weighted(likely);
    if (action) perform[action]();
  }

  #planPublishes(count: number): void {
    const { dice } = this.#world;
    const isBursty = this.#fatShare > 0 || dice.chance(0.3);
    let atMs = 0;
    for (let n = 0; n < count; n++) {
      const isNext = isBursty && dice.chance(0.8);
      atMs = isNext ? atMs + dice.scale(0.1, 20) : dice.between(0, this.activeMs);
      this.#world.after(Math.min(atMs, this.activeMs), () => this.#publish());
    }
  }

  #publish(): void {
    const kind = this.#world.dice.weighted(this.#habits.publishes);
    if (kind === 'putMany') this.#putMany();
    else if (kind === 'putApart') this.#putApart();
    else this.#publishOne(kind === 'put');
  }

  #publishOne(isPut: boolean): void {
    const { dice } = this.#world;
    const topic = dice.pick(this.topics);
    const { clientPublish, history } = namespaceOf(topic, this.#system.settings.namespaces);
    const options = this.#rollOptions(topic, history !== undefined);
    const publishers = this.#actors.filter(({ isUp }) => isUp);
    if (!clientPublish || publishers.length === 0 || isPut) {
      const { stored: _, except: __, ...fields } = options;
      this.put(topic, fields, this.#padding());
      return;
    }
    const content = this.#publications.newContent(options.version, this.#padding());
    const publisher = dice.pick(publishers);
    this.#again(options.key, publisher.publish(topic, options, content));
    if (options.key !== undefined && dice.chance(THIEF_SHARE)) this.#usurp(topic, options, publisher);
  }

  /** Somebody else has a message of its own with the same key. Older code takes the two for one. */
  #usurp(topic: Topic, { stored: _, except: __, ...fields }: PublishOptions, owner: Actor): void {
    const { dice, mode } = this.#world;
    if (mode === 'upgrade') return;
    const others = this.#actors.filter((actor) => actor !== owner && actor.isUp);
    this.#world.after(dice.scale(1, SECOND_MS), () => {
      if (others.length > 0 && dice.chance(0.7)) dice.pick(others).publish(topic, fields);
      else this.put(topic, fields);
    });
  }

  #padding(): number {
    const { dice } = this.#world;
    return dice.chance(this.#fatShare) ? dice.integer(1, FAT_BYTES) : 0;
  }

  #rollOptions(topic: Topic, hasHistory: boolean): PublishOptions {
    const { dice } = this.#world;
    const { options } = this.#habits;
    const version = hasHistory && dice.chance(options.version) ? this.#nextVersion(topic) : undefined;
    return {
      ...(dice.chance(options.key) && { key: `key${dice.integer(0, 1e9)}` }),
      ...(dice.chance(options.maxAge) && { maxAge: dice.pick([1, 10, 100]) }),
      ...(dice.chance(options.except) && { except: 'self' as const }),
      ...(version !== undefined && { version }),
      ...(hasHistory && dice.chance(options.stored) && { stored: true }),
    };
  }

  /** They come about in order, with some that are too old. */
  #nextVersion(topic: Topic): number {
    const { dice } = this.#world;
    const next = (this.#versions.get(topic) ?? 0) + 1;
    if (next > 2 && dice.chance(0.2)) return dice.integer(1, next - 1);
    this.#versions.set(topic, next);
    return next;
  }

  /** The sweep comes once a minute, and expired rows are deleted at some time. */
  #planUpkeep(): void {
    const { dice } = this.#world;
    for (let atMs = dice.between(0, MINUTE_MS); atMs < this.activeMs; atMs += MINUTE_MS) {
      this.#world.after(atMs, () => {
        void this.#system.sweep();
        if (dice.chance(0.2)) this.#system.tables.expire(this.#world.now());
      });
    }
  }
}
