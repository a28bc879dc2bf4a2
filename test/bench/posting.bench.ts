import { type Bench, type BenchResult, median, type Row, round, type Target } from './bench.ts';
import type { Report } from './posting/message.ts';
import { Client, startEndpoint } from './posting/processes.ts';
import { measureSignatures } from './posting/signature.ts';
import type { Variant } from './posting/variants.ts';

/**
 * Rates are posts per second of processor time of the client's process, all its threads, user and system: what one core
 * does, whoever else uses the machine. The rate by the clock is beside it.
 */
const ROUNDS = { tls: 5, tcp: 3, cold: 5, crowd: 5 };
const IN_FLIGHT = 64;
const WARM_UP_POSTS = 30_000;
/** About a second each. */
const POSTS = 40_000;
const SDK_POSTS = 4_000;
const COLD_POSTS = 1_000;

const VARIANTS: readonly Variant[] = ['sdk', 'undici, unsigned', 'sockets'];

const SLOW = { delayMsMin: 5, delayMsMax: 20, p99Ms: 19.85 };
const SLOW_VARIANTS: readonly Variant[] = ['sdk', 'sockets'];
const SLOW_IN_FLIGHT = [1, 50, 100, 200, 400, 800];
const SLOW_POSTS_PER_SOCKET = 120;
const SLOW_WARM_UP_POSTS = 40_000;
/** In flight where the target is. */
const CROWD = 400;

type Reports = Map<Variant, Report[]>;
const postsOf = (variant: Variant): number => (variant === 'sdk' ? SDK_POSTS : POSTS);
const perCoreSecond = ({ posts, processorMs }: Report): number => (posts * 1_000) / processorMs;
const perSecond = ({ posts, wallMs }: Report): number => (posts * 1_000) / wallMs;

/** One process per variant, which take turns: what disturbs one round disturbs them all. */
async function measureRates(kind: 'tcp' | 'tls', rounds: number): Promise<Reports> {
  const endpoint = await startEndpoint(kind);
  const reports: Reports = new Map();
  const clients = new Map<Variant, Client>();
  for (const variant of VARIANTS) {
    const client = await Client.start(variant, { ...endpoint, socketsMax: IN_FLIGHT });
    clients.set(variant, client);
    reports.set(variant, []);
    await client.run({ posts: WARM_UP_POSTS, inFlight: IN_FLIGHT });
  }
  for (let n = 0; n < rounds; n++) {
    for (const [variant, client] of clients) {
      reports.get(variant)?.push(await client.run({ posts: postsOf(variant), inFlight: IN_FLIGHT }));
    }
  }
  for (const client of clients.values()) await client.stop();
  await endpoint.stop();
  return reports;
}

/** The first posts of a process that has loaded its code, with all their handshakes. */
async function measureCold(): Promise<Reports> {
  const endpoint = await startEndpoint('tls');
  const reports: Reports = new Map(VARIANTS.map((variant) => [variant, []]));
  for (let n = 0; n < ROUNDS.cold; n++) {
    for (const variant of VARIANTS) {
      const client = await Client.start(variant, { ...endpoint, socketsMax: IN_FLIGHT });
      reports.get(variant)?.push(await client.run({ posts: COLD_POSTS, inFlight: IN_FLIGHT }));
      await client.stop();
    }
  }
  await endpoint.stop();
  return reports;
}

interface SlowRow {
  readonly variant: Variant;
  readonly inFlight: number;
  readonly reports: readonly Report[];
}

async function measureSlow(): Promise<SlowRow[]> {
  const endpoint = await startEndpoint('tls', SLOW.delayMsMin, SLOW.delayMsMax);
  const rows: SlowRow[] = [];
  for (const variant of SLOW_VARIANTS) {
    const client = await Client.start(variant, { ...endpoint, socketsMax: Math.max(...SLOW_IN_FLIGHT) });
    const postsMax = variant === 'sdk' ? 2 * SDK_POSTS : Infinity;
    await client.run({
      posts: Math.min(SLOW_WARM_UP_POSTS, postsMax),
      inFlight: Math.max(...SLOW_IN_FLIGHT),
    });
    for (const inFlight of SLOW_IN_FLIGHT) {
      const posts = Math.min(inFlight * SLOW_POSTS_PER_SOCKET, postsMax);
      const reports: Report[] = [];
      const rounds = inFlight === CROWD ? ROUNDS.crowd : 1;
      while (reports.length < rounds) reports.push(await client.run({ posts, inFlight }));
      rows.push({ variant, inFlight, reports });
    }
    await client.stop();
  }
  await endpoint.stop();
  return rows;
}

