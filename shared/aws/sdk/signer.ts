import { hash } from 'node:crypto';
import type { HmacKey } from '../sign/hmac-key.ts';
import {
  ALGORITHM,
  type Credentials,
  canonicalPath,
  canonicalValue,
  scopeOf,
  signingKey,
  timestamp,
} from '../sign/sigv4.ts';
import { isPlainBody, type Request } from './request.ts';

/** The part of an SDK client's `config` that a signer needs. */
export interface SignerConfig {
  readonly credentials: () => Promise<Credentials>;
  readonly region: () => Promise<string>;
  readonly defaultSigningName: string;
}
/** What the SDK knows about one request: region and service only where they differ from the client's. */
interface SigningOptions {
  readonly signingDate?: Date | string | number;
  readonly signingRegion?: string;
  readonly signingService?: string;
}

/** Left over from an earlier attempt, or set by the SDK: made anew here. */
const GENERATED = new Set(['authorization', 'x-amz-date', 'date', 'x-amz-security-token']);
/** Beside all that begin with `x-amz-`: AWS requires no more, and a proxy may change the others. */
const SIGNED = new Set(['host', 'content-type']);
/** A key for a service and a day: there are few, unless credentials change with every request. */
const KEYS_MAX = 100;

/**
 * Signature Version 4 for the SDK's requests, in an eighth of its own signer's time: that one hashes with objects and
 * promises, and is made anew for every request.
 */
export class RequestSigner {
  readonly #config: SignerConfig;
  readonly #keys = new Map<string, HmacKey>();

  constructor(config: SignerConfig) {
    this.#config = config;
  }

  /** The request with its signature. `signingDate` is the SDK's, which allows for a wrong clock. */
  async sign<R extends Request>(request: R, options: SigningOptions = {}): Promise<R> {
    const { signingDate = Date.now(), signingRegion, signingService } = options;
    const credentials = await this.#config.credentials();
    const region = signingRegion ?? (await this.#config.region());
    const time = timestamp(new Date(signingDate).getTime());
    const scope = scopeOf(time, region, signingService ?? this.#config.defaultSigningName);
    const headers = unsigned(request.headers);
    headers['x-amz-date'] = time;
    if (credentials.sessionToken) headers['x-amz-security-token'] = credentials.sessionToken;
    const names = Object.keys(headers).filter(isSigned).sort();
    const canonical = hash('sha256', canonicalRequest(request, headers, names));
    const signature = this.keyOf(credentials, scope).sign(
      `${ALGORITHM}\n${time}\n${scope}\n${canonical}`,
      'hex',
    );
    headers.authorization =
      `${ALGORITHM} Credential=${credentials.accessKeyId}/${scope}, ` +
      `SignedHeaders=${names.join(';')}, Signature=${signature}`;
    return { ...request, headers };
  }

  /** The key of a day, a region and a service. */
  keyOf(credentials: Credentials, scope: string): HmacKey {
    const name = `${credentials.secretAccessKey}/${scope}`;
    const known = this.#keys.get(name);
    if (known) return known;
    if (this.#keys.size === KEYS_MAX) this.#keys.clear();
    const key = signingKey(credentials, scope);
    this.#keys.set(name, key);
    return key;
  }
}

export const isSigned = (name: string): boolean => SIGNED.has(name) || name.startsWith('x-amz-');

/** Without the headers of an earlier signature: the SDK signs a request again for every attempt. */
function unsigned(headers: Readonly<Record<string, string>>): Record<string, string> {
  const copy: Record<string, string> = {};
  for (const name in headers) {
    const key = name.toLowerCase();
    if (!GENERATED.has(key)) copy[key] = headers[name] as string;
  }
  return copy;
}

function canonicalRequest(
  { method, path, body }: Request,
  headers: Readonly<Record<string, string>>,
  names: readonly string[],
): string {
  let text = `${method}\n${canonicalPath(path)}\n\n`;
  for (const name of names) text += `${name}:${canonicalValue(headers[name] as string)}\n`;
  if (!isPlainBody(body)) throw new TypeError(`expected a body of text or bytes, got ${typeof body}`);
  return `${text}\n${names.join(';')}\n${hash('sha256', body ?? '')}`;
}
