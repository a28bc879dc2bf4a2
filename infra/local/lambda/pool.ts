import type { Invocation } from '../invoke.ts';
import { Environment, type EnvironmentDeps, type FunctionSettings } from './environment.ts';
import { failure } from './outcome.ts';

/** AWS would go on to a thousand; one machine does better with few threads and a short wait. */
const ENVIRONMENTS_MAX_DEFAULT = 5;

const WAITING_MAX = 1000;

/** An environment that has been idle for so long is stopped, unless it is the last one. */
const IDLE_MS = 5 * 60_000;

interface Idle {
  readonly environment: Environment;
  readonly sinceMs: number;
}

interface Waiting {
  readonly event: string;
  readonly resolve: (invocation: Invocation | Promise<Invocation>) => void;
}

/** The execution environments of one function. */
export class Pool {
  readonly #settings: FunctionSettings;
  readonly #deps: EnvironmentDeps;
  readonly #busy = new Set<Environment>();
  /** The one used last is at the end and the first to be used again, as on Lambda: so the others can go. */
  readonly #idle: Idle[] = [];
  /** Not empty only while as many environments as there may be are busy. */
  readonly #waiting: Waiting[] = [];
  #cancelReaping: (() => void) | undefined;
  #closed = false;

  constructor(settings: FunctionSettings, deps: EnvironmentDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async invoke(event: string): Promise<Invocation> {
    if (this.#closed)
      return failure('crashed', 'ServiceException', 'expected a running engine, got a closed one');
    const environment = this.#warm() ?? this.#cold();
    if (environment) return this.#run(environment, event);
    if (this.#waiting.length >= WAITING_MAX)
      return failure('crashed', 'TooManyRequestsException', 'Rate Exceeded.');
    return new Promise((resolve) => this.#waiting.push({ event, resolve }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelReaping?.();
    for (const { event, resolve } of this.#waiting.splice(0)) resolve(this.invoke(event));
    const environments = [...this.#busy, ...this.#idle.map(({ environment }) => environment)];
    await Promise.all(environments.map((environment) => environment.stop()));
  }

  #warm(): Environment | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.environment.alive) return idle.environment; // the others crashed after their last answer
    }
    return undefined;
  }

  #cold(): Environment | undefined {
    const environmentsMax = this.#settings.environmentsMax ?? ENVIRONMENTS_MAX_DEFAULT;
    return this.#busy.size < environmentsMax ? new Environment(this.#settings, this.#deps) : undefined;
  }

  async #run(environment: Environment, event: string): Promise<Invocation> {
    this.#busy.add(environment);
    const invocation = await environment.invoke(event);
    this.#busy.delete(environment);
    if (environment.alive) this.#idle.push({ environment, sinceMs: this.#deps.clock.now() });
    const next = this.#waiting.shift();
    if (next) next.resolve(this.invoke(next.event));
    this.#reapLater();
    return invocation;
  }

  /** One timer for all of them: an invocation costs none. */
  #reapLater(): void {
    if (this.#cancelReaping || this.#closed || this.#idle.length <= 1) return;
    this.#cancelReaping = this.#deps.clock.after(IDLE_MS, () => {
      this.#cancelReaping = undefined;
      this.#reap();
      this.#reapLater();
    });
  }

  #reap(): void {
    const idleBefore = this.#deps.clock.now() - IDLE_MS;
    const keep = this.#idle.findIndex(
      ({ sinceMs }, index) => sinceMs > idleBefore || index === this.#idle.length - 1,
    );
    for (const { environment } of this.#idle.splice(0, keep)) void environment.stop();
  }
}
