import { isFromTo } from './arguments.ts';
import type { Settings } from './options.ts';

// All but `renewInMs` in seconds, as in tokens.

/** Another token is asked for so long before the token ends, or a tenth of the token's life. */
const MARGIN_MIN = 30;
/** And so long after the current one was given; with no later token than the one before, as long as the margin. */
const AFTER_OPEN_MIN = 10;

/** For how long a token is good, as far as the client can tell. */
export interface Lease {
  /** By the issuer's clock. */
  readonly exp: number;
  /** By this clock. */
  readonly given: number;
  /** How far this clock is ahead of the issuer's. Clients' clocks are wrong by minutes now and then. */
  readonly ahead: number;
  /** From now, when it is known to be good, until another token is to be asked for. */
  readonly renewInMs: () => number;
  /** What is left of it, from now. */
  readonly leftMs: () => number;
}

/**
 * Undefined for a token that is no JWT, or does not say when it ends, unless the server has. `last` is that of the token
 * before.
 */
export function leaseOf(
  token: string,
  { now, random }: Pick<Settings, 'now' | 'random'>,
  last: Lease | undefined,
  expiresAt?: string,
): Lease | undefined {
  const { exp: claimed, iat } = claimsOf(token);
  const exp = expiresAt === undefined ? claimed : Date.parse(expiresAt) / 1000;
  // Infinity, which JSON can say, would make times that are no numbers.
  if (!isFromTo(0, 1e12)(exp)) return undefined;
  const given = now() / 1000;
  const issued = isFromTo(0, exp)(iat) ? iat : given;
  const isLater = !last || exp > last.exp;
  // Any token may come out of a cache, which makes this clock look further ahead than it is: by what has been seen, it is
  // ahead by the least of it at most. A later token that would be over by then is not: the clock is wrong.
  const seen = given - issued;
  let ahead = Math.min(last?.ahead ?? 0, seen);
  if (isLater && exp + ahead <= given) {
    ahead = seen;
  } else if (isLater && last && seen - ahead > (exp - issued) / 2) {
    // Half of it seems to be over. It was issued after the last one was given, or it would have been given then.
    ahead = Math.max(ahead, Math.min(seen, last.given - issued));
  }
  // Not at the same moment for all that got theirs together.
  const margin = Math.max(MARGIN_MIN, (exp - issued) / 10) * (1 + random() / 2);
  const leftMs = () => (exp + ahead) * 1000 - now();
  const renewInMs = () => {
    const left = leftMs() / 1000;
    // Half of what is left each time, so that a margin of hours is no reason to connect hundreds of times.
    const again = Math.max(MARGIN_MIN, left / 2);
    return Math.max(left - margin, isLater && left > 0 ? AFTER_OPEN_MIN : again) * 1000;
  };
  return { exp, given, ahead, renewInMs, leftMs };
}

/** Nothing of it is verified: a wrong word costs a connection too many or too few. */
function claimsOf(token: string): Record<string, unknown> {
  const [, payload = '', ...rest] = token.split('.');
  try {
    // In Latin-1 in place of UTF-8, which changes no number.
    return Object(rest.length === 1 && JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))));
  } catch {
    return {}; // a token of another kind, which is the server's to read
  }
}
