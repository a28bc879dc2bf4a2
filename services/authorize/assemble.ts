import { createAuthenticate } from '../../shared/auth/access.ts';
import { authOf, authSettings } from '../../shared/auth/config.ts';
import type { GrantDeps } from '../../shared/auth/grants.ts';
import type { WebDeps } from '../../shared/auth/jwks.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import type { AuthorizeDeps } from './authorize.ts';

/** The environment variables that it takes. Beside its code it has a file of the settings. */
export const settings = { ...authSettings, audience: text('CALLBACK_URL') } as const;

/** What it asks for keys, and tells of what went wrong with that. */
export type AuthorizeClients = Pick<WebDeps, 'fetch' | 'deadline' | 'report'> & Pick<GrantDeps, 'secrets'>;

/** Makes what `authorize` needs. */
export const assemble = (
  { audience, ...config }: Config<typeof settings>,
  clients: AuthorizeClients,
  { now }: Pick<Clock, 'now'>,
): AuthorizeDeps => {
  const auth = authOf(config);
  return { auth, authenticate: createAuthenticate(auth, { ...clients, audience, now }) };
};
