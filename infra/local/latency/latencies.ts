import type { GatewayFaults } from '../apigateway/faults.ts';
import type { TableFaults } from '../dynamodb/faults.ts';
import type { BusFaults } from '../eventbridge/faults.ts';
import { createRandom } from '../faults/random.ts';
import type { QueueFaults } from '../sqs/faults.ts';
import { latencyAt, PROFILES, type Profile, type ProfileName } from './profiles.ts';

/** Which latencies a system has, beside those of this machine. */
export interface LatencyOptions {
  readonly profile: ProfileName;
  /** A whole number: the same one and the same order of requests give the same latencies. */
  readonly seed: number;
}

/** What engines ask about everything that comes to them. */
interface Ports {
  readonly tables: TableFaults;
  readonly queues: QueueFaults;
  readonly buses: BusFaults;
  readonly gateway: GatewayFaults;
}

/**
 * Delays by the ports through which engines are told of faults: what a fault delays comes later by both, and what it
 * refuses is refused.
 */
export function withLatencies({ profile, seed }: LatencyOptions, faults: Partial<Ports> = {}): Ports {
  const random = createRandom(seed);
  const draw = (what: keyof Profile): number => latencyAt(PROFILES[profile][what], random());
  const { tables, queues, buses, gateway } = faults;
  return {
    tables: {
      ...tables,
      delayMs: (...request) => draw('table') + (tables?.delayMs?.(...request) ?? 0),
    },
    queues: {
      ...queues,
      fate: (queueName) => {
        const fate = queues?.fate?.(queueName);
        return fate === 'twice' ? fate : draw('queue') + (fate ?? 0);
      },
    },
    buses: {
      ...buses,
      copies: (...event) => (buses?.copies?.(...event) ?? [0]).map((delayMs) => draw('bus') + delayMs),
      answerMs: () => draw('putEvents') + (buses?.answerMs?.() ?? 0),
    },
    gateway: {
      ...gateway,
      management: (...call) => {
        const fault = gateway?.management?.(...call);
        return { ...fault, delayMs: draw('management') + (fault?.delayMs ?? 0) };
      },
    },
  };
}
