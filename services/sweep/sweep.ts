import { mapAll } from '../../shared/async.ts';
import { type Connections, HANDSHAKE_MAX_MS, SWEPT_MAX } from '../../shared/data/connections.ts';
import { forgetConnection, type RowDeps } from '../../shared/data/forget.ts';

export interface SweepDeps extends RowDeps {
  readonly connections: Pick<Connections, 'sample' | 'close'>;
  /** Whether API Gateway still knows the connection. */
  readonly isOpen: (connectionId: string) => Promise<boolean>;
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
  readonly newId: () => string;
}

type Sample = Awaited<ReturnType<Connections['sample']>>;

const PROBES_IN_FLIGHT_MAX = 32;

/**
 * Deletes the rows of connections that closed without a `$disconnect`. Each run looks at a bounded number of them,
 * from a random place on: a small table is seen whole every time, a large one sooner or later, without any state that
 * says where the last run stopped.
 */
export async function sweep(deps: SweepDeps): Promise<{ seen: number; gone: number }> {
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
