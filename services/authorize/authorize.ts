import type { Access, Authenticate } from '../../shared/auth/access.ts';
import { contextOf } from '../../shared/auth/context.ts';
import { Fault, FORBIDDEN, TokenError } from '../../shared/auth/errors.ts';
import { admitsNobody, type CompleteAuth } from '../../shared/auth/settings.ts';
import { ticketOf } from '../../shared/auth/ticket.ts';
import { type HandshakeEvent, tokenOf } from '../../shared/auth/token.ts';
import type { Verdict } from '../../shared/lambda/authorizer.ts';

export interface AuthorizeDeps {
  readonly authenticate: Authenticate;
  readonly auth: Pick<CompleteAuth, 'queryToken' | 'tickets' | 'issuers' | 'grants' | 'anonymous'>;
  /** The `Access` that a ticket stands for, as JSON; the next time, and too late, nothing. */
  readonly takeTicket: (ticket: string) => Promise<string | undefined>;
}

const ANONYMOUS = 'anonymous';

const LETS_NOBODY = 'the setting auth has no issuers, no grants and no rights for anonymous connections';

/** Says who may connect. The context that it gives a connection comes with each of its events. */
export async function authorize(event: HandshakeEvent, deps: AuthorizeDeps): Promise<Verdict> {
  try {
    return await admit(event, deps);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    return {
      status: FORBIDDEN.includes(error.fault) ? 403 : 401,
      reason: error.fault,
      ...(error.fault === Fault.nobody && { hint: LETS_NOBODY }),
    };
  }
}

async function admit(event: HandshakeEvent, deps: AuthorizeDeps): Promise<Verdict> {
  const { authenticate, auth } = deps;
  if (admitsNobody(auth)) throw new TokenError(Fault.nobody);
  const ticket = ticketOf(event, auth);
  const token = tokenOf(event, auth);
  if (ticket !== undefined) {
    if (token !== undefined) throw new TokenError(Fault.several);
    return admitted(await accessOf(ticket, deps));
  }
  if (token !== undefined) return admitted(await authenticate(token));
  if (Object.keys(auth.anonymous).length === 0) throw new TokenError(Fault.none);
  return admitted({ rights: auth.anonymous });
}

async function accessOf(ticket: string, { takeTicket }: AuthorizeDeps): Promise<Access> {
  const access = await takeTicket(ticket);
  if (access === undefined) throw new TokenError(Fault.unknownTicket);
  return JSON.parse(access); // Fanwire's own words
}

const admitted = (access: Access | Pick<Access, 'rights'>): Verdict => ({
  principalId: 'userId' in access ? access.userId : ANONYMOUS,
  context: contextOf(access),
});
