import type { Dice } from './dice.ts';
import type { Mode } from './modes.ts';

/** What goes wrong on AWS, and how likely it is at each occasion at most. */
const FAULTS = {
  /** A request to DynamoDB is refused: throttled. */
  requestThrottled: 0.1,
  /** It is done, but the answer never comes. */
  requestUnanswered: 0.05,
  /** The SDK did not get the answer and asks again: it is done twice. */
  requestRepeated: 0.05,
  /** An item of a batch is left undone. */
  batchUndone: 0.3,
  /** There is nothing in a page: all of it has expired. */
  pageEmpty: 0.5,
  /** An eventual read or an index is behind. */
  readStale: 0.7,
  /** A Lambda ends between two awaits. */
  invocationKilled: 0.3,
  /** It does not start at all. */
  invocationRefused: 0.05,
  /** The next invocation gets a new environment, which remembers nothing. */
  environmentReplaced: 0.5,
  /** PutEvents fails, though some or all of it may be done. */
  busFails: 0.1,
  /** An entry of PutEvents is refused. */
  busRefuses: 0.3,
  eventTwice: 0.15,
  eventLate: 0.15,
  /** SendMessageBatch fails, though some or all of it may be done. */
  queueFails: 0.3,
  /** An entry of a batch is refused. */
  queueRefuses: 0.3,
  recordTwice: 0.15,
  recordLate: 0.15,
  /** A standard queue hands out records in any order. */
  recordsReordered: 1,
  /** 410 for a connection that is open. */
  postGoneThoughOpen: 0.03,
  /** 200 for a connection that is not. */
  postTakenThoughClosed: 0.5,
  postThrottled: 0.15,
  postFails: 0.05,
  postHangs: 0.03,
  /** Everybody gets 429 for a while. */
  throttleStorm: 0.002,
  /** To the question whether a connection is there the answer is 500. */
  probeFails: 0.1,
  connectRefused: 0.2,
  disconnectLost: 0.5,
  disconnectLate: 0.5,
  /** A socket breaks, and both ends learn of it, sooner or later. */
  socketBreaks: 0.4,
  /** A socket is dead, and one end or none learns of it. */
  socketGoesSilent: 0.4,
  /** A client is away for a while. */
  clientOffline: 0.4,
  /** What is on the way to or from a client takes seconds. */
  networkStalls: 0.05,
  /** API Gateway closes the connection: it has reached its limit. */
  connectionCut: 0.3,
  /** Clocks of environments differ by up to a second, those of clients by hours. */
  clocksDiffer: 1,
  /** A client's clock is put forward or back. */
  clockMoves: 0.1,
} as const;
export type Fault = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as Fault[];

/** With these nothing is lost, late or repeated: AWS takes and gives in parts, and the sweep learns nothing. */
const HARMLESS: ReadonlySet<Fault> = new Set([
  'batchUndone',
  'pageEmpty',
  'busRefuses',
  'queueRefuses',
  'probeFails',
]);

/** Seeds without any others: what holds only there is still worth something. */
const CALM_SHARE = 0.1;
/** Seeds in which connections do not last, and nothing else happens. */
const SHORT_LIVED_SHARE = 0.06;
const ON_SHARE = 0.3;
/** In a swarm a fault may be that much more likely than it usually is at most. */
const SWARM_FACTOR = 4;
/** A job that is sent and said not to be is there twice: where that is the rule they become more and more. */
const MULTIPLIES: Fault = 'queueFails';
/** In a swarm some faults come in bouts, with time to recover in between. */
const BOUT_MS = [1_000, 3 * 60_000] as const;

interface Bouts {
  readonly everyMs: number;
  /** Of the time. */
  readonly share: number;
}

/** Which faults a world has, and how often they came. */
export class Faults {
  readonly counts: Partial<Record<Fault, number>> = {};
  readonly #dice: Dice;
  readonly #likely: Partial<Record<Fault, number>> = {};
  readonly #bouts = new Map<Fault, Bouts>();
  readonly #nowMs: () => number;
  #isOn = true;

  constructor(dice: Dice, nowMs: () => number, mode: Mode) {
    this.#dice = dice;
    this.#nowMs = nowMs;
    if (mode === 'usual' || mode === 'upgrade') this.#rollUsual();
    else this.#rollSwarm();
  }

  #rollUsual(): void {
    const dice = this.#dice;
    if (dice.chance(CALM_SHARE)) {
      if (dice.chance(0.5)) for (const name of HARMLESS) this.#likely[name] = FAULTS[name];
      return;
    }
    if (dice.chance(SHORT_LIVED_SHARE)) {
      this.#likely.connectionCut = 0.02;
      return;
    }
    const share = dice.pick([ON_SHARE / 3, ON_SHARE, ON_SHARE, 2 * ON_SHARE]);
    for (const name of FAULT_NAMES) {
      if (dice.chance(share)) this.#likely[name] = dice.scale(FAULTS[name] / 20, FAULTS[name]);
    }
  }

  /** Any faults together, because many bugs need some to be there and others not to be in their way. */
  #rollSwarm(): void {
    const dice = this.#dice;
    const share = dice.next();
    for (const name of FAULT_NAMES) {
      if (!dice.chance(share)) continue;
      const most = name === MULTIPLIES ? FAULTS[name] : Math.min(1, SWARM_FACTOR * FAULTS[name]);
      this.#likely[name] = dice.scale(FAULTS[name] / 20, most);
      if (dice.chance(0.5)) {
        this.#bouts.set(name, { everyMs: dice.scale(...BOUT_MS), share: dice.between(0.1, 0.9) });
      }
    }
  }

  /** By name, how likely they are. */
  get likely(): Readonly<Partial<Record<Fault, number>>> {
    return this.#likely;
  }

  get isCalm(): boolean {
    return (Object.keys(this.#likely) as Fault[]).every((fault) => HARMLESS.has(fault));
  }

  /** Whoever stays connected, over several connections perhaps, misses nothing. */
  get isGentle(): boolean {
    return Object.keys(this.#likely).every(
      (fault) => fault === 'connectionCut' || HARMLESS.has(fault as Fault),
    );
  }

  has(fault: Fault): boolean {
    return this.#isOn && this.#likely[fault] !== undefined;
  }

  /** Whether it happens now. */
  hits(fault: Fault): boolean {
    const probability = this.#likely[fault];
    if (!this.#isOn || probability === undefined || this.#isBetweenBouts(fault)) return false;
    if (!this.#dice.chance(probability)) return false;
    this.count(fault);
    return true;
  }

  #isBetweenBouts(fault: Fault): boolean {
    const bouts = this.#bouts.get(fault);
    return bouts !== undefined && (this.#nowMs() / bouts.everyMs) % 1 > bouts.share;
  }

  count(fault: Fault): void {
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
  }

  /** From now on nothing goes wrong any more. */
  stop(): void {
    this.#isOn = false;
  }
}
