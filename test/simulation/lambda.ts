import type { Context, Handler } from '../../shared/lambda/stack.ts';
import type { Code } from './code.ts';
import type { Cancel } from './scheduler.ts';
import type { World } from './world.ts';

/** What became of an invocation. */
export type Outcome<R> =
  | { readonly status: 'answered'; readonly answer: R }
  /** It threw. */
  | { readonly status: 'failed'; readonly error: unknown }
  /** It ended in the middle of something: killed, or out of time. */
  | { readonly status: 'crashed' };

/** Of what `call` asks for. */
interface CallFaults {
  /** Fails and is not done. */
  readonly refused?: Error | undefined;
  /** Is done, and fails all the same. */
  readonly unanswered?: Error | undefined;
  readonly isRepeated?: boolean | undefined;
}

const REQUEST_MS = 4;
const COLD_START_MS = 250;
const WARM_START_MS = 2;
/** How far the clock of an environment may be from the true time. */
export const SKEW_MAX_MS = 1_000;
/** An invocation that is killed is so after up to so many steps; most have fewer. */
const STEPS_MAX = 40;

/** Where invocations of a function run, one at a time. Once it has been killed, nothing reaches it or leaves it. */
export class Environment {
  readonly #world: World;
  readonly #skewMs: number;
  /** How many have begun. */
  invocations = 0;
  #isAlive = true;
  /** Steps until it is killed. */
  #stepsLeft = Number.POSITIVE_INFINITY;
  #killed: () => void = () => {};
  /** Rejects the promises that will never settle, so that what waits for them ends with the world. */
  readonly #pending = new Set<(reason: Error) => void>();

  constructor(world: World) {
    this.#world = world;
    this.#skewMs = world.faults.has('clocksDiffer') ? world.dice.between(-SKEW_MAX_MS, SKEW_MAX_MS) : 0;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  readonly now = (): number => Math.floor(this.#world.scheduler.nowMs + this.#skewMs);
  readonly random = (): number => this.#world.dice.next();
  readonly newId = (): string => this.#world.dice.id().slice(0, -1);

  readonly wait = (ms: number): Promise<void> =>
    new Promise((resolve, reject) => {
      this.#pending.add(reject);
      this.#world.after(ms, () => {
        if (!this.#isAlive) return;
        this.#pending.delete(reject);
        resolve();
      });
    });

  /** Asks something of the world: it happens at one moment between the call and the answer. */
  call<T>(what: string, perform: () => T, faults: CallFaults = {}): Promise<T> {
    const world = this.#world;
    const after = (usualMs: number, run: () => void) => world.after(world.latency(usualMs), run);
    const isLost = () => !this.#isAlive && world.dice.chance(0.5);
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      if (!this.#step(what)) return;
      const answer = (settle: () => void) =>
        after(REQUEST_MS, () => {
          if (!this.#isAlive || !this.#step(`${what} answered`)) return;
          this.#pending.delete(reject);
          settle();
        });
      after(REQUEST_MS, () => {
        // What was on its way when the environment was killed happens, or does not.
        if (isLost()) return;
        world.trace(what, faults.refused ? 'refused' : faults.unanswered ? 'unanswered' : '');
        if (faults.refused) return void answer(() => reject(faults.refused));
        const first = attempt(perform);
        if (faults.unanswered) return void answer(() => reject(faults.unanswered));
        if (!faults.isRepeated) return void answer(() => settleWith(first, resolve, reject));
        after(10 * REQUEST_MS, () => {
          if (isLost()) return;
          const second = attempt(perform);
          answer(() => settleWith(second, resolve, reject));
        });
      });
    });
  }

