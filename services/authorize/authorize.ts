import type { Access, Authenticate } from '../../shared/auth/access.ts';
import { Fault, TokenError } from '../../shared/auth/errors.ts';
import { admitsNobody, type CompleteAuth } from '../../shared/auth/settings.ts';
import { type HandshakeEvent, tokenOf } from '../../shared/auth/token.ts';
import type { Verdict } from '../../shared/lambda/authorizer.ts';

export interface AuthorizeDeps {
  readonly authenticate: Authenticate;
  readonly auth: Pick<CompleteAuth, 'queryToken' | 'issuers' | 'grants' | 'anonymous'>;
}

/** Of the 8 KB that an authorizer may answer with, its policy needs less than the rest. */
const CONTEXT_BYTES_MAX = 7 * 1024;
const ANONYMOUS = 'anonymous';

const LETS_NOBODY = 'the setting auth has no issuers, no grants and no rights for anonymous connections';

/** The token is good, so that another of the same kind would not help. */
const FORBIDDEN: readonly Fault[] = [Fault.userId, Fault.rights, Fault.rightsTooLong];

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

async function admit(event: HandshakeEvent, { authenticate, auth }: AuthorizeDeps): Promise<Verdict> {
  if (admitsNobody(auth)) throw new TokenError(Fault.nobody);
  const token = tokenOf(event, auth);
  if (token !== undefined) return admitted(await authenticate(token));
  if (Object.keys(auth.anonymous).length === 0) throw new TokenError(Fault.none);
  return admitted({ rights: auth.anonymous });
}

function admitted(access: Access | Pick<Access, 'rights'>): Verdict {
  const context = { ...access, rights: JSON.stringify(access.rights) };
  if (Buffer.byteLength(JSON.stringify(context)) > CONTEXT_BYTES_MAX)
    throw new TokenError(Fault.rightsTooLong);
  return { principalId: 'userId' in access ? access.userId : ANONYMOUS, context };
}
