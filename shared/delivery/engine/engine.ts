import { Deadlines } from '../../aws/http/deadlines.ts';
import { Exchange } from '../../aws/http/exchange.ts';
import type { Transport } from '../../aws/http/transport.ts';
import type { Credentials } from '../../aws/sign/sigv4.ts';
import { GONE, type Post, type PostOutcome } from '../post.ts';
import { CachedCredentials, type CredentialsProvider } from './credentials.ts';
import { outcomeOf } from './outcome.ts';
import { type SignedRequest, Signer } from './signer.ts';
import { skewedServerMs } from './skew.ts';

export interface EngineOptions {
  /** `https://{api}.execute-api.{region}.amazonaws.com/{stage}`, the one that `transport` was made for. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: CredentialsProvider;
  readonly transport: Transport<SignedRequest>;
  /** Of a post, with the waits for credentials and for a socket. */
  readonly timeoutMs: number;
  readonly now: () => number;
  /** The trace id of the current invocation: posts carry it on, for traces and for Lambda's loop detection. */
  readonly traceId?: () => string | undefined;
}
interface Engine {
  readonly post: Post;
  close(): void;
}

/** Posts to the connections of one endpoint, without the SDK. */
export function createEngine(options: EngineOptions): Engine {
  const sender = new Sender(options);
  return {
    post: (connectionId, frame, timeoutMs = options.timeoutMs) => sender.send(connectionId, frame, timeoutMs),
    close: () => options.transport.close(),
  };
}

class Sender {
  readonly #signer: Signer;
  readonly #credentials: CachedCredentials;
  readonly #deadlines: Deadlines;
  readonly #transport: Transport<SignedRequest>;
  readonly #now: () => number;
  readonly #traceId: () => string | undefined;
  /** How far the server's clock is ahead. */
  #offsetMs = 0;

  constructor({ endpoint, region, credentials, transport, timeoutMs, now, traceId }: EngineOptions) {
    this.#signer = new Signer(endpoint, region);
    this.#now = () => now() + this.#offsetMs;
    this.#credentials = new CachedCredentials(credentials, now);
    this.#deadlines = new Deadlines(timeoutMs);
    this.#transport = transport;
    this.#traceId = traceId ?? (() => undefined);
  }

  /** Never rejects: an error is an outcome too. */
  async send(connectionId: string, frame: Uint8Array, timeoutMs: number): Promise<PostOutcome> {
    // In a path these three mean another resource; no connection has such an id.
    if (connectionId === '' || connectionId === '.' || connectionId === '..') return GONE;
    const expiresAt = this.#deadlines.next();
    try {
      const credentials = this.#credentials.current() ?? (await this.#fetchCredentials(expiresAt));
      const first = this.#begin(connectionId, frame, credentials, expiresAt, timeoutMs);
      const answer = await first.answered;
      if (answer instanceof Error) return outcomeOf(answer, timeoutMs);
      const serverMs = skewedServerMs(answer, first.request.signedAtMs);
      if (serverMs === undefined) return outcomeOf(answer, timeoutMs);
      this.#offsetMs += serverMs - this.#now();
      const second = this.#begin(connectionId, frame, credentials, expiresAt, timeoutMs);
      return outcomeOf(await second.answered, timeoutMs);
    } catch (error) {
      return outcomeOf(error instanceof Error ? error : new Error(String(error)), timeoutMs);
    }
  }

  #begin(
    connectionId: string,
    frame: Uint8Array,
    credentials: Credentials,
    expiresAt: number,
    answerMs: number,
  ): Exchange<SignedRequest> {
    const request = this.#signer.sign(connectionId, frame, credentials, this.#now(), this.#traceId());
    const exchange = new Exchange(request, expiresAt, this.#deadlines, answerMs);
    this.#transport.send(exchange);
    return exchange;
  }

  /** A provider may hang, or wait longer than a post may. */
  async #fetchCredentials(expiresAt: number): Promise<Credentials> {
    const given = Promise.withResolvers<Credentials>();
    const waiting = { expiresAt, expire: given.reject };
    this.#deadlines.add(waiting);
    try {
      this.#credentials.fetch().then(given.resolve, given.reject);
      return await given.promise;
    } finally {
      this.#deadlines.delete(waiting);
    }
  }
}
