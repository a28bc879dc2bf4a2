import type { Connections } from '../../shared/connections.ts';
import { forgetConnection, type RowDeps } from '../../shared/forget.ts';
import { mapLimit } from '../../shared/map-limit.ts';

export interface SweepDeps extends RowDeps {
  readonly connections: Pick<Connections, 'sample' | 'close'>;
  /** Whether API Gateway still knows the connection. */
  readonly isOpen: (connectionId: string) => Promise<boolean>;
  readonly now: () => number;
  readonly newId: () => string;
}

/** Once a minute that is 33 requests/s of an account's default 10,000 (API Gateway quotas). */
const PROBES_MAX = 2_000;
const PROBES_IN_FLIGHT_MAX = 32;

/**
 * Deletes the rows of connections that closed without a `$disconnect`. Each run looks at a bounded number of them,
 * from a random place on: a small table is seen whole every time, a large one sooner or later, and no run has to
 * remember where the last one stopped.
 */
export async function sweep(deps: SweepDeps): Promise<{ seen: number; gone: number }> {
  const ids = await deps.connections.sample(deps.newId(), PROBES_MAX);
  let gone = 0;
  const results = await mapLimit(ids, PROBES_IN_FLIGHT_MAX, async (connectionId) => {
    // The time is taken first: who opens after it was not there to be asked.
    const askedAtMs = deps.now();
    if (await deps.isOpen(connectionId)) return;
    if (await forgetConnection(connectionId, deps, askedAtMs)) gone++;
  });
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return { seen: ids.length, gone };
}
