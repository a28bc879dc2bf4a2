import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { JWK } from 'jose';

export const NOW_MS = Date.UTC(2024, 0, 20, 11, 55, 8);
export const NOW_SECONDS = NOW_MS / 1000;
export const ISSUER = 'https://issuer.example/';
export const AUDIENCE = 'the app';
export const CLAIMS = {
  ...{ iss: ISSUER, aud: AUDIENCE, sub: 'alice', jti: 'token-1' },
  ...{ iat: NOW_SECONDS - 60, exp: NOW_SECONDS + 600 },
};

type Algorithm = 'RS256' | 'ES256' | 'EdDSA';
type Header = Readonly<Record<string, unknown>>;

/** A key of an issuer, and tokens signed with it: any, also those that no library would sign. */
export interface SigningKey {
  readonly publicKey: KeyObject;
  readonly jwk: JWK;
  /** A text is taken as it is, and anything else written as JSON. */
  sign(claims?: unknown, header?: Header): string;
}

const PAIRS = {
  RS256: (bits: number) => generateKeyPairSync('rsa', { modulusLength: bits }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
} satisfies Record<Algorithm, unknown>;

export function signingKey(kid: string, alg: Algorithm = 'ES256', bits = 2_048): SigningKey {
  const { publicKey, privateKey } = PAIRS[alg](bits);
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return {
    publicKey,
    jwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), kid, alg, use: 'sig' },
    sign(claims = CLAIMS, header = {}) {
      const input = signedPart({ alg, kid, ...header }, claims);
      const signature = sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), key);
      return `${input}.${signature.toString('base64url')}`;
    },
  };
}

/** The first two parts of a token. */
export const signedPart = (header: Header, claims: unknown = CLAIMS): string =>
  [header, claims]
    .map((part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url'))
    .join('.');

export function signedWith(secret: string | Buffer, header: Header, claims: unknown = CLAIMS): string {
  const input = signedPart(header, claims);
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const KEYS_URL = `${ISSUER}keys`;

/** Answers as the issuer does, with its configuration, and anywhere else with its keys; keeps what it was asked for. */
export class FakeIssuer {
  readonly asked: string[] = [];
  keys: readonly unknown[];
  configuration: unknown = { issuer: ISSUER, jwks_uri: KEYS_URL };
  isDown = false;

  constructor(...keys: readonly SigningKey[]) {
    this.keys = keys.map(({ jwk }) => jwk);
  }

  readonly fetch: typeof globalThis.fetch = async (url) => {
    this.asked.push(String(url));
    if (this.isDown) return new Response('down', { status: 503 });
    const isConfiguration = String(url).endsWith('/.well-known/openid-configuration');
    return Response.json(isConfiguration ? this.configuration : { keys: this.keys });
  };
}

/** What verification needs beside a fetch. Keeps what it was told of. */
export function webDeps(fetch: typeof globalThis.fetch, now: () => number = () => NOW_MS) {
  const problems: string[] = [];
  return {
    ...{ fetch, now, problems },
    deadline: () => new AbortController().signal,
    report: (problem: string, error: unknown) => void problems.push(`${problem}: ${error}`),
  };
}
