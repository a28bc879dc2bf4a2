import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthenticate } from '../../shared/auth/access.ts';
import type { GrantDeps } from '../../shared/auth/grants.ts';
import type { WebDeps } from '../../shared/auth/jwks.ts';
import { parseAuth } from '../../shared/auth/settings.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import { SETTINGS_FILES } from '../../shared/lambda/variables.ts';
import type { AuthorizeDeps } from './authorize.ts';

/** The environment variables that it takes. Beside its code it has a file of the settings. */
export const settings = {
  auth: {
    name: 'LAMBDA_TASK_ROOT',
    parse: (root: string) => parseAuth(JSON.parse(readFileSync(join(root, SETTINGS_FILES.AUTH), 'utf8'))),
  },
  audience: text('CALLBACK_URL'),
} as const;

/** What it asks for keys, and tells of what went wrong with that. */
export type AuthorizeClients = Pick<WebDeps, 'fetch' | 'deadline' | 'report'> & Pick<GrantDeps, 'secrets'>;

/** Makes what `authorize` needs. */
export const assemble = (
  { auth, audience }: Config<typeof settings>,
  clients: AuthorizeClients,
  { now }: Pick<Clock, 'now'>,
): AuthorizeDeps => ({ auth, authenticate: createAuthenticate(auth, { ...clients, audience, now }) });
