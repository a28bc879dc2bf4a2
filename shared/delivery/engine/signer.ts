import { hash } from 'node:crypto';
import type { HmacKey } from '../../aws/sign/hmac-key.ts';
import { perSecond } from '../../aws/sign/per-second.ts';
import {
  ALGORITHM,
  type Credentials,
  canonicalPath,
  canonicalValue,
  encode,
  scopeOf,
  signingKey,
  timestamp,
} from '../../aws/sign/sigv4.ts';

/** What is the same in every request of one second. */
export interface Stamp {
  /** The value of `x-amz-date`: `20240120T115508Z`. */
  readonly date: string;
  readonly sessionToken: string | undefined;
  /** The Authorization header up to the signature. */
  readonly authorization: string;
}
export interface SignedRequest {
  readonly path: string;
  readonly stamp: Stamp;
  readonly signature: string;
  readonly body: Uint8Array;
  readonly signedAtMs: number;
  /** What `X-Amzn-Trace-Id` says, which is not signed. */
  readonly traceId?: string | undefined;
}

export const CONTENT_TYPE = 'application/octet-stream';

const SERVICE = 'execute-api';

/** The form of API Gateway's ids: only the last character needs to be encoded. */
const REAL_ID = /^[\w-]+=$/;

/** Cached for one second and one pair of credentials: key, headers and prefixes. */
interface Second extends Stamp {
  readonly key: HmacKey;
  /** The string to sign, up to the hash of the canonical request. */
  readonly stringPrefix: string;
  /** The canonical request between path and payload hash. */
  readonly canonicalTail: string;
}

/**
 * Signature Version 4 for `POST …/@connections/{id}`, see
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
 * All that posts have in common is made once: the key a day, the headers a second, the payload hash a frame, which goes
 * to many connections. A frame must not be changed once it was given here.
 */
export class Signer {
  readonly #host: string;
  readonly #region: string;
  readonly #path: string;
  readonly #canonicalPath: string;
  readonly #payloadHashes = new WeakMap<Uint8Array, string>();
  readonly #secondOf = perSecond((credentials, ms) => this.#newSecond(credentials, ms));
  #keyName = '';
  #key: HmacKey | undefined;

  constructor(endpoint: string, region: string) {
    const { host, pathname } = new URL(endpoint);
    this.#host = host;
    this.#region = region;
    this.#path = `${pathname.replace(/\/$/, '')}/@connections/`;
    this.#canonicalPath = `POST\n${canonicalPath(this.#path)}`;
  }

  sign(
    connectionId: string,
    body: Uint8Array,
    credentials: Credentials,
    nowMs: number,
    traceId?: string,
  ): SignedRequest {
    const second = this.#secondOf(credentials, nowMs);
    const bare = REAL_ID.test(connectionId) ? connectionId.slice(0, -1) : undefined;
    const id = bare === undefined ? encode(connectionId) : `${bare}%3D`;
    // In a text that was encoded once, only the percent sign is left to encode.
    const twice = bare === undefined ? id.replaceAll('%', '%25') : `${bare}%253D`;
    const request = hash(
      'sha256',
      `${this.#canonicalPath}${twice}${second.canonicalTail}${this.#payloadHash(body)}`,
    );
    return {
      path: this.#path + id,
      stamp: second,
      signature: second.key.sign(second.stringPrefix + request, 'hex'),
      body,
      signedAtMs: nowMs,
      traceId,
    };
  }

  #payloadHash(body: Uint8Array): string {
    const known = this.#payloadHashes.get(body);
    if (known !== undefined) return known;
    const made = hash('sha256', body);
    this.#payloadHashes.set(body, made);
    return made;
  }

  #newSecond(credentials: Credentials, ms: number): Second {
    const { accessKeyId, sessionToken } = credentials;
    const date = timestamp(ms);
    const scope = scopeOf(date, this.#region, SERVICE);
    const names = `content-type;host;x-amz-date${sessionToken ? ';x-amz-security-token' : ''}`;
    const token = sessionToken ? `x-amz-security-token:${canonicalValue(sessionToken)}\n` : '';
    const headers = `content-type:${CONTENT_TYPE}\nhost:${this.#host}\nx-amz-date:${date}\n${token}`;
    return {
      date,
      sessionToken,
      authorization: `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=`,
      key: this.#keyOf(credentials, scope),
      stringPrefix: `${ALGORITHM}\n${date}\n${scope}\n`,
      canonicalTail: `\n\n${headers}\n${names}\n`,
    };
  }

  #keyOf(credentials: Credentials, scope: string): HmacKey {
    const name = `${credentials.secretAccessKey}/${scope}`;
    if (this.#key && this.#keyName === name) return this.#key;
    this.#keyName = name;
    this.#key = signingKey(credentials, scope);
    return this.#key;
  }
}
