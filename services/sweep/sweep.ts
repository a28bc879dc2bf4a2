import { mapAll } from '../../shared/async.ts';
import { type Connections, HANDSHAKE_MAX_MS, SWEPT_MAX } from '../../shared/data/connections.ts';
import { forgetConnection, type RowDeps } from '../../shared/data/forget.ts';
import { type Closings, LOOK_AHEAD_MS } from '../../shared/queues/closings.ts';

export interface SweepDeps extends RowDeps {
  readonly connections: Pick<Connections, 'sample' | 'close' | 'endingBefore'>;
  /** Counts all connections, if their number is limited. Answers with by how much it was wrong. */
  readonly recount: () => Promise<number>;
  /** Where connections have tokens. */
  readonly closings?: Pick<Closings, 'closeEach'>;
  /** Whether API Gateway still knows the connection. */
  readonly isOpen: (connectionId: string) => Promise<boolean>;
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
  readonly newId: () => string;
}

type Sample = Awaited<ReturnType<Connections['sample']>>;

const PROBES_IN_FLIGHT_MAX = 32;

/** What a run has seen and done. */
interface Swept {
  readonly seen: number;
  readonly gone: number;
  /** Connections that end soon, where they have tokens. */
  readonly ending?: number;
  /** By how much the number of all connections was wrong. */
  readonly miscounted: number;
}

/** Looks back, for connections that are gone, and ahead, for those that end soon: each whatever becomes of the other. */
export async function sweep(deps: SweepDeps): Promise<Swept> {
  const [behind, ahead] = await Promise.allSettled([forgetGone(deps), checkEnds(deps)]);
  if (behind.status === 'rejected') throw behind.reason;
  if (ahead.status === 'rejected') throw ahead.reason;
  // Those that are gone are not counted any more.
  const miscounted = await deps.recount();
  return { ...behind.value, ...ahead.value, miscounted };
}

/** Sees to it that connections are closed when their time is over: also those that should have been. */
async function checkEnds({ connections, closings, now }: SweepDeps): Promise<Pick<Swept, 'ending'>> {
  if (!closings) return {};
  let ending = 0;
  for await (const page of connections.endingBefore(now() + LOOK_AHEAD_MS)) {
    await closings.closeEach(page);
    ending += page.length;
  }
  return { ending };
}

/**
 * Deletes the rows of connections that closed without a `$disconnect`. Each run looks at a bounded number of them,
 * from a random place on: a small table is seen whole every time, a large one sooner or later, without any state that
 * says where the last run stopped.
 */
async function forgetGone(deps: SweepDeps): Promise<Pick<Swept, 'seen' | 'gone'>> {
  const sample = await deps.connections.sample(deps.newId(), SWEPT_MAX);
  const first = await forgetClosed(sample, deps);
  if (first.undecided.length === 0) return { seen: sample.length, gone: first.gone };
  await deps.wait(HANDSHAKE_MAX_MS);
  const second = await forgetClosed(first.undecided, deps);
  return { seen: sample.length, gone: first.gone + second.gone };
}

/** A connection that is not open is undecided if it is so young that it may still be in its handshake. */
async function forgetClosed(sample: Sample, deps: SweepDeps): Promise<{ gone: number; undecided: Sample }> {
  let gone = 0;
  const undecided: Sample = [];
  await mapAll(sample, PROBES_IN_FLIGHT_MAX, async (connection) => {
    const { connectionId, connectedAtMs } = connection;
    const askedAtMs = deps.now();
    if (await deps.isOpen(connectionId)) return;
    if (await forgetConnection(connectionId, deps, askedAtMs)) gone++;
    else if (connectedAtMs > askedAtMs - HANDSHAKE_MAX_MS) undecided.push(connection);
  });
  return { gone, undecided };
}
