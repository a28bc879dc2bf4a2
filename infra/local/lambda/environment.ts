import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { Delays } from '../delays.ts';
import type { LoopbackSettings } from '../http/loopback/dial.ts';
import type { FunctionFaults } from './faults.ts';
import type { Invocation } from './invoke.ts';
import { type Lineage, toField } from './lineage.ts';
import type { Call, Reply, WorkerSettings } from './messages.ts';
import type { FunctionMeter } from './meter.ts';
import { type Outcome, toInvocation } from './outcome.ts';
import { environmentVariables } from './variables.ts';
import { workerCode } from './worker-code.ts';

export interface FunctionSettings {
  readonly arn: string;
  readonly name: string;
  /** Absolute path of the unpacked code. */
  readonly codeDirectory: string;
  /** `file.export`, for example `index.handler`. */
  readonly handler: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
  /** `/aws/lambda/{name}` unless it is given. */
  readonly logGroupName?: string;
  /** How many events the function handles at once; the others wait. */
  readonly environmentsMax?: number;
  /** Whether a chain of invocations may come back to it without end (RecursiveLoop). */
  readonly allowsLoops?: boolean;
}

/** What an environment is to handle. */
export interface Work {
  /** JSON. */
  readonly event: string;
  /** The chain of invocations, this one included. */
  readonly lineage: Lineage;
}

export interface EnvironmentDeps {
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly faults?: FunctionFaults | undefined;
  readonly meter?: FunctionMeter | undefined;
  readonly server?: NearServer | undefined;
}

/** A server of this process, which threads reach without the kernel. */
export interface NearServer {
  readonly port: number;
  plugIn(messages: MessagePort): void;
}

/** https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: the init phase. */
const INIT_TIMEOUT_MS = 10_000;

/** Of a process that the kernel ends with SIGKILL. */
const KILLED = 137;

const YOUNG_GENERATION_MB = 3;

/** One execution environment: a worker thread that handles one event at a time. */
export class Environment {
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #deps: EnvironmentDeps;
  readonly #worker: Worker;
  readonly #calls = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #start: Promise<void>;
  #isStarting = true;
  /** Of a start that a fault slows down. */
  readonly #delays: Delays;
  /** Ends the wait for the worker that is under way; afterwards it does nothing. */
  #settle: (outcome: Outcome) => void = () => {};
  /** Why the worker ends or has ended. Once this is set, nothing it says counts any more. */
  #ending: Outcome | undefined;

