import type { FunctionFaults } from '../lambda/faults.ts';
import { type ActiveFaults, of } from './active.ts';
import {
  type Chance,
  type FieldsByEffect,
  named,
  oneOf,
  optional,
  required,
  type Span,
  span,
  text,
  wholeNumber,
} from './fields.ts';
import type { Invocations } from './invocations.ts';

export type FunctionFault = EnvironmentKill | EnvironmentCrash | EnvironmentDelay;

/** An execution environment. */
interface OnEnvironment extends Chance {
  readonly on: 'function';
  readonly function?: string;
}
/** It is killed in the middle of an invocation, at a call that the code makes with the AWS SDK. */
interface EnvironmentKill extends OnEnvironment {
  readonly effect: 'kill';
  /** At which call of the invocation, from 1. */
  readonly call: number;
  /** Counts the calls of one operation only, for example `PutEvents` or `PostToConnection`. */
  readonly operation?: string;
  /** Whether the call itself is still performed; `after` is the default. Its answer is lost anyway. */
  readonly when?: 'before' | 'after';
}
/** It ends while it starts. */
interface EnvironmentCrash extends OnEnvironment {
  readonly effect: 'crash';
}
/** Its start takes so long at least. */
interface EnvironmentDelay extends OnEnvironment {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

const environment = { function: optional(named('function')) };

export const functionFields: FieldsByEffect<FunctionFault> = {
  kill: {
    ...environment,
    call: required(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
    operation: optional(text),
    when: optional(oneOf('before', 'after')),
  },
  crash: environment,
  delay: { ...environment, delayMs: required(span) },
};

/** What functions are told of the faults in force. Kills strike calls, and so belong to `invocations`. */
export const functionFaults = (active: () => ActiveFaults, invocations: Invocations): FunctionFaults => ({
  start: (functionName) => {
    const fault = active().strike(of('function', 'crash', 'delay'), functionName);
    return fault && (fault.effect === 'crash' ? 'crash' : active().ms(fault.delayMs));
  },
  invoked: (...invocation) => invocations.begin(...invocation),
});
