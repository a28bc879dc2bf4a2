import { createAuthenticate } from '../../shared/auth/access.ts';
import type { AccessClients } from '../../shared/auth/clients.ts';
import { authOf, authSettings } from '../../shared/auth/config.ts';
import { TICKET_BYTES } from '../../shared/auth/ticket.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createTickets } from '../../shared/data/tickets.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, text } from '../../shared/lambda/config.ts';
import type { IssueDeps } from './issue.ts';

/** The environment variables that it takes. Beside its code it has a file of the settings. */
export const settings = {
  ...authSettings,
  audience: text('CALLBACK_URL'),
  accessTable: text('ACCESS_TABLE'),
} as const;

export interface TicketClients extends AccessClients, Pick<Clients, 'dynamodb'> {
  readonly randomBytes: (size: number) => Buffer;
}

/** Makes what `issue` needs. */
export const assemble = (
  { audience, accessTable, ...config }: Config<typeof settings>,
  { dynamodb, randomBytes, ...clients }: TicketClients,
  { now }: Pick<Clock, 'now'>,
): IssueDeps => ({
  authenticate: createAuthenticate(authOf(config), { ...clients, audience, now }),
  tickets: createTickets(dynamodb, accessTable, now),
  newTicket: () => randomBytes(TICKET_BYTES).toString('base64url'),
  now,
});
