import { inspect } from 'node:util';
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
  const problems: string[] = [];
  const expect = (fits: boolean, what: string, expected: string, got: unknown): boolean => {
    if (!fits) problems.push(`expected ${what} to ${expected}, got ${got}`);
    return fits;
  };
  const expectFields = (what: string, value: object, known: readonly string[]) => {
    for (const field of Object.keys(value).filter((each) => !known.includes(each))) {
      expect(false, what, `have no fields but ${known.join(', ')}`, field);
    }
  };
  const expectWhole = (what: string, value: unknown, [min, max]: readonly [number, number]) =>
    expect(
      Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
      `limits.${what}`,
      `be a whole number from ${min} to ${max}`,
      inspect(value),
    );
  const rateOf = (setting: string, value: unknown, { bounds, burstSeconds, unitSeconds }: RateKind): Rate => {
    const { rate, burst } = isRecord(value) ? value : { rate: value };
    if (isRecord(value)) expectFields(`limits.${setting}`, value, ['rate', 'burst']);
    expectWhole(setting, rate, bounds);
    if (burst !== undefined) expectWhole(`${setting}.burst`, burst, [1, BURST_MAX]);
    const usualBurst = (Number(rate) * burstSeconds) / unitSeconds;
    return { perSecond: Number(rate) / unitSeconds, burst: Number(burst ?? usualBurst) };
  };

  const defaults = preset === 'production' ? PRODUCTION : SANDBOX;
  const isObject = expect(isRecord(given), 'limits', 'be an object', inspect(given));
  const settings = {
    ...defaults,
    publishBytesMax: PUBLISH_BYTES_MAX,
    ...(isObject && withoutUndefined(given)),
  };
  if (isObject) expectFields('limits', given, FIELDS);
  const { connections, connectionsPerUser, publishBytesMax } = settings;
  if (connections !== false) expectWhole('connections', connections, [1, CONNECTIONS_MAX]);
  if (connectionsPerUser !== false) {
    expectWhole('connectionsPerUser', connectionsPerUser, [1, CONNECTIONS_PER_USER_MAX]);
  }
  // There always is one: it cannot be `false`.
  expectWhole('publishBytesMax', publishBytesMax, PUBLISH_BYTES_BOUNDS);
  const rates = RATES.flatMap((name): [RateName, Rate][] => {
    const { setting } = KINDS[name];
    const value = settings[setting];
    return value === false ? [] : [[name, rateOf(setting, value, KINDS[name])]];
  });
  const limits: CompleteLimits = {
    ...(connections !== false && { connections }),
    ...(connectionsPerUser !== false && { connectionsPerUser }),
    rates: Object.fromEntries(rates),
    publishBytesMax,
  };
  return { limits, problems };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `undefined` is what was not given. */
const withoutUndefined = (settings: LimitsSettings): LimitsSettings =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));

const FIELDS = [
  ...['connections', 'connectionsPerUser'],
  ...RATES.map((name): string => KINDS[name].setting),
  'publishBytesMax',
];

/** Whether some of what clients do is counted. */
export const limitsRates = ({ rates }: CompleteLimits): boolean => Object.keys(rates).length > 0;
