import { parseArgs } from 'node:util';
import { AWS } from '../model/parameters.ts';
import type { Scenario } from '../model/scenario.ts';
import { INGEST_BATCH_MAX } from '../sizes.ts';

/** What the arguments ask for. */
export type Request =
  | { readonly kind: 'help' }
  | { readonly kind: 'run'; readonly from: string; readonly deliveries?: number; readonly json: boolean }
  | { readonly kind: 'scenario'; readonly scenario: Scenario; readonly json: boolean }
  | {
      readonly kind: 'plan';
      readonly subscribers: number;
      readonly seed: number;
      readonly quotas: Quotas;
      readonly json: boolean;
    };

/** Quotas that AWS has raised for an account; the others are the default ones. */
interface Quotas {
  readonly postsPerSecond?: number;
  readonly connectionsPerSecond?: number;
  readonly workersMax?: number;
}

export const USAGE = `npm run cost -- --run http://localhost:4566    what a local system's operations would cost on AWS
  --run FILE              the same of a saved answer of GET /_fanwire/usage
  --deliveries N          messages that reached somebody, where a post carried several (the posts)

npm run cost -- [scenario]                     what a steady load would cost, beside what one would use instead
  --subscribers N         of each topic (1000)
  --topics N              (1)
  --rate N                messages a second to each topic (1)
  --bytes N               of a message's data (200)
  --coalesced N           messages of a topic that go out in one frame, 1 to ${INGEST_BATCH_MAX} (1)
  --seconds N             (3600)
  --connection-minutes N  of each connection (as long as --seconds)
  --history               the topics keep history
  --by-clients            clients publish, with the SDK (otherwise back ends)

npm run cost -- --plan N                       how soon N subscribers have a message, and what keeps them waiting
  --posts-per-second N    budget of posts, if AWS has raised the account's quota (${AWS.gateway.posts.perSecond})
  --connections-per-second N  new connections, likewise (500)
  --workers N             delivery workers at the same time (10)
  --seed N                of the model's dice (1)

  --json                  for programs`;

/** Wrong arguments: its message is for the person at the terminal. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
}

const LARGEST = 1e12;
type Bounds = readonly [min: number, max: number];

/** Options that take a number: the default, the lowest and the highest. */
const NUMBERS = {
  subscribers: [1_000, [1, 1e8]],
  topics: [1, [1, 1e8]],
  rate: [1, [0.000_001, 1e6]],
  bytes: [200, [0, 128 * 1024]],
  coalesced: [1, [1, INGEST_BATCH_MAX]],
  seconds: [3_600, [1, 1e9]],
} as const satisfies Record<string, readonly [number, Bounds]>;

const text = { type: 'string' } as const;

export function parseRequest(args: readonly string[]): Request {
  const { values } = read(args);
  const { run, plan, json = false } = values;
  if (values.help) return { kind: 'help' };
  if (run !== undefined && plan !== undefined) throw new ArgumentError('expected --run or --plan, got both');
  if (run !== undefined) {
    if (run === '') throw new ArgumentError('expected --run to be a URL or a file, got nothing');
    const { deliveries } = values;
    if (deliveries === undefined) return { kind: 'run', from: run, json };
    return { kind: 'run', from: run, deliveries: number('deliveries', deliveries, [1, LARGEST]), json };
  }
  if (plan !== undefined) {
    return {
      kind: 'plan',
      subscribers: wholeNumber('plan', plan, [1, 1e7]),
      seed: wholeNumber('seed', values.seed ?? '1', [0, 2 ** 32 - 1]),
      quotas: quotasOf(values),
      json,
    };
  }
  return { kind: 'scenario', scenario: scenarioOf(values), json };
}

function quotasOf(values: Readonly<Record<string, unknown>>): Quotas {
  const given = (option: string, name: keyof Quotas, bounds: Bounds) => {
    const value = values[option];
    return value === undefined ? {} : { [name]: wholeNumber(option, String(value), bounds) };
  };
  return {
    ...given('posts-per-second', 'postsPerSecond', [1, 1e6]),
    ...given('connections-per-second', 'connectionsPerSecond', [1, 1e6]),
    // The bounds of an event source mapping's MaximumConcurrency.
    ...given('workers', 'workersMax', [2, 1_000]),
  };
}

function scenarioOf(values: Readonly<Record<string, unknown>>): Scenario {
  const numbers = Object.fromEntries(
    Object.entries(NUMBERS).map(([name, [initial, bounds]]) => {
      const value = values[name];
      return [name, value === undefined ? initial : number(name, String(value), bounds)];
    }),
  ) as Record<keyof typeof NUMBERS, number>; // the same keys
  const minutes = values['connection-minutes'];
  return {
    ...numbers,
    ...(values.history === true && { history: true }),
    ...(values['by-clients'] === true && { byClients: true }),
    connectionMinutes:
      minutes === undefined
        ? numbers.seconds / 60
        : number('connection-minutes', String(minutes), [0, LARGEST]),
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ run: text, deliveries: text, plan: text, seed: text },
        ...{ subscribers: text, topics: text, rate: text, bytes: text, coalesced: text, seconds: text },
        'connection-minutes': text,
        ...{ 'posts-per-second': text, 'connections-per-second': text, workers: text },
        history: { type: 'boolean' },
        'by-clients': { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function number(name: string, value: string, [min, max]: Bounds): number {
  const parsed = value.trim() === '' ? Number.NaN : Number(value);
  if (parsed >= min && parsed <= max) return parsed;
  throw new ArgumentError(
    `expected --${name} to be a number from ${min} to ${max}, got ${value || 'nothing'}`,
  );
}

function wholeNumber(name: string, value: string, bounds: Bounds): number {
  const parsed = number(name, value, bounds);
  if (Number.isInteger(parsed)) return parsed;
  throw new ArgumentError(`expected --${name} to be a whole number, got ${value}`);
}
