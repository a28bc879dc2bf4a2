import { badRequest } from '../protocol/errors.ts';
import { expectFields, parseList, parseObject } from '../protocol/parse.ts';
import { parseRights, parseRightsTemplate, type Rights } from '../protocol/rights.ts';
import { IDENTITY_ALGORITHMS, type IdentityAlgorithm, type Issuer } from './identity.ts';
import { isWebUrl } from './web-url.ts';

/** An issuer, what its users are called, and whether its own word on rights counts. */
export interface TrustedIssuer extends Issuer {
  /**
   * Stands before the `sub` of its tokens, in the ids of users and in `{sub}`: with `staff:` the subject `ada` is the user
   * `staff:ada`, for grants, too. Each of several issuers has another one; one may have none.
   */
  readonly userPrefix?: string;
  /** Its tokens' claim `fanwire.rights` gives rights. Only for issuers that let no user write it. */
  readonly rightsClaim?: boolean;
}

/** Who may connect, and what for. Without issuers, grants and rights of anonymous connections nobody may. */
export interface AuthSettings {
  /** Whose identity tokens are taken. */
  readonly issuers?: readonly TrustedIssuer[];
  /** Whether grants of the back end are taken. */
  readonly grants?: boolean;
  /** Whether a token may come as `?token=`, where proxies and logs may keep it. */
  readonly queryToken?: boolean;
  /**
   * Whether a token can be exchanged for a ticket, which opens one connection as `?ticket=`; also by pages of these origins.
   */
  readonly tickets?: boolean | { readonly allowOrigins: readonly string[] };
  /** What everybody with a valid token may do; `{claim}` is filled in from the token. */
  readonly rights?: Rights;
  /** What everybody without a token may do. */
  readonly anonymous?: Rights;
}
export type CompleteAuth = Required<Omit<AuthSettings, 'tickets'>> & {
  readonly tickets: false | { readonly allowOrigins: readonly string[] };
};

export const admitsNobody = ({
  issuers,
  grants,
  anonymous,
}: Pick<CompleteAuth, 'issuers' | 'grants' | 'anonymous'>): boolean =>
  issuers.length === 0 && !grants && Object.keys(anonymous).length === 0;

const ISSUERS_MAX = 10;
const AUDIENCES_MAX = 10;
const NAME_LENGTH_MAX = 512;
/** Of what ids of users have as it is; not `~`, which escapes the others. */
const USER_PREFIX = /^[A-Za-z0-9_.:@-]{1,64}$/;
const ORIGINS_MAX = 50;
const ORIGIN = /^https?:\/\/[a-z0-9.:[\]-]{1,255}$/;

const FIELDS: Record<keyof AuthSettings, true> = {
  issuers: true,
  grants: true,
  queryToken: true,
  tickets: true,
  rights: true,
  anonymous: true,
};
const ISSUER_FIELDS: Record<keyof TrustedIssuer, true> = {
  issuer: true,
  audience: true,
  jwksUri: true,
  algorithms: true,
  rightsClaim: true,
  userPrefix: true,
};

/** Fills in the defaults, or throws an error that says what is wrong with them. */
export function parseAuth(value: unknown): CompleteAuth {
  const raw = parseObject("auth to be an object, or 'none'", value);
  expectFields('auth', raw, Object.keys(FIELDS));
  const { issuers = [], grants, queryToken, tickets = false, rights = {}, anonymous = {} } = raw;
  const tokens = { issuers: parseIssuers(issuers), grants: parseSwitch('auth.grants', grants) };
  if (tickets !== false && tokens.issuers.length === 0 && !tokens.grants) {
    throw badRequest('auth.tickets to come with issuers or grants, whose tokens they are for', tickets);
  }
  return {
    ...tokens,
    queryToken: parseSwitch('auth.queryToken', queryToken),
    tickets: parseTickets(tickets),
    rights: parseRightsTemplate(rights, 'auth.rights'),
    anonymous: parseRights(anonymous, 'auth.anonymous'),
  };
}

/** Apart from the other settings, where only some are known. */
export function parseIssuers(value: unknown): readonly TrustedIssuer[] {
  if (Array.isArray(value) && value.length === 0) return [];
  const issuers = parseList('auth.issuers', value, ISSUERS_MAX, parseIssuer);
  const names = issuers.map(({ issuer }) => issuer);
  if (new Set(names).size < names.length) throw badRequest('auth.issuers to have each issuer once', names);
  const prefixes = issuers.map(({ userPrefix = '' }) => userPrefix);
  if (new Set(prefixes).size < prefixes.length) {
    throw badRequest(
      'several auth.issuers to have a userPrefix each, and none twice (one may be without): or the same sub of two would ' +
        'be one user',
      prefixes,
    );
  }
  return issuers;
}

function parseTickets(value: unknown): CompleteAuth['tickets'] {
  if (typeof value === 'boolean') return value && { allowOrigins: [] };
  const raw = parseObject('auth.tickets to be true, false or an object', value);
  expectFields('auth.tickets', raw, ['allowOrigins']);
  const origins = raw.allowOrigins;
  const isEmpty = Array.isArray(origins) && origins.length === 0;
  return {
    allowOrigins: isEmpty ? [] : parseList('auth.tickets.allowOrigins', origins, ORIGINS_MAX, parseOrigin),
  };
}

/** As browsers write it. */
function parseOrigin(value: unknown): string {
  if (typeof value !== 'string' || !(value === '*' || ORIGIN.test(value))) {
    throw badRequest('origins like https://app.example.com, or *', value);
  }
  return value;
}

function parseIssuer(value: unknown): TrustedIssuer {
  const raw = parseObject('an issuer to be an object', value);
  expectFields('an issuer', raw, Object.keys(ISSUER_FIELDS));
  const { issuer, audience, jwksUri, algorithms, rightsClaim, userPrefix } = raw;
  if (!isWebUrl(issuer) || issuer.includes('?')) throw badRequest('issuer to be an https URL', issuer);
  if (jwksUri !== undefined && !isWebUrl(jwksUri)) throw badRequest('jwksUri to be an https URL', jwksUri);
  return {
    issuer,
    audience: parseList('audience', [audience].flat(), AUDIENCES_MAX, parseName),
    ...(jwksUri !== undefined && { jwksUri }),
    ...(algorithms !== undefined && { algorithms: parseAlgorithms(algorithms) }),
    rightsClaim: parseSwitch('rightsClaim', rightsClaim),
    ...(userPrefix !== undefined && { userPrefix: parseUserPrefix(userPrefix) }),
  };
}

function parseUserPrefix(value: unknown): string {
  if (typeof value !== 'string' || !USER_PREFIX.test(value)) {
    throw badRequest('userPrefix to be 1 to 64 of A-Z a-z 0-9 _ . : @ -', value);
  }
  return value;
}

const parseAlgorithms = (value: unknown): readonly IdentityAlgorithm[] =>
  parseList('algorithms', value, IDENTITY_ALGORITHMS.length, (given) => {
    const found = IDENTITY_ALGORITHMS.find((each) => each === given);
    if (found === undefined) throw badRequest(`algorithms to be of ${IDENTITY_ALGORITHMS.join(', ')}`, given);
    return found;
  });

function parseName(value: unknown): string {
  if (typeof value !== 'string' || value.length < 1 || value.length > NAME_LENGTH_MAX) {
    throw badRequest(`audience to be texts of 1 to ${NAME_LENGTH_MAX} characters`, value);
  }
  return value;
}

function parseSwitch(what: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    throw badRequest(`${what} to be true or false`, value);
  return value === true;
}
