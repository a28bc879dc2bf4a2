import { startSystem } from '../support/system.ts';
import { Audience, type Publishing } from './audience.ts';
import { type Bench, median, percentile, type Row, round, type Target } from './bench.ts';
import { fanwireDialect } from './fanwire-dialect.ts';
import { residentMegabytes } from './memory.ts';
import { processorSeconds } from './processor-time.ts';

/** Namespaces of the app: one without a history, one with. */
const KINDS = { volatile: 'bench', history: 'chat/bench' } as const;
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];

const SUBSCRIBERS = 10;
const SIZE_BYTES = 200;
/** Of each kind: from then on a publish costs the same (half of what a short run shows is the optimiser's work). */
const WARM_UP_PUBLISHES = 2_000;
const RUNS = 5;
/** The kernel counts a process's time in hundredths of a second: so many publishes make two hundred of them. */
const FLAT_OUT: Load = { name: 'flat out', publishesMax: 1_200 };
/** Slow enough that caches are cold again each time. */
const TWENTY_A_SECOND: Load = { name: '20 a second', publishesMax: 200, everyMs: 50 };
const STARTS = 5;

interface Load extends Pick<Publishing, 'everyMs'> {
  readonly name: string;
  readonly publishesMax: number;
}
interface Run {
  readonly cpuMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
interface Measured {
  readonly kind: Kind;
  readonly load: string;
  readonly runs: readonly Run[];
}

const publish = ({ publishesMax, everyMs = 0 }: Omit<Load, 'name'>): Publishing => ({
  inFlight: 1,
  durationMs: Infinity,
  sizeBytes: SIZE_BYTES,
  publishesMax,
  everyMs,
});

/** Processor time of the whole local system, all of its threads, for each publish. */
async function measure(pid: number, audience: Audience, load: Load): Promise<Run> {
  const before = processorSeconds([pid]);
  const { timesMs, lost } = await audience.publish(publish(load));
  if (lost > 0) throw new Error(`expected every delivery, got ${lost} too few`);
  return {
    cpuMs: ((processorSeconds([pid]) - before) * 1000) / load.publishesMax,
    p50Ms: percentile(timesMs, 0.5),
    p99Ms: percentile(timesMs, 0.99),
  };
}

/** The kinds take turns, so that whatever else the machine does happens to both. */
async function compare(pid: number, audiences: Readonly<Record<Kind, Audience>>): Promise<Measured[]> {
  for (const kind of kinds) await audiences[kind].publish(publish({ publishesMax: WARM_UP_PUBLISHES }));
  const measured: Measured[] = [];
  for (const load of [FLAT_OUT, TWENTY_A_SECOND]) {
    const runs: Record<Kind, Run[]> = { volatile: [], history: [] };
    for (let run = 0; run < RUNS; run++) {
      for (const kind of kinds) runs[kind].push(await measure(pid, audiences[kind], load));
    }
    for (const kind of kinds) measured.push({ kind, load: load.name, runs: runs[kind] });
    console.log(`  ${load.name}`);
  }
  return measured;
}

/** A system that has done nothing yet: how long its first subscribers take, all at once. */
async function firstConnectionsPerSecond(): Promise<number> {
  await using running = new AsyncDisposableStack();
  const system = await startSystem({ unthrottled: true });
  running.defer(() => system.stop());
  const audience = new Audience(system.ready.websocketUrl, fanwireDialect(KINDS.volatile));
  const startedAt = performance.now();
  await audience.growTo(SUBSCRIBERS);
  const seconds = (performance.now() - startedAt) / 1000;
  await audience.close();
  return SUBSCRIBERS / seconds;
}

const figure = (measured: readonly Measured[], kind: Kind, load: Load): number =>
  median(measured.find((each) => each.kind === kind && each.load === load.name)?.runs.map(cpuOf) ?? []);
const cpuOf = ({ cpuMs }: Run): number => cpuMs;

/** Of runs that followed each other: the machine was the same for both. */
function ratio(measured: readonly Measured[], load: Load): number {
  const [volatile, history] = kinds.map(
    (kind) => measured.find((each) => each.kind === kind && each.load === load.name)?.runs ?? [],
  );
  return median((history ?? []).map(({ cpuMs }, run) => cpuMs / (volatile?.[run]?.cpuMs ?? Number.NaN)));
}

const toRow = ({ kind, load, runs }: Measured): Row => ({
  topic: kind,
  load,
  'processor, ms': round(median(runs.map(cpuOf)), 2),
  'least, ms': round(Math.min(...runs.map(cpuOf)), 2),
  'most, ms': round(Math.max(...runs.map(cpuOf)), 2),
  'p50, ms': round(median(runs.map(({ p50Ms }) => p50Ms)), 2),
  'p99, ms': round(median(runs.map(({ p99Ms }) => p99Ms)), 2),
});

function targetsOf(measured: readonly Measured[], megabytes: number, perSecond: number): Target[] {
  const cpuMs = (kind: Kind) => round(figure(measured, kind, FLAT_OUT), 2);
  return [
    { name: 'processor time of a warm publish, volatile (ms)', value: cpuMs('volatile'), atMost: 1.3 },
    { name: 'processor time of a warm publish, with history (ms)', value: cpuMs('history'), atMost: 1.7 },
    {
      name: 'processor time of a warm publish, with history / volatile (ratio)',
      value: round(ratio(measured, FLAT_OUT), 2),
      atMost: 1.3,
    },
    { name: 'memory after load (MB)', value: round(megabytes, 0), atMost: 250 },
    {
      name: 'first connections, open and subscribed (a second)',
      value: round(perSecond, 0),
      atLeast: 60,
    },
  ];
}

/** From the publishing client's frame to ten sockets, in processor time: what a publish costs this machine. */
export const bench: Bench = {
  title: `A publish to ${SUBSCRIBERS} subscribers`,
  async run() {
    const starts: number[] = [];
    for (let start = 0; start < STARTS; start++) starts.push(await firstConnectionsPerSecond());
    await using running = new AsyncDisposableStack();
    const system = await startSystem({ unthrottled: true });
    running.defer(() => system.stop());
    const audienceOf = (kind: Kind) => new Audience(system.ready.websocketUrl, fanwireDialect(KINDS[kind]));
    const audiences = { volatile: audienceOf('volatile'), history: audienceOf('history') };
    for (const kind of kinds) await audiences[kind].growTo(SUBSCRIBERS);
    const atRest = residentMegabytes(system.pid);
    const measured = await compare(system.pid, audiences);
    const afterLoad = residentMegabytes(system.pid);
    for (const kind of kinds) await audiences[kind].close();
    return {
      rows: [
        ...measured.map(toRow),
        { 'memory, subscribed, MB': round(atRest, 0), 'memory, after load, MB': round(afterLoad, 0) },
        ...starts.map((perSecond) => ({ 'first connections a second': round(perSecond, 0) })),
      ],
      targets: targetsOf(measured, afterLoad, median(starts)),
    };
  },
};
