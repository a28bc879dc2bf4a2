import { createAuthenticate } from '../../shared/auth/access.ts';
import type { AccessClients } from '../../shared/auth/clients.ts';
import { authOf, authSettings } from '../../shared/auth/config.ts';
import type { Tickets } from '../../shared/data/tickets.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import type { AuthorizeDeps } from './authorize.ts';

/** The environment variables that it takes. Beside its code it has a file of the settings. */
export const settings = {
  ...authSettings,
  audience: text('CALLBACK_URL'),
  accessTable: text('ACCESS_TABLE'),
} as const;

export interface AuthorizeClients extends AccessClients {
  /** Makes them, when the first ticket comes. */
  readonly tickets: (table: string, now: () => number) => Promise<Pick<Tickets, 'take'>>;
}

/** Makes what `authorize` needs. */
export function assemble(
  { audience, accessTable, ...config }: Config<typeof settings>,
  { tickets, ...clients }: AuthorizeClients,
  { now }: Pick<Clock, 'now'>,
): AuthorizeDeps {
  const auth = authOf(config);
  let made: ReturnType<typeof tickets> | undefined;
  return {
    auth,
    authenticate: createAuthenticate(auth, { ...clients, audience, now }),
    async takeTicket(ticket) {
      made ??= tickets(accessTable, now);
      return (await made).take(ticket);
    },
  };
}
