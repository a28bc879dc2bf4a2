import { createAuthenticate } from '../../shared/auth/access.ts';
import type { AccessClients } from '../../shared/auth/clients.ts';
import { authOf, authSettings } from '../../shared/auth/config.ts';
import { TICKET_BYTES } from '../../shared/auth/ticket.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
import { createTickets } from '../../shared/data/tickets.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import { assembleLimits, limitSettings } from '../../shared/limits/assemble.ts';
import type { IssueDeps } from './issue.ts';

/** The environment variables that it takes. Beside its code it has a file of the settings. */
export const settings = {
  ...authSettings,
  audience: text('CALLBACK_URL'),
  ...limitSettings,
} as const;

export interface TicketClients extends AccessClients, Pick<Clients, 'dynamodb'> {
  readonly randomBytes: (size: number) => Buffer;
}

/** Makes what `issue` needs. */
export const assemble = (
  { audience, ...config }: Config<typeof settings>,
  { dynamodb, randomBytes, ...clients }: TicketClients,
  clock: Clock,
): IssueDeps => ({
  authenticate: createAuthenticate(authOf(config), { ...clients, audience, now: clock.now }),
  limits: assembleLimits(config, async () => ({ dynamodb }), clock),
  revocations: createRevocations(dynamodb, config.accessTable, clock),
  tickets: createTickets(dynamodb, config.accessTable, clock.now),
  newTicket: () => randomBytes(TICKET_BYTES).toString('base64url'),
  now: clock.now,
});
