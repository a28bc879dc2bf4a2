import { createGuard } from '../../shared/auth/guard.ts';
import type { Standing } from '../../shared/data/standing.ts';

/** What a connection's item says that has been opened, and no more. */
export const NEVER_RENEWED: Standing = { renewals: 0, ends: new Map() };

/** Of a deployment without an authorizer. */
export const NO_GUARD = createGuard({
  authorization: 'none',
  connections: { standing: async () => NEVER_RENEWED },
  now: () => 0,
});

/** What routes have for tokens, where none come. */
export const NO_TOKENS = {
  takeGrant: async () => {
    throw new Error('expected no grant, got one');
  },
};