  /** For one invocation; `killed` is called if it is killed in the middle. */
  arm(steps: number, killed: () => void): void {
    this.#stepsLeft = steps;
    this.#killed = killed;
  }

  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#killed();
  }

  /** Ends everything that waits for what will never come. */
  release(): void {
    this.#isAlive = false;
    for (const reject of this.#pending) reject(new Error('the world is over'));
    this.#pending.clear();
  }

  /** False if that is the one that it does not survive. */
  #step(what: string): boolean {
    if (!this.#isAlive) return false;
    if (this.#stepsLeft-- > 0) return true;
    this.#world.faults.count('invocationKilled');
    this.#world.trace('killed before', what);
    this.kill();
    return false;
  }
}

type Attempt<T> = { readonly value: T } | { readonly error: unknown };

function attempt<T>(perform: () => T): Attempt<T> {
  try {
    return { value: perform() };
  } catch (error) {
    return { error };
  }
}

function settleWith<T>(result: Attempt<T>, resolve: (value: T) => void, reject: (reason: unknown) => void) {
  if ('error' in result) reject(result.error);
  else resolve(result.value);
}

interface FunctionOptions<E, R> {
  readonly name: string;
  readonly timeoutMs: number;
  /** The code that a new environment gets. */
  readonly deployed: () => Code;
  /** Whether environments with this code get invocations. */
  readonly isDeployed: (code: Code) => boolean;
  /** Loads the code: what it keeps in memory lives as long as the environment. */
  readonly load: (environment: Environment, code: Code) => Handler<E, R>;
  /** Told when an invocation begins, and when its answer is out. */
  readonly onStart?: (environment: Environment, event: E) => void;
  readonly onAnswer?: (environment: Environment, answer: R) => void;
}

interface Warm<E, R> {
  readonly environment: Environment;
  readonly code: Code;
  readonly handler: Handler<E, R>;
}

/** A Lambda function. */
export class LambdaFunction<E, R> {
  readonly #world: World;
  readonly #options: FunctionOptions<E, R>;
  #idle: Warm<E, R>[] = [];
  readonly #all: Environment[] = [];

  constructor(world: World, options: FunctionOptions<E, R>) {
    this.#world = world;
    this.#options = options;
  }

  invoke(event: E): Promise<Outcome<R>> {
    if (this.#world.faults.hits('invocationRefused')) {
      this.#world.trace('refused', this.#options.name);
      return Promise.resolve({ status: 'crashed' });
    }
    return new Promise((resolve) => {
      const { warm, startMs } = this.#take();
      this.#world.after(this.#world.latency(startMs), () => this.#run(warm, event, resolve));
    });
  }

  release(): void {
    for (const environment of this.#all) environment.release();
  }

  #take(): { warm: Warm<E, R>; startMs: number } {
    const { deployed, isDeployed, load } = this.#options;
    if (this.#world.faults.hits('environmentReplaced')) this.#idle = [];
    this.#idle = this.#idle.filter(({ code }) => isDeployed(code));
    const warm = this.#idle.pop();
    if (warm) return { warm, startMs: WARM_START_MS };
    const environment = new Environment(this.#world);
    this.#all.push(environment);
    const code = deployed();
    return { warm: { environment, code, handler: load(environment, code) }, startMs: COLD_START_MS };
  }

  #run(warm: Warm<E, R>, event: E, resolve: (outcome: Outcome<R>) => void): void {
    const world = this.#world;
    const options = this.#options;
    const { environment, handler } = warm;
    const { dice, faults } = world;
    const endMs = world.scheduler.nowMs + options.timeoutMs;
    const isDoomed = faults.has('invocationKilled') && dice.chance(faults.likely.invocationKilled ?? 0);
    const steps = isDoomed ? dice.integer(0, STEPS_MAX) : Number.POSITIVE_INFINITY;
    const outOfTime: Cancel = world.after(options.timeoutMs, () => {
      world.trace('out of time', options.name);
      environment.kill();
    });
    const over = (outcome: Outcome<R>) => {
      outOfTime();
      environment.arm(Number.POSITIVE_INFINITY, () => {});
      resolve(outcome);
    };
    environment.arm(steps, () => over({ status: 'crashed' }));
    const context: Context = {
      awsRequestId: environment.newId(),
      getRemainingTimeInMillis: () => endMs - world.scheduler.nowMs,
    };
    environment.invocations += 1;
    options.onStart?.(environment, event);
    world.trace('invoke', options.name);
    const end = (outcome: Outcome<R>) => {
      if (!environment.isAlive) return;
      // Killed after its work is done, before its answer is out.
      if (isDoomed && dice.chance(0.2)) {
        faults.count('invocationKilled');
        return environment.kill();
      }
      world.trace('done', options.name, outcome.status);
      if (outcome.status === 'answered') options.onAnswer?.(environment, outcome.answer);
      this.#idle.push(warm);
      over(outcome);
    };
    handler(event, context).then(
      (answer) => end({ status: 'answered', answer }),
      (error: unknown) => end({ status: 'failed', error }),
    );
  }
}
