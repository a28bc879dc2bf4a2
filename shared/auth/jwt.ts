import { createHash } from 'node:crypto';
import { type CryptoKey, errors, type JWTHeaderParameters, jwtVerify } from 'jose';
import { TOKEN_LENGTH_MAX } from '../protocol/frames.ts';
import { isRecord } from '../protocol/json.ts';
import { isTokenId, TOKEN_AGE_MAX_SECONDS } from '../protocol/revocation.ts';
import { Fault, TokenError } from './errors.ts';

/** How far the clocks of an issuer and of a Lambda may be apart. */
const CLOCK_TOLERANCE_SECONDS = 30;

/** A token that has been taken apart. Nothing of it is verified: it says only who is to verify it. */
export interface Jwt {
  readonly text: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly issuer: unknown;
}

/** What a verified token says. */
export interface Claims {
  readonly sub: string;
  /** Epoch seconds. */
  readonly exp: number;
  /** Epoch seconds. */
  readonly iat: number;
  readonly jti?: unknown;
  readonly [name: string]: unknown;
}

export interface JwtRules {
  readonly issuer: string;
  readonly audience: string | readonly string[];
  readonly algorithms: readonly string[];
  /** What `typ` may be, in lower case and without `application/`; undefined if it may be missing. */
  readonly types: readonly unknown[];
}

export type KeyOf = (header: JWTHeaderParameters) => Promise<CryptoKey | Uint8Array>;

export function parseJwt(text: string): Jwt {
  if (text.length > TOKEN_LENGTH_MAX) throw new TokenError(Fault.tooLong);
  const parts = text.split('.');
  // Base64 is read leniently: without this, a token could be altered at the end of its signature and stay valid.
  if (parts.length !== 3 || !parts.every(isBase64Url)) throw new TokenError(Fault.malformed);
  const [header, claims] = parts.slice(0, 2).map(parsePart);
  if (!isRecord(header) || !isRecord(claims)) throw new TokenError(Fault.malformed);
  return { text, header, issuer: claims.iss };
}

/** Throws a `TokenError`, or what `keyOf` throws. */
export async function verifyJwt(
  { text, header }: Jwt,
  keyOf: KeyOf,
  { issuer, audience, algorithms, types }: JwtRules,
  now: () => number,
): Promise<Claims> {
  if (!types.includes(typeOf(header))) throw new TokenError(Fault.type);
  const verified = jwtVerify(text, keyOf, {
    issuer,
    audience: [audience].flat(),
    algorithms: [...algorithms],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    // It also has to say when it was issued, and not from the future: who could would outlive any revocation.
    maxTokenAge: TOKEN_AGE_MAX_SECONDS,
    currentDate: new Date(now()),
  });
  const { payload } = await verified.catch((error: unknown) => {
    throw error instanceof errors.JOSEError ? new TokenError(faultOf(error)) : error;
  });
  const { sub, exp, iat = Number.NaN } = payload;
  // JSON has numbers that are infinite: 1e999.
  if (typeof sub !== 'string' || exp === undefined || !Number.isSafeInteger(Math.floor(exp))) {
    throw new TokenError(Fault.claims);
  }
  return { ...payload, sub, exp: Math.floor(exp), iat: Math.floor(iat) };
}

/**
 * What to know a token by: its `jti`, if it is short and plain, or else a hash of what is signed. The signature is left out, because whoever has
 * one of an elliptic curve can make another.
 */
export function tokenIdOf({ text }: Jwt, { jti }: Pick<Claims, 'jti'>): string {
  if (isTokenId(jti)) return jti;
  return createHash('sha256')
    .update(text.slice(0, text.lastIndexOf('.')))
    .digest('base64url');
}

/** The one way to write these bytes (RFC 7515, section 2, has no padding). */
const isBase64Url = (part: string): boolean =>
  part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part;

function parsePart(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    throw new TokenError(Fault.malformed);
  }
}

const typeOf = ({ typ }: Jwt['header']): unknown =>
  typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ;

function faultOf(error: errors.JOSEError): Fault {
  if (error instanceof errors.JWTExpired) return error.claim === 'iat' ? Fault.tooOld : Fault.expired;
  if (error instanceof errors.JWTClaimValidationFailed)
    return FAULTS_OF_CLAIMS.get(error.claim) ?? Fault.claims;
  if (error instanceof errors.JOSEAlgNotAllowed) return Fault.algorithm;
  if (error instanceof errors.JWSSignatureVerificationFailed) return Fault.signature;
  return Fault.malformed;
}

const FAULTS_OF_CLAIMS: ReadonlyMap<string, Fault> = new Map([
  ['iss', Fault.issuer],
  ['aud', Fault.audience],
  ['nbf', Fault.notYetValid],
  ['iat', Fault.issuedAt],
]);
