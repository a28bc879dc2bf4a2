import { Actor } from './actor.ts';
import * as current from './code.ts';
import { type Balance, Deliveries } from './deliveries.ts';
import type { Fault } from './faults.ts';
import { LogBook } from './log-book.ts';
import type { Mode } from './modes.ts';
import { type Mutant, realPosition } from './mutants.ts';
import { Permissions } from './permissions.ts';
import { Promptness } from './promptness.ts';
import { Publications } from './publications.ts';
import { type Codes, Rollout } from './rollout.ts';
import { rollSettings } from './settings.ts';
import { System } from './system.ts';
import { Tokens } from './tokens.ts';
import { ALL_PATTERNS, Workload } from './workload.ts';
import { World } from './world.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A client that has been told nothing for so long has noticed what it was to notice, and made up for it. */
const SETTLE_MS = 2.5 * MINUTE_MS;
/** Until a client has noticed that its socket is dead, has waited its turn to connect, and has published what it had. */
const CLIENTS_MS = 5 * MINUTE_MS;
/** Fifteen receives of a record that its worker dies of, and as long for what comes of the last one. */
const QUIET_WITHIN_MS = 270 * MINUTE_MS;
/** Patterns that cover one topic: `plain/a`, `plain/*` and `plain/a/*`. */
const COVERING_MAX = 3;
/** Ten times what the busiest world takes. */
const TASKS_MAX = 500_000;
/** Of worlds in which everybody is away for long. */
const INTERMISSION_SHARE = 0.04;

interface SimulationOptions {
  readonly mode?: Mode;
  readonly mutant?: Mutant | undefined;
  readonly codes?: Codes;
  readonly print?: (line: string) => void;
}

/** What one seed came to. */
export interface Report {
  readonly seed: number;
  readonly violation?: string;
  readonly tail: readonly string[];
  readonly hash: number;
  readonly isCalm: boolean;
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
  readonly published: number;
  readonly received: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly balance: Balance;
  readonly losses: number;
}

/** Runs one world from its beginning to its end. */
export async function simulate(
  seed: number,
  { mode = 'usual', mutant = {}, codes = { current }, print }: SimulationOptions = {},
): Promise<Report> {
  for (const code of Object.values(codes)) code.silence();
  const world = new World(seed, { mode, print });
  const run = new Run(world, mutant, codes);
  const startMs = world.scheduler.nowMs;
  try {
    await run.everything();
  } catch (error) {
    world.violate(`the simulation failed: ${(error as Error).stack}`);
  }
  await run.release();
  const { violation, tail, traceHash: hash, faults } = world;
  return {
    seed,
    ...(violation !== undefined && { violation }),
    tail,
    hash,
    isCalm: faults.isCalm,
    faults: faults.counts,
    published: run.publications.count,
    received: run.actors.reduce((sum, { receivedCount }) => sum + receivedCount, 0),
    events: world.scheduler.tasksRun,
    virtualMs: world.scheduler.nowMs - startMs,
    balance: run.deliveries.balance,
    losses: run.actors.reduce(
      (sum, { readers }) => sum + readers.reduce((all, { losses }) => all + losses, 0),
      0,
    ),
  };
}

class Run {
  readonly actors: Actor[];
  readonly publications: Publications;
  readonly deliveries: Deliveries;
  readonly #world: World;
  readonly #system: System;
  readonly #book: LogBook;
  readonly #workload: Workload;
  readonly #promptness: Promptness;
  readonly #rollout: Rollout;

