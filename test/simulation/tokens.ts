import type { Access, Authenticate } from '../../shared/auth/access.ts';
import { Fault, TokenError } from '../../shared/auth/errors.ts';
import type { Operation, Rights } from '../../shared/protocol/rights.ts';
import type { Revocation, Token } from '../rights/model.ts';
import { Dice } from './dice.ts';
import type { World } from './world.ts';

const MINUTE_MS = 60_000;
const LIFE_MS = [1.5 * MINUTE_MS, 120 * MINUTE_MS] as const;
/** The clocks of issuers differ from ours by so much at most. */
const TOLERANCE_SECONDS = 30;
/** Of tokens that are asked for, those with which their user may do something else than before. */
const CHANGED_SHARE = 0.1;
/** Of tokens that are asked for, those that are the same again. */
const SAME_SHARE = 0.2;
const OPERATIONS: readonly Operation[] = ['subscribe', 'publish', 'history', 'version'];

/** Whoever gives out tokens. A signature is nothing for virtual time: a token is good if it was given out here. */
export class Tokens {
  readonly revocations: Revocation[] = [];
  readonly #world: World;
  readonly #dice: Dice;
  readonly #patterns: readonly string[];
  readonly #issued = new Map<string, Token>();
  readonly #last = new Map<string, string>();
  readonly #rights = new Map<string, Rights>();
  readonly #hasRevocations: boolean;
  readonly #longestMs: number;

  /** Rights are to some of the patterns. */
  constructor(world: World, patterns: readonly string[]) {
    this.#world = world;
    this.#dice = new Dice(world.seed);
    this.#patterns = patterns;
    this.#hasRevocations = this.#dice.chance(0.5);
    this.#longestMs = this.#dice.scale(...LIFE_MS);
  }

  /** For somebody who is about to connect. */
  issue(user: string): string {
    const dice = this.#dice;
    const last = this.#last.get(user);
    if (last !== undefined && dice.chance(SAME_SHARE)) return last;
    const seconds = Math.floor(this.#world.scheduler.nowMs / 1_000);
    const iat = seconds - dice.pick([0, 0, 1, TOLERANCE_SECONDS]);
    const exp = seconds + Math.round(dice.scale(LIFE_MS[0], this.#longestMs) / 1_000);
    const id = dice.key();
    const rights = this.#rightsOf(user);
    const text = `x.${Buffer.from(JSON.stringify({ sub: user, jti: id, iat, exp })).toString('base64url')}.x`;
    this.#issued.set(text, { id, user, rights, issuedAtMs: iat * 1_000, endsAtMs: exp * 1_000 });
    this.#last.set(user, text);
    this.#world.trace('token', user, id, exp * 1_000, JSON.stringify(rights));
    return text;
  }

  tokenIn(text: string): Token | undefined {
    return this.#issued.get(text);
  }

  /** As the functions verify tokens, by the clock of their environment. */
  readonly verifier = (now: () => number): Authenticate => {
    return async (text): Promise<Access> => {
      const token = this.#issued.get(text);
      if (token?.user === undefined) throw new TokenError(Fault.signature);
      const { id, user, rights, issuedAtMs, endsAtMs } = token;
      if (now() / 1_000 >= endsAtMs / 1_000 + TOLERANCE_SECONDS) throw new TokenError(Fault.expired);
      const [issuedAt, expiresAt] = [issuedAtMs / 1_000, endsAtMs / 1_000];
      return { userId: user, rights, issuedAt, expiresAt, tokenId: id };
    };
  };

  /** What a back end puts on the bus, if it wants to be rid of somebody. */
  revoke(user: string): object | undefined {
    const dice = this.#dice;
    const last = this.tokenIn(this.#last.get(user) ?? '');
    if (!this.#hasRevocations || !last) return undefined;
    const tokenId = dice.chance(0.5) ? { tokenId: last.id } : {};
    const atMs = Math.floor(this.#world.scheduler.nowMs / 1_000) * 1_000;
    this.revocations.push({ user, ...tokenId, atMs });
    // What was issued up to then is good for nothing.
    this.#last.delete(user);
    return { userId: user, ...tokenId };
  }

  /** Everything on most topics, and on some of the wildcards. */
  #rightsOf(user: string): Rights {
    const dice = this.#dice;
    const before = this.#rights.get(user);
    if (before && !dice.chance(CHANGED_SHARE)) return before;
    const mine = this.#patterns.filter((pattern) => dice.chance(pattern.endsWith('*') ? 0.4 : 0.75));
    const rights: Rights = {
      ...Object.fromEntries(mine.map((pattern) => [pattern, OPERATIONS])),
      '/users/*': ['send'],
    };
    this.#rights.set(user, rights);
    return rights;
  }
}
