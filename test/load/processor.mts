import { writeFileSync } from 'node:fs';
import { Clients } from './clients.ts';
import type { LoadSettings } from './settings.ts';

/** What run.ts puts into every virtual user's context. artillery's own types are not installed at the root. */
interface Context {
  readonly vars: { readonly load: LoadSettings; readonly resultFile: string };
}

/**
 * artillery runs a phase with an arrivalCount in one of its worker threads (its lib/dist.ts), so that all clients share
 * this module: one ledger, one clock.
 */
let clients: Clients | undefined;
let arrived = 0;

/** A virtual user, from its connection to its end. */
export async function runClient({ vars }: Context): Promise<void> {
  clients ??= new Clients(vars.load);
  const result = await clients.run(arrived++);
  if (result) writeFileSync(vars.resultFile, JSON.stringify(result));
}
