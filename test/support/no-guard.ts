import { createGuard } from '../../shared/auth/guard.ts';

/** Of a deployment without an authorizer. */
export const NO_GUARD = createGuard('none', () => 0);
