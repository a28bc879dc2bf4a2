import type { Code } from './code.ts';
import type { Dice } from './dice.ts';
import type { World } from './world.ts';

/** What a world can run. */
export interface Codes {
  readonly current: Code;
  /** Of an earlier commit, in a world that is upgraded. */
  readonly old?: Code | undefined;
}

/** Environments of both get invocations for so long. */
const BOTH_MS = [1, 60_000] as const;
/** Of rollouts, those that are taken back in the middle. */
const BACK_SHARE = 0.3;
/** Of those, the ones that are not tried again. */
const GIVEN_UP_SHARE = 0.3;

interface Switch {
  readonly atMs: number;
  readonly bothUntilMs: number;
}

/** Who reads what others write is updated before them, and taken back after them: see `infra/fanwire.ts`. */
const GROUPS = ['deliver', 'fanout'];
/** When each group begins, and when the last ends, which is that of all others. */
const GROUPS_TIMES = GROUPS.length + 2;

/** Brings the code of now into a world that runs older code, function by function, and back perhaps. */
export class Rollout {
  readonly #world: World;
  readonly #codes: Codes;
  readonly #dice: Dice;
  /** By function: when it gets the other code. */
  readonly #switches = new Map<string, readonly Switch[]>();
  /** From one of these to the next, a group of functions changes over; each step has all groups. */
  #times: readonly number[] = [];

  constructor(world: World, codes: Codes) {
    this.#world = world;
    this.#codes = codes;
    this.#dice = codes.old ? world.dice.fork() : world.dice;
  }

  /** It brings old code back while there is something new underway, which that may not understand. */
  get goesBack(): boolean {
    return this.#times.length > GROUPS_TIMES;
  }

  isOld(code: Code): boolean {
    return code === this.#codes.old;
  }

  /** Within so long from now. */
  plan(withinMs: number): void {
    const dice = this.#dice;
    if (!this.#codes.old) return;
    const count = dice.chance(BACK_SHARE) ? (dice.chance(GIVEN_UP_SHARE) ? 2 : 3) : 1;
    const { nowMs } = this.#world.scheduler;
    const times = Array.from({ length: GROUPS_TIMES * count }, () => nowMs + dice.between(0, withinMs));
    this.#times = times.sort((a, b) => a - b);
  }

  /** What an environment of the function loads that starts now. */
  codeFor(functionName: string): Code {
    const { current, old } = this.#codes;
    if (!old) return current;
    const { isNew, isBoth } = this.#stageOf(functionName);
    return isNew !== (isBoth && this.#dice.chance(0.5)) ? current : old;
  }

  /** Whether environments of the function with this code get invocations. */
  isLive(functionName: string, code: Code): boolean {
    if (!this.#codes.old) return true;
    const { isNew, isBoth } = this.#stageOf(functionName);
    return isBoth || isNew !== this.isOld(code);
  }

  /** What an application loads that starts now: some are updated early, some never. */
  clientCode(): Code {
    const { current, old } = this.#codes;
    return old && this.#dice.chance(0.5) ? old : current;
  }

  #stageOf(functionName: string): { readonly isNew: boolean; readonly isBoth: boolean } {
    const { nowMs } = this.#world.scheduler;
    const done = this.#switchesOf(functionName).filter(({ atMs }) => atMs <= nowMs);
    return { isNew: done.length % 2 === 1, isBoth: nowMs < (done.at(-1)?.bothUntilMs ?? 0) };
  }

  #switchesOf(functionName: string): readonly Switch[] {
    const found = this.#switches.get(functionName);
    if (found) return found;
    const groups = GROUPS.indexOf(functionName);
    const made = Array.from({ length: this.#times.length / GROUPS_TIMES }, (_, step): Switch => {
      const place = groups < 0 ? GROUPS.length : groups;
      const group = step % 2 === 0 ? place : GROUPS.length - place;
      const [startMs = 0, endMs = 0] = this.#times.slice(GROUPS_TIMES * step + group);
      const atMs = this.#dice.between(startMs, endMs);
      return { atMs, bothUntilMs: Math.min(endMs, atMs + this.#dice.scale(...BOTH_MS)) };
    });
    this.#switches.set(functionName, made);
    return made;
  }
}
