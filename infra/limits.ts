import { type CompleteLimits, RATES, type Rate, type RateName } from '../shared/protocol/limits.ts';

/** How much comes in in a second (of `topicsPerHour`: in an hour), and how much may be used at once: by default what comes in in 10 seconds (in an hour). */
type RateSetting = number | { readonly rate: number; readonly burst?: number } | false;

/**
 * What clients may use up; `false` is as much as they like. All but the first two and the last are for each user: all
 * connections of a verified one together, and each connection of somebody else for itself.
 */
export interface LimitsSettings {
  /** Open connections of all clients. */
  readonly connections?: number | false;
  /** Open connections of a verified user. */
  readonly connectionsPerUser?: number | false;
  /** Frames, pings and those that are refused included. */
  readonly commandsPerSecond?: RateSetting;
  /** Messages, each as often as it has topics. */
  readonly publishesPerSecond?: RateSetting;
  /** Bytes of their data, as often as it has topics. */
  readonly publishBytesPerSecond?: RateSetting;
  /** Bytes of messages that `history` and `subscribe` have answered with. */
  readonly historyBytesPerSecond?: RateSetting;
  /** Topics and patterns that have not been there: each is a row, of a topic with history for 30 days. */
  readonly topicsPerHour?: RateSetting;
  /** Bytes of data in one `publish`, times their topics. There is always such a limit: by default 1 MiB. */
  readonly publishBytesMax?: number;
}
type PresetLimits = Required<Omit<LimitsSettings, 'publishBytesMax'>>;

/** Far above what a person's devices do, and far below what one account stands. */
const PRODUCTION: PresetLimits = {
  // As many as the throttle of the stage lets ping.
  connections: 60_000,
  connectionsPerUser: 20,
  commandsPerSecond: 50,
  // At once the largest frame: ten messages to a hundred topics.
  publishesPerSecond: 100,
  publishBytesPerSecond: 256 * 1024,
  historyBytesPerSecond: 256 * 1024,
  topicsPerHour: 1_000,
};
const SANDBOX: PresetLimits = {
  connections: false,
  connectionsPerUser: false,
  commandsPerSecond: false,
  publishesPerSecond: false,
  publishBytesPerSecond: false,
  historyBytesPerSecond: false,
  topicsPerHour: false,
};

/** Who sets nothing has this: a frame with 125 KB of data to 100 topics would cost 12,300 write units. */
const PUBLISH_BYTES_MAX = 1024 ** 2;
const HOUR_SECONDS = 3_600;
/** What a bucket holds, if the settings do not say. */
const BURST_SECONDS = 10;

interface RateKind {
  readonly setting: keyof LimitsSettings;
  /** Of a rate: below, a client could not do what it is for at all. */
  readonly bounds: readonly [min: number, max: number];
  /** How long it takes until a bucket is full. */
  readonly burstSeconds: number;
  readonly unitSeconds: number;
}
const usual = { burstSeconds: BURST_SECONDS, unitSeconds: 1 };
const KINDS: Readonly<Record<RateName, RateKind>> = {
  commands: { ...usual, setting: 'commandsPerSecond', bounds: [1, 1e6] },
  publishes: { ...usual, setting: 'publishesPerSecond', bounds: [1, 1e6] },
  publishBytes: { ...usual, setting: 'publishBytesPerSecond', bounds: [1_024, 1e9] },
  historyBytes: { ...usual, setting: 'historyBytesPerSecond', bounds: [1_024, 1e9] },
  topics: {
    setting: 'topicsPerHour',
    bounds: [1, 1e6],
    burstSeconds: HOUR_SECONDS,
    unitSeconds: HOUR_SECONDS,
  },
};
const BURST_MAX = 1e10;
const CONNECTIONS_MAX = 10_000_000;
/** All of a user's are listed in one item. */
const CONNECTIONS_PER_USER_MAX = 1_000;
const PUBLISH_BYTES_BOUNDS = [1_024, 100 * 1024 ** 2] as const;

/** Fills in what the preset has, and names everything that is wrong. */
export function completeLimits(
  given: LimitsSettings,
  preset: string | undefined,
): { readonly limits: CompleteLimits; readonly problems: readonly string[] } {
  const defaults = preset === 'production' ? PRODUCTION : SANDBOX;
  const settings = { ...defaults, publishBytesMax: PUBLISH_BYTES_MAX, ...given };
  const { connections, connectionsPerUser, publishBytesMax } = settings;
  const problems: string[] = [];
  const expectInteger = (what: string, value: number | false, [min, max]: readonly [number, number]) => {
    if (value === false || (Number.isInteger(value) && value >= min && value <= max)) return;
    problems.push(`expected limits.${what} to be a whole number from ${min} to ${max}, got ${value}`);
  };
  for (const field of Object.keys(given).filter((field) => !FIELDS.includes(field))) {
    problems.push(`expected limits to have no fields but ${FIELDS.join(', ')}, got ${field}`);
  }
  expectInteger('connections', connections, [1, CONNECTIONS_MAX]);
  expectInteger('connectionsPerUser', connectionsPerUser, [1, CONNECTIONS_PER_USER_MAX]);
  // There always is one: it cannot be `false`.
  expectInteger('publishBytesMax', Number(publishBytesMax), PUBLISH_BYTES_BOUNDS);
  const rates = RATES.flatMap((name): [RateName, Rate][] => {
    const { setting, bounds, burstSeconds, unitSeconds } = KINDS[name];
    const value = settings[setting] as RateSetting;
    if (value === false) return [];
    const { rate, burst = (rate * burstSeconds) / unitSeconds } =
      typeof value === 'number' ? { rate: value } : value;
    expectInteger(setting, rate, bounds);
    expectInteger(`${setting}.burst`, burst, [1, BURST_MAX]);
    return [[name, { perSecond: rate / unitSeconds, burst }]];
  });
  const limits: CompleteLimits = {
    ...(connections !== false && { connections }),
    ...(connectionsPerUser !== false && { connectionsPerUser }),
    rates: Object.fromEntries(rates),
    publishBytesMax,
  };
  return { limits, problems };
}

const FIELDS = [
  ...['connections', 'connectionsPerUser'],
  ...RATES.map((name): string => KINDS[name].setting),
  'publishBytesMax',
];

/** Whether some of what clients do is counted. */
export const limitsRates = ({ rates }: CompleteLimits): boolean => Object.keys(rates).length > 0;
