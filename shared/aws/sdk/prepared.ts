import { hash } from 'node:crypto';
import type { HmacKey } from '../sign/hmac-key.ts';
import { perSecond } from '../sign/per-second.ts';
import {
  ALGORITHM,
  type Credentials,
  canonicalPath,
  canonicalValue,
  scopeOf,
  timestamp,
} from '../sign/sigv4.ts';
import { fieldOf, type Request } from './request.ts';
import { isSigned } from './signer.ts';

/** Headers that are the same in every request of an operation. */
const COMMON = new Set(
  ['host', 'content-type', 'x-amz-target'].concat('user-agent', 'x-amz-user-agent', 'amz-sdk-request'),
);
/** Headers that each request has of its own, made anew here. */
const OWN = new Set(
  ['content-length', 'amz-sdk-invocation-id', 'x-amzn-trace-id'].concat(
    ...['authorization', 'x-amz-date', 'x-amz-security-token'],
  ),
);
/** `… Credential=AKIA…/20240120/eu-west-1/dynamodb/aws4_request, …` */
const SCOPE = /Credential=[^/]+\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request,/;

/** What one request says of itself. */
interface Particulars {
  readonly body: string;
  readonly credentials: Credentials;
  readonly nowMs: number;
  readonly invocationId: string;
  readonly traceId: string | undefined;
}
/** What is the same in every request of one second. */
interface Second {
  /** The head up to the signature. */
  readonly head: string;
  /** The canonical request up to the hash of the body, and the string to sign up to the hash of that. */
  readonly canonical: string;
  readonly toSign: string;
  readonly key: HmacKey;
}
type KeyOf = (credentials: Credentials, scope: string) => HmacKey;

/**
 * A request that the SDK has made, prepared to be made again: from one to the next only the body, the time and what
 * follows from them differ.
 */
export class PreparedRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly #start: string;
  readonly #path: string;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #region: string;
  readonly #service: string;
  readonly #keyOf: KeyOf;
  readonly #secondOf = perSecond((credentials, ms) => this.#newSecond(credentials, ms));

  private constructor(
    request: Request,
    headers: ReadonlyMap<string, string>,
    [, region = '', service = '']: readonly string[],
    keyOf: KeyOf,
  ) {
    const { protocol, hostname, port, method, path } = request;
    this.protocol = protocol;
    this.hostname = hostname;
    if (port !== undefined) this.port = port;
    this.#start = `${method} ${path} HTTP/1.1\r\n`;
    this.#path = `${method}\n${canonicalPath(path)}\n\n`;
    this.#headers = headers;
    this.#region = region;
    this.#service = service;
    this.#keyOf = keyOf;
  }

  /** `request` is signed and has been sent. Nothing if it has a header that this knows nothing of. */
  static of(request: Request, keyOf: KeyOf): PreparedRequest | undefined {
    const headers = new Map<string, string>();
    for (const [name, value] of Object.entries(request.headers)) {
      if (COMMON.has(name)) headers.set(name, value.replace(/^attempt=\d+/, 'attempt=1'));
      else if (!OWN.has(name)) return undefined;
    }
    const scope = SCOPE.exec(request.headers.authorization ?? '');
    return scope ? new PreparedRequest(request, headers, scope, keyOf) : undefined;
  }

  /** A whole request, as HTTP/1.1 writes it. */
  bytesOf({ body, credentials, nowMs, invocationId, traceId }: Particulars): Buffer {
    const { head, canonical, toSign, key } = this.#secondOf(credentials, nowMs);
    const signature = key.sign(toSign + hash('sha256', canonical + hash('sha256', body)), 'hex');
    const length = Buffer.byteLength(body);
    const trace = traceId === undefined ? '' : fieldOf('x-amzn-trace-id', traceId);
    const text =
      `${head}${signature}\r\ncontent-length: ${length}\r\n` +
      `amz-sdk-invocation-id: ${invocationId}\r\n${trace}\r\n`;
    const bytes = Buffer.allocUnsafe(text.length + length);
    bytes.write(text, 'latin1');
    bytes.write(body, text.length);
    return bytes;
  }

  #newSecond(credentials: Credentials, ms: number): Second {
    const { accessKeyId, sessionToken } = credentials;
    const date = timestamp(ms);
    const scope = scopeOf(date, this.#region, this.#service);
    const headers = new Map(this.#headers).set('x-amz-date', date);
    if (sessionToken) headers.set('x-amz-security-token', sessionToken);
    const names = [...headers.keys()].filter(isSigned).sort();
    const signed = names.map((name) => `${name}:${canonicalValue(headers.get(name) ?? '')}\n`);
    const fields = [...headers].map(([name, value]) => fieldOf(name, value));
    return {
      head:
        `${this.#start}${fields.join('')}authorization: ${ALGORITHM} ` +
        `Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=`,
      canonical: `${this.#path}${signed.join('')}\n${names.join(';')}\n`,
      toSign: `${ALGORITHM}\n${date}\n${scope}\n`,
      key: this.#keyOf(credentials, scope),
    };
  }
}
