/** What users of the construct may set. Everything has a default that suits most. */
export interface FanwireSettings {
  /** Stage of the WebSocket API, and so the path of its URL. */
  readonly stageName?: string;
  /** Subscriptions that one connection may have at the same time. */
  readonly subscriptionsPerConnectionMax?: number;
  /** Up to this many subscribers are served by the fan-out worker itself; more are split into delivery jobs. */
  readonly inlineSubscribersMax?: number;
  /** How often a frame is posted to a connection before it becomes a dead letter. */
  readonly deliveryAttemptsMax?: number;
  /** How long one post may take, in milliseconds. */
  readonly postTimeoutMs?: number;
  /** Fan-out and delivery workers that run at the same time, each kind for itself. */
  readonly workersMax?: number;
}

const DEFAULTS: Required<FanwireSettings> = {
  stageName: 'prod',
  subscriptionsPerConnectionMax: 100,
  inlineSubscribersMax: 200,
  deliveryAttemptsMax: 5,
  postTimeoutMs: 5_000,
  workersMax: 50,
};

/** The bounds within which the workers keep to their timeout and a connection's item to its 400 KB. */
const BOUNDS: Record<keyof Omit<FanwireSettings, 'stageName'>, readonly [number, number]> = {
  subscriptionsPerConnectionMax: [1, 1_000],
  inlineSubscribersMax: [1, 500],
  deliveryAttemptsMax: [1, 20],
  postTimeoutMs: [50, 5_000],
  // The bounds of an event source mapping's MaximumConcurrency.
  workersMax: [2, 1_000],
};

/** Fills in the defaults, or throws one error that names every setting that is out of bounds. */
export function completeSettings(given: FanwireSettings): Required<FanwireSettings> {
  const settings = { ...DEFAULTS, ...given };
  const problems = Object.entries(BOUNDS).flatMap(([name, [min, max]]) => {
    const value = settings[name as keyof typeof BOUNDS];
    const fits = Number.isInteger(value) && value >= min && value <= max;
    return fits ? [] : `expected ${name} to be a whole number from ${min} to ${max}, got ${value}`;
  });
  if (!/^\w{1,128}$/.test(settings.stageName)) {
    problems.push(`expected stageName to be 1 to 128 letters, digits or _, got ${settings.stageName}`);
  }
  if (problems.length > 0) throw new Error(`Bad Fanwire settings: ${problems.join('; ')}`);
  return settings;
}
