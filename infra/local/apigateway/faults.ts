import type { Clock } from '../clock.ts';
import { type Answer, bareFailure } from './management.ts';

/** What goes wrong with one call to @connections. */
export interface ManagementFault {
  /** Whatever happens, happens so much later. */
  readonly delayMs?: number;
  /**
   * An HTTP status to answer with; `hang`: never answers; `drop`: answers as if it had done what it has not.
   * Without an outcome the call is performed.
   */
  readonly outcome?: number | 'hang' | 'drop';
}

/** Asked wherever something may go wrong in a gateway. */
export interface GatewayFaults {
  management?(method: string, connectionId: string): ManagementFault | undefined;
  /** Whether `$disconnect` is never told of this connection, or how many milliseconds later. */
  disconnect?(connectionId: string): 'never' | number | undefined;
}

interface Call {
  readonly method: string | undefined;
  readonly perform: () => Answer;
  readonly answer: (answer: Answer) => void;
}

/** Answers a call to which `fault` happens. */
export function answerFaulty({ delayMs = 0, outcome }: ManagementFault, call: Call, clock: Clock): void {
  if (outcome === 'hang') return;
  const finish = (): void =>
    call.answer(outcome === undefined ? call.perform() : pretend(outcome, call.method));
  if (delayMs === 0) finish();
  else clock.after(delayMs, finish);
}

const pretend = (outcome: number | 'drop', method: string | undefined): Answer => {
  if (outcome !== 'drop') return bareFailure(outcome);
  return { status: method === 'DELETE' ? 204 : 200 };
};
