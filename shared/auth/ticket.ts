import { Fault, TokenError } from './errors.ts';
import { type HandshakeEvent, queryValues } from './token.ts';

/** Nobody guesses so many. */
export const TICKET_BYTES = 32;
/** For as long as it takes to open a connection. */
export const TICKET_SECONDS = 60;

/** So many bytes in base64url. */
const TICKET = /^[A-Za-z0-9_-]{43}$/;

/** The ticket of a handshake, if it has one. What looks like one and cannot be taken is refused: see `tokenOf`. */
export function ticketOf(
  event: HandshakeEvent,
  { tickets }: { readonly tickets: unknown },
): string | undefined {
  const [ticket, ...others] = queryValues(event, 'ticket');
  if (ticket === undefined) return undefined;
  if (!tickets) throw new TokenError(Fault.notAllowed);
  if (others.length > 0) throw new TokenError(Fault.several);
  if (!TICKET.test(ticket)) throw new TokenError(Fault.unknownTicket);
  return ticket;
}
