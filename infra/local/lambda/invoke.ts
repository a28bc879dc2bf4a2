import type { Lineage } from './lineage.ts';

/** What became of one invocation of a Lambda function. */
export type Invocation =
  | { readonly ok: true; readonly payload: unknown }
  | {
      readonly ok: false;
      /** `denied`: the caller may not invoke it. */
      readonly reason: 'threw' | 'timeout' | 'crashed' | 'denied';
      readonly errorType: string;
      readonly errorMessage: string;
    };

/**
 * Invokes a function by ARN and waits for its end. Never rejects: a failure is an `Invocation`. `lineage` is of what
 * the event comes from, if that carries one.
 */
export type Invoke = (functionArn: string, event: unknown, lineage?: Lineage) => Promise<Invocation>;
