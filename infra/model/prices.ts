/**
 * List prices in US dollars, without the free tiers. Edit them freely: no other file holds a price.
 * `checked` says which figures were compared with a print other than AWS's own page, and where. The pages named as
 * `source` have the last word.
 */
export const PRICES_AS_OF = '2026-11-20';
export const PRICES_REGION = 'us-east-1';

interface Price {
  /** What is counted, and how many of it the dollars below are for. */
  readonly unit: string;
  readonly per: number;
  /** By volume a month: up to so many units, dollars for `per` of them. The last has no end. */
  readonly tiers: readonly { readonly upTo: number; readonly dollars: number }[];
  readonly source: string;
  readonly checked: string;
}

const MILLION = 1_000_000;
const BILLION = 1_000 * MILLION;

const flat = (dollars: number): Price['tiers'] => [{ upTo: Number.POSITIVE_INFINITY, dollars }];

export const PRICES = {
  apiMessages: {
    unit: 'messages of 32 KB',
    per: MILLION,
    tiers: [
      { upTo: BILLION, dollars: 1 },
      { upTo: Number.POSITIVE_INFINITY, dollars: 0.8 },
    ],
    source: 'https://aws.amazon.com/api-gateway/pricing/',
    checked: 'the first tier, in articles of May 2025 and 2026; the second is from memory',
  },
  apiConnectionMinutes: {
    unit: 'connection minutes',
    per: MILLION,
    tiers: flat(0.25),
    source: 'https://aws.amazon.com/api-gateway/pricing/',
    checked: 'in an article of 2026',
  },
  lambdaRequests: {
    unit: 'invocations',
    per: MILLION,
    tiers: flat(0.2),
    source: 'https://aws.amazon.com/lambda/pricing/',
    checked: 'in articles of 2024 and later',
  },
  lambdaGbSeconds: {
    unit: 'GB-seconds (arm64)',
    per: 1,
    tiers: [
      { upTo: 7.5 * BILLION, dollars: 0.0000133334 },
      { upTo: 18.75 * BILLION, dollars: 0.0000120001 },
      { upTo: Number.POSITIVE_INFINITY, dollars: 0.0000106667 },
    ],
    source: 'https://aws.amazon.com/lambda/pricing/',
    checked: 'the first two tiers, in an article of 2024; the third is from memory',
  },
  tableWriteUnits: {
    unit: 'write request units',
    per: MILLION,
    tiers: flat(0.625),
    source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
    checked: 'in an article of July 2025; halved in November 2024',
  },
  tableReadUnits: {
    unit: 'read request units',
    per: MILLION,
    tiers: flat(0.125),
    source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
    checked: 'in an article of July 2025; halved in November 2024',
  },
  queueRequests: {
    unit: 'requests of 64 KB',
    per: MILLION,
    tiers: [
      { upTo: 100 * BILLION, dollars: 0.4 },
      { upTo: 200 * BILLION, dollars: 0.3 },
      { upTo: Number.POSITIVE_INFINITY, dollars: 0.24 },
    ],
    source: 'https://aws.amazon.com/sqs/pricing/',
    checked: 'in an article of March 2026',
  },
  /** On top of the above, for a standard queue whose messages have a MessageGroupId. */
  fairQueueRequests: {
    unit: 'requests to fair queues',
    per: MILLION,
    tiers: flat(0.1),
    source: 'https://aws.amazon.com/sqs/pricing/',
    checked: 'in one article of March 2026, which does not say to which requests; all are taken',
  },
  busEvents: {
    unit: 'custom events of 64 KB',
    per: MILLION,
    tiers: flat(1),
    source: 'https://aws.amazon.com/eventbridge/pricing/',
    checked: 'in articles of March and June 2026; delivery in the same account is free',
  },
  scheduleInvocations: {
    unit: 'invocations by Scheduler',
    per: MILLION,
    tiers: flat(1),
    source: 'https://aws.amazon.com/eventbridge/pricing/',
    checked: 'in an article of March 2026',
  },
  secretMonths: {
    unit: 'secret months',
    per: 1,
    tiers: flat(0.4),
    source: 'https://aws.amazon.com/secrets-manager/pricing/',
    checked: 'from memory',
  },
  secretRequests: {
    unit: 'calls to Secrets Manager',
    per: 10_000,
    tiers: flat(0.05),
    source: 'https://aws.amazon.com/secrets-manager/pricing/',
    checked: 'from memory',
  },
  logGigabytes: {
    unit: 'GB of logs',
    per: 1,
    tiers: flat(0.5),
    source: 'https://aws.amazon.com/cloudwatch/pricing/',
    checked: 'from memory; Lambda has had cheaper tiers above 10 TB a month since May 2025',
  },
  appSyncOperations: {
    unit: 'Event API operations of 5 KB',
    per: MILLION,
    tiers: flat(1),
    source: 'https://aws.amazon.com/appsync/pricing/',
    checked: 'in a copy of the price list of 2024, for Ireland',
  },
  appSyncConnectionMinutes: {
    unit: 'connection minutes',
    per: MILLION,
    tiers: flat(0.08),
    source: 'https://aws.amazon.com/appsync/pricing/',
    checked:
      "of AppSync's GraphQL subscriptions, in a project's notes; that Events have the same is from memory",
  },
  iotMessages: {
    unit: 'messages of 5 KB',
    per: MILLION,
    tiers: [
      { upTo: BILLION, dollars: 1 },
      { upTo: 5 * BILLION, dollars: 0.8 },
      { upTo: Number.POSITIVE_INFINITY, dollars: 0.7 },
    ],
    source: 'https://aws.amazon.com/iot-core/pricing/',
    checked: "the first tier, in AWS's own example for Ireland, September 2026; the others are from memory",
  },
  iotConnectionMinutes: {
    unit: 'connection minutes',
    per: MILLION,
    tiers: flat(0.08),
    source: 'https://aws.amazon.com/iot-core/pricing/',
    checked: "in AWS's own example for Ireland, September 2026",
  },
} as const satisfies Record<string, Price>;

export type Prices = Readonly<Record<keyof typeof PRICES, Price>>;

/** Dollars for so many units in one month. */
export function dollarsFor({ tiers, per }: Price, units: number): number {
  let counted = 0;
  let dollars = 0;
  for (const tier of tiers) {
    const here = Math.max(0, Math.min(units, tier.upTo) - counted);
    dollars += (here / per) * tier.dollars;
    counted += here;
  }
  return dollars;
}
