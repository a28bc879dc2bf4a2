import { createRandom } from '../local/faults/random.ts';
import { costOf } from './bill.ts';
import { connectingLimit, deliveryLimit, fanOutLimit, queueLimit, type StageLimit } from './bottlenecks.ts';
import { simulateConnecting } from './connecting.ts';
import { type Delivery, simulateDelivery } from './delivery.ts';
import { createDice } from './dice.ts';
import { AWS, type Parameters } from './parameters.ts';
import { PRICES } from './prices.ts';
import { usageOf } from './scenario.ts';

interface PlanRequest {
  readonly subscribers: number;
  readonly seed: number;
}

/** How soon so many subscribers have one message, and what it costs. */
export interface Plan {
  readonly subscribers: number;
  readonly connect: { readonly p50Ms: number; readonly lastMs: number };
  readonly deliver: { readonly p50Ms: number; readonly p99Ms: number; readonly lastMs: number };
  readonly invocations: number;
  readonly environments: number;
  readonly dollars: number;
  readonly dollarsPerMillionDeliveries: number;
  /** Which limit each stage runs into. */
  readonly limits: readonly StageLimit[];
}

/** The plan for so many subscribers, after those for each smaller power of ten from a thousand on. */
export const planFor = ({ subscribers, seed }: PlanRequest, parameters: Parameters = AWS): Plan[] =>
  [...powersOfTenBelow(subscribers), subscribers].map((count) => planOne(count, seed, parameters));

const SMALLEST = 1_000;

function powersOfTenBelow(subscribers: number): number[] {
  const powers: number[] = [];
  for (let power = SMALLEST; power < subscribers; power *= 10) powers.push(power);
  return powers;
}

function planOne(subscribers: number, seed: number, parameters: Parameters): Plan {
  const dice = createDice(createRandom(seed));
  const connecting = simulateConnecting(subscribers, parameters, dice);
  const delivery = simulateDelivery(subscribers, parameters, dice);
  const subscribed = connecting.subscribedAtMs.toSorted();
  const received = delivery.receivedAtMs.toSorted();
  return {
    subscribers,
    connect: { p50Ms: at(subscribed, 0.5), lastMs: at(subscribed, 1) },
    deliver: { p50Ms: at(received, 0.5), p99Ms: at(received, 0.99), lastMs: at(received, 1) },
    invocations: delivery.invocations,
    environments: delivery.environments,
    ...billOf(subscribers, delivery, parameters),
    limits: [
      connectingLimit(connecting, parameters),
      fanOutLimit(delivery),
      ...(delivery.jobs > 0 ? [queueLimit(delivery, parameters)] : []),
      deliveryLimit(delivery, parameters),
    ],
  };
}

/** Nearest rank, of numbers in their order. */
export const at = (sorted: Float64Array, share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;

/** One message by formula, with the Lambda time of the simulation: its workers wait for their turns, and waiting is billed. */
function billOf(subscribers: number, delivery: Delivery, { lambda }: Parameters) {
  const usage = usageOf({
    ...{ subscribers, topics: 1, rate: 1, bytes: 200, coalesced: 1, seconds: 1, connectionMinutes: 0 },
  });
  const timed = (name: string, ms: number) => {
    const found = usage.functions[name];
    return found && { [name]: { ...found, gbSeconds: (ms / 1_000) * lambda.memoryGb } };
  };
  const functions = {
    ...usage.functions,
    ...timed('fanout', delivery.fanOutMs),
    ...timed('deliver', delivery.workerMs),
  };
  const { byStage, dollarsPerMillionDeliveries } = costOf({ ...usage, functions }, PRICES, subscribers);
  const dollars = byStage.publish + byStage['fan out'] + byStage.deliver;
  return { dollars, dollarsPerMillionDeliveries };
}
