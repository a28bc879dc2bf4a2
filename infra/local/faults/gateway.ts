import type { GatewayFaults, ManagementFault } from '../apigateway/faults.ts';
import { type ActiveFaults, of } from './active.ts';
import {
  type Chance,
  type FieldsByEffect,
  oneOf,
  optional,
  required,
  type Span,
  span,
  text,
  wholeNumber,
} from './fields.ts';

export type ConnectionsFault = CallDelay | CallHang | CallAnswer | CallDrop;
export type DisconnectFault = DisconnectLoss | DisconnectDelay;

/** A call to @connections. */
interface OnCall extends Chance {
  readonly on: '@connections';
  readonly method?: 'POST' | 'GET' | 'DELETE';
  readonly connectionId?: string;
}
/** It is performed so much later. */
interface CallDelay extends OnCall {
  readonly effect: 'delay';
  readonly delayMs: Span;
}
/** It is not performed, and never answered. */
interface CallHang extends OnCall {
  readonly effect: 'hang';
}
/** It is not performed, and answered with a status. */
interface CallAnswer extends OnCall {
  readonly effect: 'answer';
  readonly status: number;
  readonly delayMs?: Span;
}
/** It is not performed, and answered as if it had been. A GET, which would have nothing to answer with, is not struck. */
interface CallDrop extends OnCall {
  readonly effect: 'drop';
  readonly delayMs?: Span;
}

/** The end of a connection. */
interface OnDisconnect extends Chance {
  readonly on: 'disconnect';
  readonly connectionId?: string;
}
/** `$disconnect` is never told. */
interface DisconnectLoss extends OnDisconnect {
  readonly effect: 'lose';
}
interface DisconnectDelay extends OnDisconnect {
  readonly effect: 'delay';
  readonly delayMs: Span;
}

const connectionId = optional(text);
const call = { connectionId, method: optional(oneOf('POST', 'GET', 'DELETE')) };

export const connectionsFields: FieldsByEffect<ConnectionsFault> = {
  delay: { ...call, delayMs: required(span) },
  hang: call,
  answer: { ...call, status: required(wholeNumber(400, 599)), delayMs: optional(span) },
  drop: { ...call, delayMs: optional(span) },
};

export const disconnectFields: FieldsByEffect<DisconnectFault> = {
  lose: { connectionId },
  delay: { connectionId, delayMs: required(span) },
};

/** What gateways are told of the faults in force. */
export const gatewayFaults = (active: () => ActiveFaults): GatewayFaults => ({
  management: (method, connectionId) => {
    const fault = active().strike(
      of('@connections', 'delay', 'hang', 'answer', 'drop'),
      undefined,
      (each) =>
        (each.method ?? method) === method &&
        (each.connectionId ?? connectionId) === connectionId &&
        !(each.effect === 'drop' && method === 'GET'),
    );
    return fault && managementFault(fault, active());
  },
  disconnect: (id) => {
    const fault = active().strike(
      of('disconnect', 'lose', 'delay'),
      undefined,
      ({ connectionId = id }) => connectionId === id,
    );
    return fault && (fault.effect === 'lose' ? 'never' : active().ms(fault.delayMs));
  },
});

function managementFault(fault: ConnectionsFault, active: ActiveFaults): ManagementFault {
  if (fault.effect === 'hang') return { outcome: 'hang' };
  const delayMs = active.ms(fault.delayMs ?? 0);
  if (fault.effect === 'delay') return { delayMs };
  return { delayMs, outcome: fault.effect === 'drop' ? 'drop' : fault.status };
}
