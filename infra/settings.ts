import { Token } from 'aws-cdk-lib';
import {
  type AuthSettings,
  type CompleteAuth,
  parseAuth,
  type TrustedIssuer,
} from '../shared/auth/settings.ts';
import { TRANSPORTS, type TransportName } from '../shared/aws/transports.ts';
import type { CompleteLimits } from '../shared/protocol/limits.ts';
import type { Namespaces } from '../shared/protocol/namespaces.ts';
import { completeLimits, type LimitsSettings } from './limits.ts';
import { completeNamespaces, type NamespacesSettings } from './namespaces.ts';
import { completeOperation, type Operation, type OperationSettings } from './presets.ts';

/** What users of the construct may set; everything has a default. */
export interface FanwireSettings extends OperationSettings {
  /** Stage of the WebSocket API, and so the path of its URL. */
  readonly stageName?: string;
  /** Subscriptions that one connection may have at the same time. */
  readonly subscriptionsPerConnectionMax?: number;
  /** Up to this many subscribers are served by the fan-out worker itself; more are split into delivery jobs. */
  readonly inlineSubscribersMax?: number;
  /** A topic's subscribers are spread over so many shards that each has about half of this. */
  readonly subscribersPerShardMax?: number;
  /** How often a frame is posted to a connection before it becomes a dead letter. */
  readonly deliveryAttemptsMax?: number;
  /** How long one post may take, in milliseconds. */
  readonly postTimeoutMs?: number;
  /** Posts a second of all workers together. API Gateway's quota of an account and region is 10,000, for everything. */
  readonly requestsPerSecondMax?: number;
  /** Fan-out workers that run at the same time. */
  readonly fanOutWorkersMax?: number;
  /** Delivery workers that run at the same time. One can make some thousand posts a second. */
  readonly deliveryWorkersMax?: number;
  /**
   * For how long Lambda gathers what was published before it invokes a fan-out worker, in seconds; AWS has whole ones
   * only. 0 invokes with what is there. With more, what comes to a topic meanwhile goes out in one frame, at the price of
   * one: a message waits for up to as long.
   */
  readonly ingestWindowSeconds?: number;
  /** How the Lambdas call AWS: over sockets of our own (fast), or with the SDK's clients as they come. */
  readonly transport?: TransportName;
  /** The settings of each namespace; by default nothing is kept. */
  readonly namespaces?: NamespacesSettings;
  /**
   * Who may connect, and what they may do; by default nobody may. With `none` nobody is asked: everybody may do everything,
   * and be anybody (`?userId=`).
   */
  readonly auth?: AuthSettings | 'none';
  /** What clients may use up: in `production` far more than people do, in a `sandbox` as much as they like. */
  readonly limits?: LimitsSettings;
  /**
   * How old a connection is, in seconds, when the server begins to ask its client to open the next one. API Gateway
   * closes it after 7,200. Each client is asked up to a
   * tenth later, so that they do not reconnect all at once.
   */
  readonly rolloverAfterSeconds?: number;
}
type Limits = Required<Omit<FanwireSettings, 'namespaces' | 'auth' | 'limits' | keyof OperationSettings>>;
export type CompleteSettings = Limits &
  Operation & {
    readonly namespaces: Namespaces;
    /** There is none where nobody is asked. */
    readonly auth?: CompleteAuth;
    readonly limits: CompleteLimits;
  };

/**
 * Posts to this many take an eighth of a second of the budget. With more a worker would be busy for long; with fewer
 * the way through another queue and another worker would take longer, and cost more, than it can save.
 */
const INLINE_SUBSCRIBERS_MAX = 1_000;

/** What holds where a user sets nothing. */
export const DEFAULTS: Limits = {
  stageName: 'prod',
  subscriptionsPerConnectionMax: 100,
  inlineSubscribersMax: INLINE_SUBSCRIBERS_MAX,
  subscribersPerShardMax: 5_000,
  deliveryAttemptsMax: 5,
  postTimeoutMs: 5_000,
  requestsPerSecondMax: 8_000,
  fanOutWorkersMax: 50,
  deliveryWorkersMax: 10,
  ingestWindowSeconds: 0,
  transport: 'sockets',
  rolloverAfterSeconds: 6_000,
};

