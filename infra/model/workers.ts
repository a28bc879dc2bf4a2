import type { Job, Waits } from './delivery.ts';
import type { Dice } from './dice.ts';
import { Limiter } from './limiter.ts';
import type { Parameters } from './parameters.ts';
import type { Simulation } from './simulation.ts';

interface WorkersDeps {
  readonly simulation: Simulation;
  readonly dice: Dice;
}

const MS_PER_MINUTE = 60_000;

/** The delivery queue, the pollers of its mapping, and the environments in which the worker runs. */
export class Workers {
  readonly receivedAtMs: Float64Array;
  readonly postedAtMs: Float64Array;
  environments = 0;
  invocations = 0;
  busyMs = 0;
  readonly #parameters: Parameters;
  readonly #deps: WorkersDeps;
  readonly #posts: Limiter;
  readonly #starts: Limiter;
  /** In the queue, the oldest first, from `#next` on. */
  readonly #jobs: Job[] = [];
  #next = 0;
  /** Pollers that wait for the end of an invocation. */
  #running = 0;
  /** Environments that are started and not at work. */
  #idle: number;
  /** When the first job came into the queue: pollers are added from then on. */
  #busySinceMs: number | undefined;
  #isLooking = false;
  #processorWaitMs = 0;
  #workerWaitMs = 0;

  constructor(subscribers: number, parameters: Parameters, deps: WorkersDeps) {
    this.receivedAtMs = new Float64Array(subscribers);
    this.postedAtMs = new Float64Array(subscribers);
    this.#parameters = parameters;
    this.#deps = deps;
    this.#posts = new Limiter(parameters.gateway.posts);
    this.#starts = new Limiter(parameters.lambda.environments);
    this.#idle = parameters.lambda.warm;
  }

  get waits(): Omit<Waits, 'tables'> {
    return {
      posts: this.#posts.waitedMs,
      processors: this.#processorWaitMs,
      workers: this.#workerWaitMs,
    };
  }

  /** Puts jobs into the queue. */
  add(jobs: readonly Job[]): void {
    this.#jobs.push(...jobs);
    this.#busySinceMs ??= this.#deps.simulation.now;
    this.#look();
  }

  /** Posts in the fan-out itself, without queue and worker, as it does for a few subscribers. */
  postHere(job: Job): void {
    this.#post([job], () => {});
  }

  /** Starts a worker for each batch of waiting jobs, as long as pollers are free. */
  #look(): void {
    const { simulation, dice } = this.#deps;
    const { mapping, queue } = this.#parameters;
    while (this.#next < this.#jobs.length && this.#running < this.#pollers()) {
      const batch = this.#jobs.slice(this.#next, this.#next + mapping.batchMax);
      this.#next += batch.length;
      this.#running++;
      simulation.at(simulation.now + dice(queue.poll), () => this.#invoke(batch));
    }
    if (this.#next < this.#jobs.length) this.#lookLater();
  }

  #pollers(): number {
    const { mapping, lambda } = this.#parameters;
    const elapsedMs = this.#deps.simulation.now - (this.#busySinceMs ?? 0);
    const grown = mapping.pollersAtFirst + Math.floor((elapsedMs * mapping.pollersPerMinute) / MS_PER_MINUTE);
    return Math.min(grown, mapping.concurrencyMax, lambda.concurrencyMax);
  }

  /** Looks again when the mapping adds a poller. A worker that ends looks in any case. */
  #lookLater(): void {
    const { simulation } = this.#deps;
    const { pollersPerMinute, concurrencyMax } = this.#parameters.mapping;
    if (this.#isLooking || pollersPerMinute === 0 || this.#pollers() >= concurrencyMax) return;
    this.#isLooking = true;
    const waitMs = MS_PER_MINUTE / pollersPerMinute;
    this.#workerWaitMs += waitMs;
    simulation.at(simulation.now + waitMs, () => {
      this.#isLooking = false;
      this.#look();
    });
  }

  #invoke(batch: readonly Job[]): void {
    const { simulation, dice } = this.#deps;
    const { lambda } = this.#parameters;
    const askedAtMs = simulation.now;
    const readyAtMs = this.#idle > 0 ? askedAtMs : this.#starts.take(askedAtMs) + dice(lambda.coldStart);
    if (this.#idle > 0) this.#idle--;
    else this.environments++;
    this.invocations++;
    simulation.at(readyAtMs, () =>
      this.#post(batch, () => {
        simulation.at(simulation.now + lambda.overheadMs, () => {
          this.busyMs += simulation.now - askedAtMs;
          this.#idle++;
          this.#running--;
          this.#look();
        });
      }),
    );
  }

  /** Posts the jobs of one invocation, which follow one another; its processor begins one post at a time. */
  #post(batch: readonly Job[], done: () => void): void {
    const { simulation, dice } = this.#deps;
    const { gateway, fanwire } = this.#parameters;
    const to = batch.at(-1)?.to ?? 0;
    let at = batch[0]?.from ?? 0;
    let processorFreeAtMs = simulation.now;
    let inFlight = 0;
    const next = (): void => {
      if (at >= to) {
        if (inFlight === 0) done();
        return;
      }
      const subscriber = at++;
      const turnMs = this.#posts.take(simulation.now);
      const startMs = Math.max(turnMs, processorFreeAtMs);
      this.#processorWaitMs += startMs - turnMs;
      processorFreeAtMs = startMs + fanwire.postCpuMs;
      const endMs = processorFreeAtMs + dice(gateway.post);
      this.postedAtMs[subscriber] = startMs;
      this.receivedAtMs[subscriber] = endMs;
      inFlight++;
      simulation.at(endMs, () => {
        inFlight--;
        next();
      });
    };
    const slots = Math.min(fanwire.postsInFlightMax, to - at);
    for (let slot = 0; slot < slots; slot++) next();
  }
}
