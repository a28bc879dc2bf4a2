import type { HttpRequest } from './engine.ts';

/** How the caller of an AWS service ends at its call, which gets no answer then. */
export interface CallerDeath {
  /** Whether the call itself is still performed. */
  readonly isPerformed: boolean;
  readonly kill: () => void;
}

/** Asked wherever something may go wrong with callers. */
export interface CallerFaults {
  deathAt?(request: HttpRequest): CallerDeath | undefined;
}
