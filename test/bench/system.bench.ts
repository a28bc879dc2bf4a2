import { startSystem } from '../support/system.ts';
import { Audience, type Data, type Dialect } from './audience.ts';
import { type Bench, median, percentile, type Row, round, type Target } from './bench.ts';
import { startClassicChat } from './classic-chat.ts';
import { fanwireDialect } from './fanwire-dialect.ts';
import { processorSeconds } from './processor-time.ts';

/** How many subscribers, and how many publishes are in flight at once. */
const CASES = [
  { subscribers: 10, inFlight: [1] },
  { subscribers: 100, inFlight: [1, 4, 16] },
  { subscribers: 1_000, inFlight: [1, 4, 16] },
] as const;
const SIZE_BYTES = 200;
/** A fresh thread runs its code at a third of its speed at first, and the optimiser takes seconds. */
const WARM_UP_MS = 5_000;
const RUN_MS = 2_500;
const RUNS = 5;
const CONNECT_SECONDS_MAX = 3;

const FANWIRE = 'Fanwire';
const CHAT = 'serverless-offline';

/** A system under test, with its clients. */
interface Peer {
  readonly name: string;
  readonly pids: readonly number[];
  readonly audience: Audience;
  /** In all, for opening and subscribing its connections. */
  connectSeconds: number;
}

interface Run {
  readonly deliveriesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the server's processor, for each delivery. */
  readonly cpuMicroseconds: number;
  readonly lost: number;
}

interface Measured extends Run {
  readonly system: string;
  readonly subscribers: number;
  readonly inFlight: number;
}

const chatDialect: Dialect = {
  publish: (data) => JSON.stringify({ action: 'sendmessage', message: data }),
  read: (text) => [JSON.parse(text) as Data],
};

async function measure({ audience, pids }: Peer, inFlight: number): Promise<Run> {
  const before = processorSeconds(pids);
  const { deliveriesPerSecond, timesMs, lost } = await audience.publish({
    inFlight,
    durationMs: RUN_MS,
    sizeBytes: SIZE_BYTES,
  });
  return {
    deliveriesPerSecond,
    p50Ms: percentile(timesMs, 0.5),
    p99Ms: percentile(timesMs, 0.99),
    cpuMicroseconds: ((processorSeconds(pids) - before) * 1e6) / timesMs.length,
    lost,
  };
}

const medianOf = (runs: readonly Run[]): Run => {
  const figure = (name: keyof Run) => median(runs.map((run) => run[name]));
  return {
    deliveriesPerSecond: figure('deliveriesPerSecond'),
    p50Ms: figure('p50Ms'),
    p99Ms: figure('p99Ms'),
    cpuMicroseconds: figure('cpuMicroseconds'),
    lost: runs.reduce((sum, { lost }) => sum + lost, 0),
  };
};

/** The systems take turns, so that whatever else the machine does happens to all of them. */
async function compare(peers: readonly Peer[]): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const { subscribers, inFlight: depths } of CASES) {
    for (const peer of peers) {
      const startedAt = performance.now();
      await peer.audience.growTo(subscribers);
      peer.connectSeconds += (performance.now() - startedAt) / 1000;
    }
    for (const inFlight of depths) {
      // Each depth starts Lambdas of its own.
      for (const { audience } of peers) {
        await audience.publish({ inFlight, durationMs: WARM_UP_MS, sizeBytes: SIZE_BYTES });
      }
      const runs = peers.map((): Run[] => []);
      for (let run = 0; run < RUNS; run++) {
        for (const [index, peer] of peers.entries()) runs[index]?.push(await measure(peer, inFlight));
      }
      for (const [index, { name }] of peers.entries()) {
        measured.push({ system: name, subscribers, inFlight, ...medianOf(runs[index] ?? []) });
      }
      console.log(`  ${subscribers} subscribers, ${inFlight} in flight`);
    }
  }
  return measured;
}

/** Of a delivery, whichever: each case has the same time, and so as many deliveries as it can make in it. */
const cpuOf = (cases: readonly Measured[]): number => {
  const sum = (of: (each: Measured) => number) => cases.reduce((total, each) => total + of(each), 0);
  const deliveries = sum(({ deliveriesPerSecond }) => deliveriesPerSecond);
  return (
    sum(({ cpuMicroseconds, deliveriesPerSecond }) => cpuMicroseconds * deliveriesPerSecond) / deliveries
  );
};

