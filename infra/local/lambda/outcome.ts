import type { Invocation } from './invoke.ts';
import type { Reply } from './messages.ts';

/** How the engine's wait for a worker ended: with its reply, or with its end. */
export type Outcome =
  | Reply
  | { readonly kind: 'timeout'; readonly limitMs: number }
  | { readonly kind: 'exited'; readonly code: number };

export type Failure = Extract<Invocation, { ok: false }>;

/** An outcome in Lambda's words. */
export function toInvocation(outcome: Outcome, requestId: string, nowMs: number): Invocation {
  switch (outcome.kind) {
    case 'returned':
      return { ok: true, payload: JSON.parse(outcome.payload) };
    case 'threw':
    case 'crashed':
      return failure(outcome.kind, outcome.errorType, outcome.errorMessage);
    case 'timeout':
      return failure('timeout', 'Sandbox.Timedout', timeoutMessage(outcome.limitMs, requestId, nowMs));
    case 'exited':
      return failure(
        'crashed',
        'Runtime.ExitError',
        `RequestId: ${requestId} Error: ${exitMessage(outcome.code)}`,
      );
    case 'ready':
      throw new Error('expected the answer to a call, got "ready" a second time');
  }
}

export function failure(reason: Failure['reason'], errorType: string, errorMessage: string): Failure {
  return { ok: false, reason, errorType, errorMessage };
}

function timeoutMessage(limitMs: number, requestId: string, nowMs: number): string {
  const seconds = (limitMs / 1000).toFixed(2);
  return `${new Date(nowMs).toISOString()} ${requestId} Task timed out after ${seconds} seconds`;
}

function exitMessage(code: number): string {
  return code === 0
    ? 'Runtime exited without providing a reason'
    : `Runtime exited with error: exit status ${code}`;
}
