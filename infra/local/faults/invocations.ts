import { type HttpRequest, operationOf } from '../http/engine.ts';
import type { CallerDeath } from '../http/faults.ts';
import { type ActiveFaults, of } from './active.ts';

interface Invocation {
  readonly functionName: string;
  readonly kill: () => void;
  /** How often it has called each operation. */
  readonly calls: Map<string, number>;
  isDead: boolean;
}

/** API Gateway's management operations have no X-Amz-Target. */
const MANAGEMENT: Readonly<Record<string, string>> = {
  POST: 'PostToConnection',
  GET: 'GetConnection',
  DELETE: 'DeleteConnection',
};

const DEAD: CallerDeath = { isPerformed: false, kill: () => {} };

/** The invocations that are running and the calls to AWS that each has made, so that one can end between two calls. */
export class Invocations {
  /** By the trace id that their calls carry. */
  readonly #running = new Map<string, Invocation>();

  /** The answer is to be called when it has ended. */
  begin(functionName: string, traceId: string, kill: () => void): () => void {
    // If it has ended before it could be killed, the thread may be at its next one.
    const killRunning = (): void => void (this.#running.has(traceId) && kill());
    this.#running.set(traceId, { functionName, kill: killRunning, calls: new Map(), isDead: false });
    return () => this.#running.delete(traceId);
  }

  /** Whether an invocation dies at this call of it. */
  deathAt(request: HttpRequest, faults: ActiveFaults): CallerDeath | undefined {
    const invocation = this.#running.get(String(request.headers['x-amzn-trace-id']));
    if (!invocation) return undefined;
    // Until its thread has ended, calls may still come that a dead one would not have made.
    if (invocation.isDead) return DEAD;
    const { functionName, calls, kill } = invocation;
    const operation = operationOf(request) || (MANAGEMENT[request.method ?? ''] ?? '');
    calls.set(operation, (calls.get(operation) ?? 0) + 1);
    const all = calls.values().reduce((sum, count) => sum + count, 0);
    const fault = faults.strike(of('function', 'kill'), functionName, (each) => {
      const count = each.operation === undefined ? all : calls.get(each.operation);
      return each.call === count && (each.operation ?? operation) === operation;
    });
    if (!fault) return undefined;
    invocation.isDead = true;
    return { isPerformed: fault.when !== 'before', kill };
  }
}
