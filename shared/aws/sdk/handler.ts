import { Deadlines } from '../http/deadlines.ts';
import { abortError, Exchange, endWith } from '../http/exchange.ts';
import { type Codec, openSockets } from '../http/sockets.ts';
import type { Answer, Transport } from '../http/transport.ts';
import { encodeRequest, type Request } from './request.ts';

interface HandlerOptions {
  /** From sending a request to having its whole answer. */
  readonly timeoutMs?: number;
  /** PEM certificates to trust instead of the usual ones. */
  readonly ca?: string;
}

/** What a caller may give the SDK beside a command, and the SDK hands on for each attempt. */
export interface CallOptions {
  /** The SDK's type also allows signals of its own making, but it makes none: an AbortSignal is what comes. */
  readonly abortSignal?: Pick<AbortSignal, 'aborted'> | undefined;
  /** Sees each attempt's request, and may have its answer already, or its failure: then nothing is sent. */
  readonly intercept?: (request: Request) => Answer | Error | undefined;
}

/** Where a request goes. */
type Destination = Pick<Request, 'protocol' | 'hostname' | 'port'>;

/** An answer of these services takes milliseconds: after so long another try is better than waiting. */
const TIMEOUT_MS = 10_000;

const CODEC: Codec<Buffer> = {
  createWriter: () => ({ bytesOf: (bytes) => bytes }),
  readBytes: 64 * 1024,
  allHeaders: true,
  // The largest is a BatchGetItem of 16 MB, which JSON makes a little longer.
  bodyBytesMax: 32 * 1024 * 1024,
};

/**
 * A `requestHandler` for SDK clients: the sockets that posts go over, in place of `node:http`, which takes as long as all
 * else in a call. An error has a name or code that the SDK's retries know.
 */
export class SocketHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #options: HandlerOptions;
  readonly #deadlines: Deadlines;
  readonly #transports = new Map<string, Transport<Buffer>>();

  constructor(options: HandlerOptions = {}) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.timeoutMs ?? TIMEOUT_MS);
  }

  async handle(request: Request, { abortSignal, intercept }: CallOptions = {}) {
    if (abortSignal?.aborted) throw abortError();
    const answer =
      intercept?.(request) ??
      (await this.send(request, encodeRequest(request), abortSignal as AbortSignal | undefined));
    if (answer instanceof Error) throw answer;
    const { status, headers = {}, body } = answer;
    return { response: { statusCode: status, headers, body } };
  }

  /** Sends a request as HTTP/1.1 writes it. What goes wrong is a value. */
  send(to: Destination, bytes: Buffer, abortSignal?: AbortSignal): Promise<Answer | Error> {
    const exchange = new Exchange(bytes, this.#deadlines.next(), this.#deadlines);
    if (abortSignal) endWith(exchange, abortSignal);
    this.#transportTo(to).send(exchange);
    return exchange.answered;
  }

  destroy(): void {
    for (const transport of this.#transports.values()) transport.close();
    this.#transports.clear();
  }

  /** The SDK requires both, for extensions that change a handler's settings: none is used here. */
  updateHttpClientConfig(): void {}
  httpHandlerConfigs(): object {
    return {};
  }

  #transportTo({ protocol, hostname, port }: Destination): Transport<Buffer> {
    const endpoint = port === undefined ? `${protocol}//${hostname}` : `${protocol}//${hostname}:${port}`;
    const known = this.#transports.get(endpoint);
    if (known) return known;
    const { ca } = this.#options;
    const transport = openSockets({ endpoint, ...(ca !== undefined && { ca }) }, CODEC);
    this.#transports.set(endpoint, transport);
    return transport;
  }
}
