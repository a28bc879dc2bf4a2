import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from 'jose';
import { isRecord } from '../protocol/json.ts';
import { Fault, TokenError } from './errors.ts';
import { createRenewed, type RenewedDeps } from './renewed.ts';
import { isWebUrl } from './web-url.ts';

/** For the discovery and the keys together: a handshake waits for them, and API Gateway gives it 29 s. */
const LOAD_MS_MAX = 3_000;
/** Some twenty keys with their certificates. */
const BYTES_MAX = 64 * 1024;
const KEYS_MAX = 50;
/** RFC 7518, section 3.3. */
const RSA_BITS_MIN = 2_048;
/** A revoked key is good for at most `staleMaxMs`, which is as long as API Gateway's own JWT authorizers keep theirs. */
const LIMITS = { freshMs: 10 * 60_000, staleMaxMs: 2 * 3_600_000, cooldownMs: 30_000, retryMs: 5_000 };

/** Where an issuer has its keys. */
interface KeySource {
  readonly issuer: string;
  /** If it is missing, the issuer's OpenID configuration says it. */
  readonly jwksUri?: string;
}
export interface WebDeps extends RenewedDeps {
  readonly fetch: typeof globalThis.fetch;
  /** A signal that comes after so many milliseconds. */
  readonly deadline: (ms: number) => AbortSignal;
}

/** Finds the key that a token's header names among those of its issuer. */
export function createIssuerKeys(
  source: KeySource,
  deps: WebDeps,
): (header: JWTHeaderParameters) => Promise<CryptoKey> {
  const { issuer } = source;
  const sets = createRenewed(`the keys of ${issuer}`, () => load(source, deps), LIMITS, deps);
  const keyIn = async (set: KeySet, header: JWTHeaderParameters): Promise<CryptoKey | undefined> => {
    try {
      return expectStrong(await set(header));
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      // Whatever else WebCrypto and jose say of one of its keys: this one verifies nothing.
      deps.report(`a key of ${issuer} is of no use`, error);
      throw new TokenError(Fault.unknownKey);
    }
  };
  return async (header) => {
    const key = (await keyIn(await sets.get(), header)) ?? (await keyIn(await sets.renew(), header));
    if (!key) throw new TokenError(Fault.unknownKey);
    return key;
  };
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

async function load({ issuer, jwksUri }: KeySource, { fetch, deadline }: WebDeps): Promise<KeySet> {
  const signal = deadline(LOAD_MS_MAX);
  const get = (url: string) => getJson(url, fetch, signal);
  const set = await get(jwksUri ?? (await discover(issuer, get)));
  const count = isRecord(set) && Array.isArray(set.keys) ? set.keys.length : undefined;
  if (count === undefined || count > KEYS_MAX) {
    throw new Error(`expected at most ${KEYS_MAX} keys of ${issuer}, got ${count ?? 'no list of keys'}`);
  }
  return createLocalJWKSet(set as unknown as JSONWebKeySet); // it checks the rest
}

/** OpenID Connect Discovery 1.0, sections 4.1 and 4.3. */
async function discover(issuer: string, get: (url: string) => Promise<unknown>): Promise<string> {
  const found = await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (!isRecord(found) || found.issuer !== issuer) {
    throw new Error(`expected an OpenID configuration of ${issuer}, got another`);
  }
  if (!isWebUrl(found.jwks_uri)) {
    throw new Error(`expected jwks_uri of ${issuer} to be an https URL, got another value`);
  }
  return found.jwks_uri;
}

async function getJson(url: string, fetch: WebDeps['fetch'], signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`expected ${url} to answer with 200, got ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > BYTES_MAX) throw new Error(`expected at most ${BYTES_MAX} bytes of ${url}, got more`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** jose finds out only when it verifies, and throws what could be anything. */
function expectStrong(key: CryptoKey): CryptoKey {
  const { modulusLength = RSA_BITS_MIN } = key.algorithm as { readonly modulusLength?: number };
  if (modulusLength < RSA_BITS_MIN) {
    throw new Error(`expected an RSA key of at least ${RSA_BITS_MIN} bits, got ${modulusLength}`);
  }
  return key;
}