/** The bounds within which the workers keep to their timeout and a connection's item to its 400 KB. */
const BOUNDS: Record<keyof Omit<Limits, 'stageName' | 'transport'>, readonly [number, number]> = {
  subscriptionsPerConnectionMax: [1, 1_000],
  inlineSubscribersMax: [1, 1_000],
  subscribersPerShardMax: [10, 10_000],
  deliveryAttemptsMax: [1, 20],
  postTimeoutMs: [50, 5_000],
  requestsPerSecondMax: [10, 1_000_000],
  // The bounds of an event source mapping's MaximumConcurrency.
  fanOutWorkersMax: [2, 1_000],
  deliveryWorkersMax: [2, 1_000],
  // MaximumBatchingWindowInSeconds may be 300; what is this late is no push any more.
  ingestWindowSeconds: [0, 10],
  // After that a client that pings once in 10 minutes might not learn of it in time.
  rolloverAfterSeconds: [1, 6_300],
};

/** Fills in the defaults, or throws one error that names every setting that is out of bounds. */
export function completeSettings(given: FanwireSettings): CompleteSettings {
  const { namespaces, problems: namespaceProblems } = completeNamespaces(given.namespaces ?? {});
  const histories = Object.values(namespaces).map(({ history }) => history?.seconds ?? 0);
  const { auth: givenAuth, limits: givenLimits = {}, ...others } = given;
  const { operation, problems: operationProblems } = completeOperation(others, Math.max(...histories));
  const { limits, problems: limitProblems } = completeLimits(givenLimits, given.preset);
  const { auth, problems: authProblems } = completeAuth(givenAuth);
  const settings = { ...DEFAULTS, ...others, ...operation, ...(auth && { auth }), namespaces, limits };
  const problems = Object.entries(BOUNDS).flatMap(([name, [min, max]]) => {
    const value = settings[name as keyof typeof BOUNDS];
    const fits = Number.isInteger(value) && value >= min && value <= max;
    return fits ? [] : `expected ${name} to be a whole number from ${min} to ${max}, got ${value}`;
  });
  if (!/^\w{1,128}$/.test(settings.stageName)) {
    problems.push(`expected stageName to be 1 to 128 letters, digits or _, got ${settings.stageName}`);
  }
  if (!TRANSPORTS.includes(settings.transport)) {
    problems.push(`expected transport to be one of ${TRANSPORTS.join(', ')}, got ${settings.transport}`);
  }
  for (const [name, { grants }] of Object.entries(namespaces)) {
    if (grants === undefined || auth?.grants || authProblems.length > 0) continue;
    problems.push(
      `namespace ${name}: expected auth.grants, without which there are none to require, got none`,
    );
  }
  problems.push(...operationProblems, ...namespaceProblems, ...authProblems, ...limitProblems);
  if (problems.length > 0) throw new Error(`Bad Fanwire settings: ${problems.join('; ')}`);
  return settings;
}

function completeAuth(given: AuthSettings | 'none' = {}): {
  readonly auth?: CompleteAuth;
  readonly problems: readonly string[];
} {
  if (given === 'none') return { problems: [] };
  try {
    return { auth: withTokens(parseAuth(withStandIns(given)), given), problems: [] };
  } catch (error) {
    return { problems: [(error as Error).message] };
  }
}

/**
 * The URL of a user pool that the same app makes is known only once it is deployed: until then the CDK has a token for it,
 * which is no URL. Another one stands for it while the settings are checked.
 */
const standInOf = (url: string): string => `https://deployed.invalid/${encodeURIComponent(url)}`;

/** What it is given may be anything still. */
const withStandIns = (given: AuthSettings): AuthSettings =>
  Array.isArray(given?.issuers) ? { ...given, issuers: given.issuers.map(withStandIn) } : given;
const withStandIn = (issuer: TrustedIssuer): TrustedIssuer =>
  Token.isUnresolved(issuer?.issuer) ? { ...issuer, issuer: standInOf(issuer.issuer) } : issuer;

const withTokens = (auth: CompleteAuth, { issuers = [] }: AuthSettings): CompleteAuth => ({
  ...auth,
  issuers: auth.issuers.map((issuer, index) => ({
    ...issuer,
    issuer: issuers[index]?.issuer ?? issuer.issuer,
  })),
});
