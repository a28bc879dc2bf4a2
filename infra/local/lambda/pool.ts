import { type Clock, systemClock } from '../clock.ts';
import { Environment, type EnvironmentDeps, type FunctionSettings, type Work } from './environment.ts';
import type { Invocation } from './invoke.ts';
import { CHAIN_MAX, extend, type Lineage, timesIn } from './lineage.ts';
import { type Failure, failure } from './outcome.ts';
import { BUSY, type Scale } from './scale.ts';

const WAITING_MAX = 1000;

/** An environment that has been idle for so long is stopped. Lambda waits longer, but does not share its machine. */
const IDLE_MS = 2 * 60_000;

const CLOSED = failure('crashed', 'ServiceException', 'expected a running engine, got a closed one');
/** The words of Lambda (API reference, Invoke). */
const LOOP = failure(
  'crashed',
  'RecursiveInvocationException',
  "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped your function's invocation.",
);

interface Idle {
  readonly environment: Environment;
  readonly sinceMs: number;
}

/** Who waits for an environment. */
interface Waiting {
  /** Told when one is free or may be started; after the pool is closed, too. */
  readonly go: () => void;
  /** Whether it takes none then, but may ask for one. */
  readonly isAsking: boolean;
}

export interface PoolDeps extends EnvironmentDeps {
  readonly scale?: Scale | undefined;
  /** The machine's own: idle environments take memory, whatever time a test makes it. */
  readonly idleClock?: Clock | undefined;
}

/** The execution environments of one function. */
export class Pool {
  readonly #settings: FunctionSettings;
  readonly #deps: EnvironmentDeps;
  readonly #scale: Scale;
  readonly #idleClock: Clock;
  readonly #busy = new Set<Environment>();
  /** The one used last is at the end and the first to be used again, as on Lambda: so the others can go. */
  readonly #idle: Idle[] = [];
  /** Not empty only while environments are busy: as many as there may be, or for a moment. */
  readonly #waiting: Waiting[] = [];
  /** Somebody has waited long enough for another environment to be started, and has not come yet. */
  #isStartGranted = false;
  #patience: NodeJS.Timeout | undefined;
  #cancelReaping: (() => void) | undefined;
  #closed = false;

  constructor(settings: FunctionSettings, { scale = BUSY, idleClock = systemClock, ...deps }: PoolDeps) {
    this.#settings = settings;
    this.#scale = scale;
    this.#idleClock = idleClock;
    this.#deps = deps;
  }

  get codeDirectory(): string {
    return this.#settings.codeDirectory;
  }

  log(line: string): void {
    this.#deps.log(line);
  }

  /** Handles an event, given as JSON, that comes from what has this lineage. */
  async invoke(event: string, lineage: Lineage): Promise<Invocation> {
    if (this.#closed) return CLOSED;
    const work = { event, lineage: extend(lineage, this.#settings.arn) };
    return this.#refusalOf(work) ?? this.#invoke(work);
  }

  async #invoke(work: Work): Promise<Invocation> {
    const warm = this.#warm();
    if (warm) return this.#run(warm, work);
    if ((this.#busy.size === 0 || this.#isStartGranted) && this.#mayStart()) {
      this.#isStartGranted = false;
      return this.#run(this.#cold(), work);
    }
    if (this.#waiting.length >= WAITING_MAX)
      return failure('crashed', 'TooManyRequestsException', 'Rate Exceeded.');
    const { promise, resolve } = Promise.withResolvers<Invocation>();
    const run = async () => this.#run(this.#warm() ?? this.#cold(), work); // a thread may fail to start: rejected
    this.#waiting.push({ go: () => resolve(this.#closed ? CLOSED : run()), isAsking: false });
    this.#startMoreLater();
    return promise;
  }

  /** Resolves once an event would be handled at once, by an environment that is there or by one that may be started. */
  whenFree(): Promise<void> {
    if (this.#closed || this.#idle.length > 0 || this.#busy.size === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const go = (): void => {
      this.#isStartGranted = this.#idle.length === 0;
      resolve();
    };
    this.#waiting.push({ go, isAsking: true });
    this.#startMoreLater();
    return promise;
  }

  /** Starts an environment if there is none yet, for an event that is about to come. */
  prepare(): void {
    if (this.#closed || this.#busy.size > 0 || this.#idle.length > 0) return;
    this.#idle.push({ environment: this.#cold(), sinceMs: this.#idleClock.now() });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelReaping?.();
    clearTimeout(this.#patience);
    for (const { go } of this.#waiting.splice(0)) go();
    const environments = [...this.#busy, ...this.#idle.map(({ environment }) => environment)];
    await Promise.all(environments.map((environment) => environment.stop()));
  }

  /** Lambda ends a chain that comes back to a function again and again, unless its RecursiveLoop allows that. */
  #refusalOf({ lineage }: Work): Failure | undefined {
    const { arn, allowsLoops } = this.#settings;
    if (allowsLoops || timesIn(lineage, arn) <= CHAIN_MAX) return undefined;
    this.#deps.log(LOOP.errorMessage);
    return LOOP;
  }

  #warm(): Environment | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.environment.alive) return idle.environment; // the others crashed after their last answer
    }
    return undefined;
  }

  #cold(): Environment {
    return new Environment(this.#settings, this.#deps);
  }

  #mayStart(): boolean {
    return this.#busy.size < (this.#settings.environmentsMax ?? this.#scale.environmentsMax);
  }

  #isStarting(): boolean {
    return [...this.#busy].some((environment) => environment.isStarting);
  }

  #startMoreLater(): void {
    const [first] = this.#waiting;
    if (this.#patience !== undefined || !first || !this.#mayStart()) return;
    this.#patience = setTimeout(() => {
      this.#patience = undefined;
      if (first === this.#waiting[0] && this.#mayStart() && !this.#isStarting()) this.#serveNext();
      this.#startMoreLater();
    }, this.#scale.patienceMs);
  }

  #serveNext(): void {
    const next = this.#waiting.shift();
    next?.go();
    if (next?.isAsking && this.#idle.length > 0) this.#serveNext();
  }

  async #run(environment: Environment, work: Work): Promise<Invocation> {
    this.#busy.add(environment);
    const invocation = await environment.invoke(work);
    this.#busy.delete(environment);
    if (environment.alive) this.#idle.push({ environment, sinceMs: this.#idleClock.now() });
    this.#serveNext();
    this.#startMoreLater();
    this.#reapLater();
    return invocation;
  }

  /** One timer for all of them, for the one that has been idle for longest: an invocation costs none. */
  #reapLater(): void {
    const [oldest] = this.#idle;
    if (this.#cancelReaping || this.#closed || !oldest) return;
    const dueInMs = oldest.sinceMs + IDLE_MS - this.#idleClock.now();
    this.#cancelReaping = this.#idleClock.after(Math.max(0, dueInMs), () => {
      this.#cancelReaping = undefined;
      this.#reap();
      this.#reapLater();
    });
  }

  #reap(): void {
    const idleBefore = this.#idleClock.now() - IDLE_MS;
    const keep = this.#idle.findIndex(({ sinceMs }) => sinceMs > idleBefore);
    const over = this.#idle.splice(0, keep < 0 ? this.#idle.length : keep);
    for (const { environment } of over) void environment.stop();
  }
}
