import { setTimeout as delay } from 'node:timers/promises';

const LOOK_AGAIN_MS = 20;

/** Looks until `look` gives something true, for what no event announces. The test's own timeout is the bound. */
export async function until<T>(look: () => T | Promise<T>): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    await delay(LOOK_AGAIN_MS);
  }
}
