import { grant } from '../../shared/auth/grants.ts';
import type { Dice } from '../simulation/dice.ts';
import { AUDIENCE, ISSUER, signedPart, signedWith, signingKey } from '../support/issuer.ts';
import { ANONYMOUS, rollRights, type User } from './cast.ts';
import type { Token } from './model.ts';
import type { Headers } from './system.ts';

/** Everybody who gives out tokens: an issuer, the back end, and those who would like to. */

export const API = 'https://api.example/prod';
export const SECRET = 'secret'.padEnd(64, '.');
export const KEY = signingKey('key', 'EdDSA');
const STRANGER = signingKey('key', 'EdDSA');
/** The clocks of issuers differ from ours by so much at most. */
export const TOLERANCE_MS = 30_000;

/** A token as text, and what it is worth, which is nothing if it was forged. */
export interface Issued {
  readonly text: string;
  readonly token?: Token;
}

type Kind = 'grant' | 'identity' | 'forged';
const KINDS: Readonly<Record<Kind, number>> = { grant: 0.6, identity: 0.35, forged: 0.05 };

export async function issue(
  dice: Dice,
  user: User,
  nowMs: number,
  kind: Kind = dice.weighted(KINDS) ?? 'grant',
): Promise<Issued> {
  const { own, all } = rollRights(dice, user);
  const seconds = Math.floor(nowMs / 1000);
  const expiresIn = Math.round(dice.scale(1, 3_600));
  const id = `token${dice.integer(0, 1e9)}`;
  const token: Token = {
    id,
    user: user.name,
    rights: all,
    issuedAtMs: seconds * 1_000,
    endsAtMs: (seconds + expiresIn) * 1_000,
  };
  const granter = { secret: SECRET, audience: API, now: () => nowMs, newId: () => id };
  const claims = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: user.subject,
    jti: id,
    iat: seconds,
    exp: seconds + expiresIn,
    fanwire: { rights: own },
  };
  if (kind === 'identity') return { text: KEY.sign(claims), token };
  if (kind === 'grant') {
    return { text: await grant({ userId: user.subject, rights: own, expiresIn }, granter), token };
  }
  const { publicKey } = KEY;
  return {
    text: dice.pick([
      STRANGER.sign(claims),
      `${signedPart({ alg: 'none' }, claims)}.`,
      signedWith(publicKey.export({ type: 'spki', format: 'pem' }), { alg: 'HS256', kid: 'key' }, claims),
      await grant(
        { userId: user.subject, rights: own, expiresIn },
        { ...granter, secret: SECRET.replace('s', 'z') },
      ),
      await grant({ userId: user.subject, rights: own, expiresIn }, { ...granter, audience: `${API}2` }),
    ]),
  };
}

/** That of somebody without one. */
export const anonymousAt = (nowMs: number): Token => ({
  id: '',
  user: undefined,
  rights: ANONYMOUS,
  issuedAtMs: nowMs,
  endsAtMs: Infinity,
});

export const headersWith = (dice: Dice, text: string): Headers =>
  dice.chance(0.5)
    ? { Authorization: [`Bearer ${text}`] }
    : { 'Sec-WebSocket-Protocol': [`fanwire, bearer.${text}`] };
