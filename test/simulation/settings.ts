import { completeSettings } from '../../infra/settings.ts';
import { SLOW_WORKERS_MAX } from '../../infra/sizes.ts';
import type { AuthSettings, TrustedIssuer } from '../../shared/auth/settings.ts';
import type { Authorization } from '../../shared/lambda/config.ts';
import type { CompleteLimits } from '../../shared/protocol/limits.ts';
import type { Namespaces } from '../../shared/protocol/namespaces.ts';
import { AGE_MAX_MS } from './gateway.ts';
import type { World } from './world.ts';

const MINUTE_MS = 60_000;
/** Items in a page of a Query: with large ones there are few. */
const PAGE_ITEMS_MAX = [2, 5, 1_000];
/** More than anybody has. */
export const SUBSCRIPTIONS_MAX = 100;
const SHARD_SUBSCRIBERS_MAX = 5_000;
const USUAL = completeSettings({});

export interface SystemSettings {
  readonly namespaces: Namespaces;
  readonly inlineMax: number;
  readonly shardSubscribersMax: number;
  readonly attemptsMax: number;
  readonly workersMax: number;
  readonly visibilityMs: number;
  readonly ageMaxMs: number;
  /** Undefined means as many as one likes. */
  readonly requestsPerSecondMax: number | undefined;
  readonly authorization: Authorization;
  readonly auth: AuthSettings;
  readonly issuers: readonly TrustedIssuer[];
  readonly limits: CompleteLimits;
  readonly subscriptionsMax: number;
  readonly pageItemsMax: number;
}

export function rollSettings({ dice, faults, mode }: World): SystemSettings {
  const history = () => ({
    messages: dice.pick([4, 20, 1_000, 1_000]),
    seconds: dice.pick([20, 300, 3_600, 3_600]),
  });
  const usual = {
    recovery: false,
    wildcards: true,
    lastValue: false,
    clientPublish: true,
    dataBytesMax: 30_000,
  };
  const isShortLived = faults.has('connectionCut');
  const shortestMs = faults.isGentle ? 3 * MINUTE_MS : 20_000;
  const ageMaxMs = isShortLived ? dice.scale(shortestMs, 20 * MINUTE_MS) : AGE_MAX_MS;
  return {
    namespaces: {
      '*': usual,
      log: { ...usual, recovery: true, history: { messages: 1_000, seconds: 3_600 } },
      short: { ...usual, recovery: dice.chance(0.8), history: history() },
      last: { ...usual, recovery: true, lastValue: true, history: history() },
      closed: { ...usual, wildcards: false, clientPublish: false, dataBytesMax: 10_000 },
    },
    inlineMax: dice.pick([1, 2, 200, 200]),
    shardSubscribersMax: dice.pick([2, SHARD_SUBSCRIBERS_MAX, SHARD_SUBSCRIBERS_MAX]),
    attemptsMax: dice.integer(1, 5),
    workersMax: dice.pick([2, 5, 50]),
    visibilityMs: dice.pick([100_000, 540_000]),
    ageMaxMs,
    requestsPerSecondMax: dice.pick([undefined, undefined, undefined, 50, 10_000]),
    authorization: mode === 'rights' ? 'required' : 'none',
    auth: { grants: true },
    issuers: [],
    limits: USUAL.limits,
    subscriptionsMax: dice.chance(0.03) ? 2 : SUBSCRIPTIONS_MAX,
    pageItemsMax: dice.pick(PAGE_ITEMS_MAX),
  };
}

/** Queues are called as their workers are. */
export const urlOf = (name: string): string => `https://simulated/000000000000/${name}`;

/** What the environment variables of all functions say. */
export const configOf = (settings: SystemSettings) => ({
  ...settings,
  connectionsTable: 'connections',
  subscriptionsTable: 'subscriptions',
  topicsTable: 'topics',
  messagesTable: 'messages',
  accessTable: 'access',
  eventBusName: 'bus',
  deliveryQueueUrl: urlOf('deliver'),
  slowQueueUrl: urlOf('slow'),
  closingQueueUrl: urlOf('close'),
  deadLettersUrl: 'undelivered',
  badEventsUrl: 'badEvents',
  endpoint: 'https://simulated',
  audience: 'https://simulated',
  requestsPerSecondMax: settings.requestsPerSecondMax ?? USUAL.requestsPerSecondMax,
  environmentsMax: USUAL.fanOutWorkersMax + USUAL.deliveryWorkersMax + SLOW_WORKERS_MAX,
  postTimeoutMs: USUAL.postTimeoutMs,
  rolloverAfterSeconds: USUAL.rolloverAfterSeconds,
});
export type SystemConfig = ReturnType<typeof configOf>;