  constructor(world: World, { positionOf = realPosition, ...bends }: Mutant, codes: Codes) {
    const { dice } = world;
    this.#world = world;
    const settings = rollSettings(world);
    this.#book = new LogBook(world, settings.namespaces);
    this.#promptness = new Promptness(world, settings.visibilityMs);
    this.#rollout = new Rollout(world, codes);
    this.deliveries = new Deliveries(world, settings, this.#book, this.#promptness);
    this.deliveries.mayMisread = () => this.#rollout.goesBack;
    const tokens = new Tokens(world, ALL_PATTERNS);
    const permissions =
      settings.authorization === 'required' ? new Permissions(world, this.deliveries, tokens) : undefined;
    this.#system = new System(world, {
      settings,
      tokens,
      watcher: this.deliveries,
      rollout: this.#rollout,
      bends,
      onWrite: (table, before, after) => {
        this.#book.written(table, before, after);
        this.deliveries.written(table, before, after);
        if (table === 'access' && after) permissions?.written(after);
        if (table === 'connections' && !after) this.#expectClosed(String(before?.connectionId?.S));
      },
    });
    this.publications = new Publications(world, this.#book, settings.namespaces);
    this.publications.goesBack = () => this.#rollout.goesBack;
    this.#system.gateway.onReceive = (id, text) => {
      this.deliveries.received(id, text);
      this.publications.received(id, text);
      permissions?.received(id, text);
    };
    this.#system.gateway.onSend = (id, text) => {
      this.deliveries.sent(id, text);
      this.publications.answered(id, text);
      permissions?.sent(id, text);
    };
    this.#system.gateway.onOpen = (...handshake) => permissions?.opened(...handshake);
    this.actors = Array.from(
      { length: dice.integer(2, 6) },
      (_, n) => new Actor(`actor${n}`, world, this.#system, this.#book, this.publications, positionOf),
    );
    if (world.faults.isGentle) {
      this.deliveries.onDue = (...message) => {
        // An older fan-out takes what it cannot read to the dead letters.
        if (this.#rollout.goesBack) return;
        for (const actor of this.actors) actor.expectToGet(...message);
      };
    }
    this.#workload = new Workload(world, this.#system, this.actors, this.publications);
  }

  /** Where no post is answered wrongly, nobody may take an open connection for gone. */
  #expectClosed(connectionId: string): void {
    if (!this.#world.faults.isGentle || !this.#system.gateway.isOpen(connectionId)) return;
    this.#world.violate(`${connectionId} is open, and was deleted`);
  }

  async everything(): Promise<void> {
    const { dice } = this.#world;
    const publishes = Math.round(dice.scale(10, 60));
    const { activeMs } = this.#workload;
    this.#workload.plan(publishes);
    this.#rollout.plan(activeMs);
    const wellAfterMs = this.#world.mode === 'liveness' ? activeMs * dice.between(0.05, 0.95) : activeMs;
    if (await this.#runFor(wellAfterMs)) return;
    if (wellAfterMs < activeMs) this.#allIsWell();
    if (await this.#runFor(activeMs - wellAfterMs)) return;
    if (dice.chance(INTERMISSION_SHARE)) {
      if (await this.#intermit()) return;
      this.#workload.plan(Math.ceil(publishes / 2));
      if (await this.#runFor(activeMs)) return;
    }
    if (await this.#calmDown()) return;
    for (const actor of this.actors) actor.expectCaughtUp();
    for (const actor of this.actors) actor.expectRows(this.deliveries.subscriptions);
    const { badEvents } = this.#system;
    this.deliveries.expectSettled(badEvents.letters);
    this.publications.expectInLogs(badEvents.letters, this.deliveries.arrivals);
    if (this.#world.violation !== undefined) return;
    await this.#everybodyLeaves();
  }

  /** Lets go of whatever waits for something that never comes. */
  async release(): Promise<void> {
    for (const actor of this.actors) actor.stop(false);
    this.#system.release();
    // What was set free runs to its end, and out of the way of the next world.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Answers whether there is no need to go on. */
  async #runFor(ms: number, isOver: () => boolean = () => false): Promise<boolean> {
    const world = this.#world;
    const isDone = () => {
      if (world.scheduler.tasksRun > TASKS_MAX) world.violate(`it is still busy after ${TASKS_MAX} steps`);
      return world.violation !== undefined || isOver();
    };
    await world.scheduler.runUntil(world.scheduler.nowMs + ms, isDone);
    return world.violation !== undefined;
  }

  /** Nobody is there for so long that what they know may be worth nothing when they come back. */
  async #intermit(): Promise<boolean> {
    const { dice } = this.#world;
    this.#world.trace('intermission');
    for (const actor of this.actors) if (actor.isUp) actor.stop(dice.chance(0.5));
    if (await this.#runFor(dice.pick([25 * 60 * MINUTE_MS, 31 * DAY_MS]))) return true;
    if (dice.chance(0.7)) this.#system.tables.expire(this.#world.now());
    return false;
  }

  /** No more faults, and who is there is there for good. */
  #allIsWell(): void {
    this.#world.trace('all is well');
    this.#world.faults.stop();
    for (const actor of this.actors) actor.setOnline(true);
    this.#promptness.begin();
  }

  /** Everybody is there, and everything comes to an end. */
  async #calmDown(): Promise<boolean> {
    const { dice, mode, scheduler } = this.#world;
    if (mode !== 'liveness') this.#allIsWell();
    this.#world.trace('calm');
    for (const actor of this.actors) {
      if (!actor.isUp && dice.chance(0.7)) this.#workload.arrive(actor);
    }
    const isQuiet = () =>
      this.#system.isQuiet &&
      this.publications.isSettled &&
      this.actors.every(({ isUp, isConnected }) => !isUp || isConnected);
    let quietSinceMs = scheduler.nowMs;
    const isSettled = () => {
      if (!isQuiet()) quietSinceMs = scheduler.nowMs;
      return scheduler.nowMs - quietSinceMs > SETTLE_MS;
    };
    const drainedWithinMs = this.#promptness.drainedByMs - scheduler.nowMs;
    const withinMs = mode === 'liveness' ? drainedWithinMs + CLIENTS_MS + SETTLE_MS : QUIET_WITHIN_MS;
    if (await this.#runFor(withinMs, isSettled)) return true;
    if (!isSettled()) this.#world.violate('there was no end to it');
    return this.#world.violation !== undefined;
  }

  /** Once everybody has left, nothing is left of them. */
  async #everybodyLeaves(): Promise<void> {
    const { dice } = this.#world;
    this.#world.trace('everybody leaves');
    for (const actor of this.actors) if (actor.isUp) actor.stop(dice.chance(0.5));
    // A connection that nobody closes is idle for 10 minutes.
    if (await this.#runFor(11 * MINUTE_MS)) return;
    // Rows that no list has are found by the next message, and those of several patterns one after the other.
    for (let round = 0; round < COVERING_MAX; round++) {
      for (const topic of this.#workload.topics) this.#workload.put(topic);
      if (await this.#runFor(MINUTE_MS)) return;
    }
    let isSwept = false;
    void this.#system.sweep().then(() => {
      isSwept = true;
    });
    if (await this.#runFor(QUIET_WITHIN_MS, () => isSwept && this.#system.isQuiet)) return;
    this.#system.tables.expire(this.#world.now());
    for (const table of ['connections', 'subscriptions'] as const) {
      const [item] = this.#system.tables.items(table);
      if (item) this.#world.violate(`${table} still has ${JSON.stringify(item)}`);
    }
  }
}
