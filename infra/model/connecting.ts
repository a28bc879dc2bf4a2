import type { Dice } from './dice.ts';
import { Limiter } from './limiter.ts';
import type { Parameters } from './parameters.ts';
import { Simulation } from './simulation.ts';

/** All clients connect and subscribe to one topic as early as the limits allow. Times are milliseconds. */
export interface Connecting {
  /** When each client is subscribed. */
  readonly subscribedAtMs: Float64Array;
  /** When API Gateway accepted each client's handshake. */
  readonly admittedAtMs: Float64Array;
  /** Milliseconds that all clients together waited for each limit. */
  readonly waits: { readonly connections: number; readonly partition: number; readonly tables: number };
}

/** Writes of one client beside its subscription's row: its connection, and its list of subscriptions. */
const WRITES_OF_CONNECTIONS = 2;

/**
 * A handshake waits for its authorizer first. On AWS a refused client tries again later. This is the best case: every client comes exactly when it is accepted.
 * A topic has one shard until a message finds it too full, so all rows of subscribers go to one partition.
 */
export function simulateConnecting(clients: number, parameters: Parameters, dice: Dice): Connecting {
  const { gateway, lambda, tables } = parameters;
  const simulation = new Simulation();
  const subscribedAtMs = new Float64Array(clients);
  const admittedAtMs = new Float64Array(clients);
  const handshakes = new Limiter(gateway.connections);
  const writes = new Limiter(tables.writeUnits);
  const partition = new Limiter({ perSecond: tables.partitionWriteUnitsPerSecond, burst: 1 });
  for (let client = 0; client < clients; client++) {
    const admittedMs = handshakes.take(0);
    admittedAtMs[client] = admittedMs;
    simulation.at(admittedMs + dice(gateway.handshake) + dice(lambda.route), () => {
      const writableMs = writes.take(simulation.now, WRITES_OF_CONNECTIONS);
      simulation.at(writableMs + dice(lambda.route), () => {
        const rowMs = partition.take(simulation.now);
        subscribedAtMs[client] = rowMs + dice(tables.read);
      });
    });
  }
  simulation.run();
  return {
    subscribedAtMs,
    admittedAtMs,
    waits: { connections: handshakes.waitedMs, partition: partition.waitedMs, tables: writes.waitedMs },
  };
}
