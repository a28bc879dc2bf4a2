import { existsSync } from 'node:fs';
import { type Clock, systemClock } from '../clock.ts';
import type { EnvironmentDeps, FunctionSettings } from './environment.ts';
import type { Invocation, Invoke } from './invoke.ts';
import { type Lineage, NO_LINEAGE } from './lineage.ts';
import { type Failure, failure } from './outcome.ts';
import { Pool, type PoolDeps } from './pool.ts';

export type { FunctionSettings } from './environment.ts';

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB when the caller waits for the end. */
const EVENT_BYTES_MAX = 6 * 1024 * 1024;

interface FunctionsDeps {
  readonly clock?: Clock;
  /** Gets what the functions print, line by line, and why an invocation failed. */
  readonly log: (functionName: string, line: string) => void;
  readonly faults?: EnvironmentDeps['faults'];
  readonly meter?: EnvironmentDeps['meter'];
  readonly server?: EnvironmentDeps['server'];
  readonly scale?: PoolDeps['scale'];
  readonly idleClock?: PoolDeps['idleClock'];
  /** Makes code again that has been deleted while it is needed. */
  readonly restoreCode?: (() => Promise<void>) | undefined;
}

/** Runs Lambda functions in worker threads, as Lambda runs them in its execution environments. */
export class Functions {
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #restoreCode: FunctionsDeps['restoreCode'];
  /** Under way: what several functions miss is made once. */
  #restoring: Promise<void> | undefined;

  constructor(
    functions: readonly FunctionSettings[],
    { clock = systemClock, log, restoreCode, ...deps }: FunctionsDeps,
  ) {
    this.#restoreCode = restoreCode;
    const createPool = (settings: FunctionSettings) => {
      const logLine = (line: string): void => {
        deps.meter?.logged(settings.name, Buffer.byteLength(line));
        log(settings.name, line);
      };
      return new Pool(settings, { clock, log: logLine, ...deps });
    };
    this.#pools = new Map(functions.map((settings) => [settings.arn, createPool(settings)]));
  }

  /** A field, so that it can be handed on without its object. */
  readonly invoke: Invoke = async (functionArn, event, lineage = NO_LINEAGE) => {
    const pool = this.#pools.get(functionArn);
    if (!pool) return failure('crashed', 'ResourceNotFoundException', `Function not found: ${functionArn}`);
    const json = toJson(event);
    if (typeof json !== 'string') return json;
    const invocation = await invokeIn(pool, json, lineage);
    if (!isLacking(invocation, pool) || !(await this.#restore(pool))) return invocation;
    return invokeIn(pool, json, lineage); // nothing of it had run
  };

  /** Resolves once an event would be handled at once. */
  readonly whenFree = async (functionArn: string): Promise<void> => {
    await this.#pools.get(functionArn)?.whenFree(); // if there is none, an invocation will say so
  };

  /** Has a function's code loaded, if it is not, for an event that is about to come. A field, as `invoke` is. */
  readonly prepare = (functionArn: string): void => {
    try {
      this.#pools.get(functionArn)?.prepare();
    } catch {
      // A thread that cannot start: the event will fail by it, and say so.
    }
  };

  /** Whether there is hope that deleted code is there again. */
  async #restore(pool: Pool): Promise<boolean> {
    if (!this.#restoreCode) return false;
    this.#restoring ??= this.#restoreCode().finally(() => {
      this.#restoring = undefined;
    });
    try {
      await this.#restoring;
      return true;
    } catch (error) {
      pool.log(`its code was deleted, and could not be made again: ${error}`);
      return false;
    }
  }

  /** Stops all code. What is under way fails. */
  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }
}

async function invokeIn(pool: Pool, json: string, lineage: Lineage): Promise<Invocation> {
  try {
    return await pool.invoke(json, lineage);
  } catch (error) {
    // A thread that cannot even start, as with NODE_OPTIONS that Node refuses.
    return failure('crashed', 'Runtime.ExitError', String(error));
  }
}

/** Whether it failed because the function's code, which was there at the start, is there no more. */
const isLacking = (invocation: Invocation, { codeDirectory }: Pool): boolean =>
  !invocation.ok && invocation.errorType === 'Runtime.ImportModuleError' && !existsSync(codeDirectory);

/** The event as JSON, or why Lambda would refuse it. */
function toJson(event: unknown): string | Failure {
  try {
    const json = JSON.stringify(event) ?? 'null';
    if (Buffer.byteLength(json) <= EVENT_BYTES_MAX) return json;
    return failure(
      'crashed',
      'RequestTooLargeException',
      `expected an event of at most ${EVENT_BYTES_MAX} bytes`,
    );
  } catch (error) {
    return failure(
      'crashed',
      'InvalidRequestContentException',
      `expected an event that JSON can carry: ${error}`,
    );
  }
}
