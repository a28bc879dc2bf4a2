import type { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { IKey } from 'aws-cdk-lib/aws-kms';

/** Requests a second, and how many may come at once before that counts. */
interface Throttle {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** How Fanwire is operated. What is not set is as the preset has it. */
export interface OperationSettings {
  /** `sandbox` is cheap, and gone when the stack is deleted; `production` is for what must not be lost. By default `sandbox`. */
  readonly preset?: PresetName;
  /**
   * What the clients together may send to each route; `routes` has other numbers for some, by their keys: `$connect`,
   * `publish`. Each client pings once in 30 s. `false` leaves them the throttle of the account.
   */
  readonly throttle?: (Throttle & { readonly routes?: Readonly<Record<string, Throttle>> }) | false;
  /**
   * Lambda concurrency that is set apart from that of the account. `workers` gives every worker as much as the settings
   * let run, so that no flood of connects or publishes keeps messages from being delivered. `routes` is for each route, and
   * the most that it gets.
   */
  readonly reservedConcurrency?: { readonly workers?: boolean; readonly routes?: number };
  /**
   * The account's quota of concurrent executions, for a warning if that is too small: `aws lambda get-account-settings`.
   * New accounts may have 10 where others have 1,000.
   */
  readonly accountConcurrency?: number;
  /**
   * A line of JSON for each frame and each handshake, without their text, headers and query string, so without tokens. The
   * account needs a role with which API Gateway may write logs (`aws apigateway update-account`), or the deployment fails.
   */
  readonly accessLogs?: { readonly retentionDays: number } | false;
  /** Backups of topics, their history and revocations, to the second. In production where a history is kept for more than a day. */
  readonly pointInTimeRecovery?: boolean;
  /** Topics, their history and revocations cannot be deleted before this is switched off. In production where a history is kept for more than a day. */
  readonly deletionProtection?: boolean;
  /** What becomes of topics, their history, revocations, dead letters and logs when the stack is deleted. Everything else is deleted. */
  readonly removal?: Removal;
  /**
   * Encrypts tables and queues in place of the keys of AWS. The policy of a key from elsewhere has to let
   * `events.amazonaws.com` use it (`kms:GenerateDataKey`, `kms:Decrypt`), or the bus cannot write to the queue.
   */
  readonly encryptionKey?: IKey;
  /** Whether clients may come with IPv6 too. */
  readonly ipAddressType?: IpAddressType;
  /**
   * A name of your own, whose certificate is of the same region. The DNS record is yours to make: an alias of
   * `domainName.regionalDomainName`. The name that AWS gives goes on working: back ends need it for `@connections`.
   */
  readonly domain?: { readonly name: string; readonly certificate: ICertificate };
}

const IP_ADDRESS_TYPES = ['ipv4', 'dualstack'] as const;
type IpAddressType = (typeof IP_ADDRESS_TYPES)[number];
const REMOVALS = ['destroy', 'retain'] as const;
type Removal = (typeof REMOVALS)[number];

/** Those without a value that would do for everybody. */
type Optional = 'accountConcurrency' | 'encryptionKey' | 'domain';
export type Operation = Required<Omit<OperationSettings, Optional>> & Pick<OperationSettings, Optional>;
type Preset = Required<
  Omit<OperationSettings, Optional | 'preset' | 'pointInTimeRecovery' | 'deletionProtection'>
>;

const PRESETS = {
  sandbox: {
    throttle: false,
    reservedConcurrency: {},
    accessLogs: false,
    removal: 'destroy',
    ipAddressType: 'ipv4',
  },
  production: {
    // No route alone gets more than what `requestsPerSecondMax` leaves of an account's 10,000 requests a second. Pings are
    // most of the frames: these are for 60,000 clients.
    throttle: {
      ratePerSecond: 1_000,
      burst: 1_000,
      routes: { ping: { ratePerSecond: 2_000, burst: 2_000 } },
    },
    reservedConcurrency: { workers: true },
    accessLogs: { retentionDays: 30 },
    removal: 'retain',
    ipAddressType: 'ipv4',
  },
} as const satisfies Record<string, Preset>;
type PresetName = keyof typeof PRESETS;

/** Who keeps messages for longer than this would miss them. */
const LONG_HISTORY_SECONDS = 86_400;
/** Quotas can be raised, but not to this. */
const RATE_MAX = 1_000_000;
const ROUTE_CONCURRENCY_MAX = 1_000;
const ACCOUNT_CONCURRENCY_MIN = 10;
const ACCOUNT_CONCURRENCY_MAX = 1_000_000;
/** Those that CloudWatch takes (API reference, PutRetentionPolicy). */
const RETENTION_DAYS = [
  ...[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545],
  ...[731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
];
const DOMAIN_NAME = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;

/** Fills in what the preset has, and names everything that is wrong. `historySeconds` is that of the longest history. */
export function completeOperation(
  given: OperationSettings,
  historySeconds: number,
): { readonly operation: Operation; readonly problems: readonly string[] } {
  const { preset = 'sandbox' } = given;
  const known = Object.hasOwn(PRESETS, preset);
  const defaults: Preset = PRESETS[known ? preset : 'sandbox'];
  const keeps = preset === 'production' && historySeconds > LONG_HISTORY_SECONDS;
  const operation = {
    pointInTimeRecovery: keeps,
    deletionProtection: keeps,
    ...defaults,
    ...given,
    preset,
    // Who sets one of both still wants the other.
    reservedConcurrency: { ...defaults.reservedConcurrency, ...given.reservedConcurrency },
  };
  const problems = known ? [] : [notOneOf('preset', Object.keys(PRESETS), preset)];
  return { operation, problems: [...problems, ...problemsOf(operation)] };
}

function problemsOf(operation: Operation): string[] {
  const { throttle, reservedConcurrency, accountConcurrency, accessLogs, domain } = operation;
  const problems: string[] = [];
  const expectInteger = (what: string, value: number | undefined, min: number, max: number) => {
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
    problems.push(`expected ${what} to be a whole number from ${min} to ${max}, got ${value}`);
  };
  const expectOneOf = (what: string, value: string | number, values: readonly (string | number)[]) => {
    if (!values.includes(value)) problems.push(notOneOf(what, values, value));
  };
  for (const [key, { ratePerSecond, burst }] of throttle ? throttlesIn(throttle) : []) {
    expectInteger(`throttle${key}.ratePerSecond`, ratePerSecond, 1, RATE_MAX);
    expectInteger(`throttle${key}.burst`, burst, 1, RATE_MAX);
  }
  expectInteger('reservedConcurrency.routes', reservedConcurrency.routes, 1, ROUTE_CONCURRENCY_MAX);
  expectInteger('accountConcurrency', accountConcurrency, ACCOUNT_CONCURRENCY_MIN, ACCOUNT_CONCURRENCY_MAX);
  if (accessLogs) expectOneOf('accessLogs.retentionDays', accessLogs.retentionDays, RETENTION_DAYS);
  expectOneOf('removal', operation.removal, REMOVALS);
  expectOneOf('ipAddressType', operation.ipAddressType, IP_ADDRESS_TYPES);
  if (domain && !DOMAIN_NAME.test(domain.name)) {
    problems.push(`expected domain.name to be a name like push.example.com, got ${domain.name}`);
  }
  return problems;
}

const notOneOf = (what: string, values: readonly (string | number)[], value: unknown): string =>
  `expected ${what} to be one of ${values.join(', ')}, got ${value}`;

/** Each with where it is in the settings. */
const throttlesIn = ({
  routes = {},
  ...all
}: Exclude<Operation['throttle'], false>): [string, Throttle][] => [
  ['', all],
  ...Object.entries(routes).map(([key, throttle]): [string, Throttle] => [`.routes.${key}`, throttle]),
];
