import type { BusFaults, EntryRefusal } from '../eventbridge/faults.ts';
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
} from './fields.ts';

export type BusFault = EntryRefuse | EventDuplicate | EventDelay;

interface OnEvent extends Chance {
  readonly on: 'bus';
  readonly bus?: string;
  readonly detailType?: string;
}
/** An entry of a PutEvents is not taken, and the answer says so: each is struck or not. */
interface EntryRefuse extends OnEvent {
  readonly effect: 'refuse';
  /** ThrottlingException is the default. */
  readonly error?: EntryRefusal;
}
/** The other two are about an event on its way to one target of a rule. */
interface EventDuplicate extends OnEvent {
  readonly effect: 'duplicate';
  /** How much later the copy comes. */
  readonly delayMs?: Span;
}
interface EventDelay extends OnEvent {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

const event = { bus: optional(named('bus')), detailType: optional(text) };

export const busFields: FieldsByEffect<BusFault> = {
  refuse: { ...event, error: optional(oneOf('ThrottlingException', 'InternalFailure')) },
  duplicate: { ...event, delayMs: optional(span) },
  delay: { ...event, delayMs: required(span) },
};

/** What buses are told of the faults in force. */
export const busFaults = (active: () => ActiveFaults): BusFaults => ({
  refusal: (bus, type) => {
    const fault = active().strike(of('bus', 'refuse'), bus, ({ detailType = type }) => detailType === type);
    return fault && (fault.error ?? 'ThrottlingException');
  },
  copies: (bus, type) => {
    const fault = active().strike(
      of('bus', 'duplicate', 'delay'),
      bus,
      ({ detailType = type }) => detailType === type,
    );
    if (!fault) return undefined;
    const delayMs = active().ms(fault.delayMs ?? 0);
    return fault.effect === 'duplicate' ? [0, delayMs] : [delayMs];
  },
});