function targetsOf(measured: readonly Measured[], connectSeconds: number): Target[] {
  const ours = measured.filter(({ system }) => system === FANWIRE);
  const theirs = measured.filter(({ system }) => system === CHAT);
  const ratios = (figure: keyof Run) =>
    ours.map((each, index) => ({ ...each, ratio: each[figure] / (theirs[index]?.[figure] ?? Number.NaN) }));
  const ratioAt = (figure: keyof Run, subscribers: number, inFlight: number) =>
    ratios(figure).find((each) => each.subscribers === subscribers && each.inFlight === inFlight)?.ratio ??
    Number.NaN;
  const best = (of: readonly Measured[]) =>
    Math.max(...of.map(({ deliveriesPerSecond }) => deliveriesPerSecond));
  const burst = best(ours.filter(({ inFlight }) => inFlight === 16)) / best(theirs);
  const share = round(cpuOf(ours) / cpuOf(theirs), 3);
  const beside = (what: string) => `${what} beside ${CHAT} (ratio)`;
  return [
    {
      name: beside('deliveries/s, 100 subscribers, 1 in flight,'),
      value: round(ratioAt('deliveriesPerSecond', 100, 1), 2),
      atLeast: 3,
    },
    {
      name: beside('deliveries/s, 1000 subscribers, 1 in flight,'),
      value: round(ratioAt('deliveriesPerSecond', 1_000, 1), 2),
      atLeast: 6,
    },
    { name: beside('deliveries/s, best with 16 in flight,'), value: round(burst, 2), atLeast: 20 },
    {
      name: beside('p99, the worst case,'),
      value: round(Math.max(...ratios('p99Ms').map(({ ratio }) => ratio)), 2),
      atMost: 1,
    },
    { name: beside('processor time of a delivery, all cases together,'), value: share, atMost: 0.2 },
    ...[100, 1_000].map((subscribers) => ({
      name: beside(`processor time of a delivery, ${subscribers} subscribers, 1 in flight,`),
      value: round(ratioAt('cpuMicroseconds', subscribers, 1), 3),
      atMost: 0.2,
    })),
    { name: 'deliveries lost', value: ours.reduce((sum, { lost }) => sum + lost, 0), atMost: 0 },
    {
      name: '1000 connections open and subscribed (s)',
      value: round(connectSeconds, 2),
      atMost: CONNECT_SECONDS_MAX,
    },
  ];
}

const toRow = ({ system, subscribers, inFlight, ...run }: Measured): Row => ({
  system,
  subscribers,
  inFlight,
  deliveriesPerSecond: Math.round(run.deliveriesPerSecond),
  p50Ms: round(run.p50Ms),
  p99Ms: round(run.p99Ms),
  cpuMicroseconds: round(run.cpuMicroseconds),
  lost: run.lost,
});

/** From the publishing client's frame to every subscriber's socket, with all that is in between on this machine. */
export const bench: Bench = {
  title: 'The whole local system, beside the classic chat on serverless-offline',
  async run() {
    await using running = new AsyncDisposableStack();
    const system = await startSystem({ unthrottled: true });
    running.defer(() => system.stop());
    const chat = await startClassicChat();
    running.defer(() => chat.stop());
    const peer = (name: string, url: string, pids: readonly number[], dialect: Dialect): Peer => {
      const audience = new Audience(url, dialect);
      return { name, pids, audience, connectSeconds: 0 };
    };
    const peers = [
      peer(FANWIRE, system.ready.websocketUrl, [system.pid], fanwireDialect('bench')),
      peer(CHAT, chat.url, chat.pids, chatDialect),
    ] as const;
    const measured = await compare(peers);
    const connects = peers.map(({ name, connectSeconds }) => ({
      system: name,
      connections: CASES.at(-1)?.subscribers ?? 0,
      connectSeconds: round(connectSeconds),
    }));
    await peers[0].audience.close();
    return {
      rows: [...measured.map(toRow), ...connects],
      targets: targetsOf(measured, peers[0].connectSeconds),
    };
  },
};