const reportsOf = (reports: Reports, variant: Variant): readonly Report[] => reports.get(variant) ?? [];

/** The median of the rounds' ratios. */
function ratio(reports: Reports, figure: (report: Report) => number, above: Variant, below: Variant): number {
  const others = reportsOf(reports, below).map(figure);
  return round(
    median(reportsOf(reports, above).map((report, n) => figure(report) / (others[n] ?? Number.NaN))),
    2,
  );
}

const rowOf = (what: string, variant: Variant, reports: readonly Report[]): Row => ({
  what,
  client: variant,
  'posts per core second': Math.round(median(reports.map(perCoreSecond))),
  'posts/s': Math.round(median(reports.map(perSecond))),
  'CPU µs a post': round(median(reports.map((report) => 1_000_000 / perCoreSecond(report)))),
  'p50 ms': round(median(reports.map(({ p50Ms }) => p50Ms))),
  'p99 ms': round(median(reports.map(({ p99Ms }) => p99Ms))),
  cores: round(median(reports.map(({ processorMs, wallMs }) => processorMs / wallMs)), 2),
});
const rowsOf = (what: string, reports: Reports): Row[] =>
  [...reports].map(([variant, all]) => rowOf(what, variant, all));

function targetsOf(tls: Reports, cold: Reports, slow: readonly SlowRow[], signatureMicros: number): Target[] {
  const crowd =
    slow.find(({ variant, inFlight }) => variant === 'sockets' && inFlight === CROWD)?.reports ?? [];
  const tlsRatio = (above: Variant, below: Variant): number => ratio(tls, perCoreSecond, above, below);
  const processorMs = (report: Report): number => report.processorMs;
  const wallMs = (report: Report): number => report.wallMs;
  return [
    { name: 'sockets against the SDK over TLS (ratio)', value: tlsRatio('sockets', 'sdk'), atLeast: 12 },
    {
      name: 'sockets against unsigned undici over TLS (ratio)',
      value: tlsRatio('sockets', 'undici, unsigned'),
      atLeast: 1.25,
    },
    {
      name: 'first 1,000 posts, CPU of the SDK against sockets (ratio)',
      value: ratio(cold, processorMs, 'sdk', 'sockets'),
      atLeast: 5,
    },
    {
      name: 'first 1,000 posts, time of the SDK against sockets (ratio)',
      value: ratio(cold, wallMs, 'sdk', 'sockets'),
      atLeast: 5,
    },
    { name: 'a signature (µs of CPU)', value: round(signatureMicros, 2), atMost: 3 },
    {
      name: `p99 with ${CROWD} in flight against the endpoint's own (ratio)`,
      // Whoever else uses the machine can only add to it, so the best of the rounds says most.
      value: round(Math.min(...crowd.map(({ p99Ms }) => p99Ms)) / SLOW.p99Ms, 2),
      atMost: 1.5,
    },
    {
      name: `cores with ${CROWD} in flight`,
      value: round(median(crowd.map((report) => report.processorMs / report.wallMs)), 2),
      atMost: 1,
    },
  ];
}

export const bench: Bench = {
  title: 'Posting to connections',
  async run(): Promise<BenchResult> {
    const signatures = await measureSignatures();
    const tls = await measureRates('tls', ROUNDS.tls);
    const tcp = await measureRates('tcp', ROUNDS.tcp);
    const cold = await measureCold();
    const slow = await measureSlow();
    const rows = [
      ...rowsOf('TLS', tls),
      ...rowsOf('plain', tcp),
      ...rowsOf(`first ${COLD_POSTS}`, cold),
      ...slow.map(({ variant, inFlight, reports }) =>
        rowOf(`${SLOW.delayMsMin}–${SLOW.delayMsMax} ms, ${inFlight} in flight`, variant, reports),
      ),
      { what: 'a signature', client: 'sdk', 'CPU µs a post': round(signatures.sdk) },
      { what: 'a signature', client: 'sockets', 'CPU µs a post': round(signatures.ours, 2) },
    ];
    return { rows, targets: targetsOf(tls, cold, slow, signatures.ours) };
  },
};