  constructor(settings: FunctionSettings, deps: EnvironmentDeps) {
    this.#name = settings.name;
    this.#timeoutMs = settings.timeoutMs;
    this.#deps = deps;
    this.#delays = new Delays(deps.clock);
    this.#worker = startWorker(settings, this.#calls, deps);
    this.#worker.on('message', (reply: Reply) => this.#onReply(reply));
    this.#worker.on('error', (error) => {
      deps.log(String(error));
      this.#ending ??= { kind: 'crashed', errorType: 'Runtime.ExitError', errorMessage: String(error) };
    });
    this.#worker.on('exit', (code) => {
      this.#ending ??= { kind: 'exited', code };
      this.#settle(this.#ending);
    });
    this.#start = this.#startUp(deps.faults?.start?.(settings.name));
  }

  /** Whether it can handle another event. */
  get alive(): boolean {
    return this.#ending === undefined;
  }

  /** Whether its code is still being loaded, which is over within the init phase. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** Handles one event. Not to be called again before the answer. */
  async invoke({ event, lineage }: Work): Promise<Invocation> {
    const { clock, log, faults } = this.#deps;
    const requestId = randomUUID();
    const traceId = createTraceId(clock.now(), lineage);
    const call = { requestId, event, traceId, timeoutMs: this.#timeoutMs };
    const outcome = await (faults ? this.#handleFaulty(call, faults) : this.#handle(call));
    const invocation = toInvocation(outcome, requestId, clock.now());
    // An error that the worker reports itself, it has logged, with its stack.
    if (!invocation.ok && !('errorType' in outcome)) log(invocation.errorMessage);
    return invocation;
  }

  /** Stops the code, wherever it is. */
  async stop(): Promise<void> {
    await this.#end(0);
  }

  async #end(code: number): Promise<void> {
    this.#ending ??= { kind: 'exited', code };
    this.#delays.endAll();
    await this.#worker.terminate();
  }

  async #startUp(fault: 'crash' | number | undefined): Promise<void> {
    if (fault === 'crash') void this.#end(1);
    const delay = typeof fault === 'number' ? this.#delays.wait(fault) : undefined;
    const startedAt = performance.now();
    await this.#wait(INIT_TIMEOUT_MS);
    this.#isStarting = false;
    this.#deps.meter?.initialised(this.#name, performance.now() - startedAt);
    await delay;
  }

  async #handleFaulty(call: Call, faults: FunctionFaults): Promise<Outcome> {
    const ended = faults.invoked?.(this.#name, call.traceId, () => void this.#end(KILLED));
    const outcome = await this.#handle(call);
    ended?.();
    return outcome;
  }

  async #handle(call: Call): Promise<Outcome> {
    await this.#start;
    if (this.#ending) return this.#ending; // it may end right after its start, between two waits for its replies
    const startedAt = performance.now();
    this.#worker.postMessage(call);
    Atomics.add(this.#calls, 0, 1);
    Atomics.notify(this.#calls, 0);
    const outcome = await this.#wait(call.timeoutMs);
    const heapBytes = 'heapBytes' in outcome ? outcome.heapBytes : 0;
    const isOk = outcome.kind === 'returned';
    this.#deps.meter?.invoked(this.#name, performance.now() - startedAt, isOk, heapBytes);
    return outcome;
  }

  /** Waits for the worker's next reply or its end, which a timeout brings about: so nothing runs on after it. */
  #wait(limitMs: number): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const cancelTimeout = this.#deps.clock.after(limitMs, () => {
      this.#ending ??= { kind: 'timeout', limitMs };
      void this.#worker.terminate();
    });
    this.#settle = (outcome) => {
      cancelTimeout();
      resolve(outcome);
    };
    return promise;
  }

  #onReply(reply: Reply): void {
    if (this.#ending) return;
    if (reply.kind === 'crashed') {
      this.#ending = reply; // its exit follows
    } else {
      this.#settle(reply);
    }
  }
}

function startWorker(
  settings: FunctionSettings,
  calls: Int32Array,
  { clock, log, server }: EnvironmentDeps,
): Worker {
  const loopback = server && plugInto(server);
  const workerData: WorkerSettings = {
    codeDirectory: settings.codeDirectory,
    handler: settings.handler,
    functionName: settings.name,
    functionArn: settings.arn,
    memoryMb: settings.memoryMb,
    logGroupName: settings.logGroupName ?? `/aws/lambda/${settings.name}`,
    logStreamName: createLogStreamName(clock.now()),
    calls,
    ...(loopback && { loopback }),
  };
  const worker = new Worker(workerCode, {
    eval: true,
    name: settings.name,
    workerData,
    transferList: loopback ? [loopback.messages] : [],
    env: environmentVariables(workerData, settings.environment),
    argv: [],
    execArgv: [], // not the options of this process
    stdout: true,
    stderr: true,
    // A small nursery, or dozens of threads let their garbage grow to gigabytes. No limit on the rest: one allocation
    // beyond it aborts the whole process, not just the thread (Node 24.21).
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  for (const input of [worker.stdout, worker.stderr]) createInterface({ input }).on('line', log);
  return worker;
}

function plugInto(server: NearServer): LoopbackSettings {
  const { port1, port2 } = new MessageChannel();
  server.plugIn(port1);
  return { messages: port2, port: server.port };
}

/** As Lambda sets it (X-Ray guide, "Tracing header"): `Root=1-<time>-<random>;Parent=…;Sampled=0;Lineage=…`. */
function createTraceId(nowMs: number, lineage: Lineage): string {
  const time = Math.floor(nowMs / 1000)
    .toString(16)
    .padStart(8, '0');
  const random = randomUUID().replaceAll('-', '');
  return `Root=1-${time}-${random.slice(8)};Parent=${random.slice(16)};Sampled=0;${toField(lineage)}`;
}

/** For example `2026/11/20/[$LATEST]8a3f…`. */
function createLogStreamName(nowMs: number): string {
  const date = new Date(nowMs).toISOString().slice(0, 10).replaceAll('-', '/');
  return `${date}/[$LATEST]${randomUUID().replaceAll('-', '')}`;
}
