import type { Exchange } from './exchange.ts';

/** Sends requests to one endpoint. It settles every exchange that it is given, with an answer or with an error. */
export interface Transport<Request> {
  send(exchange: Exchange<Request>): void;
  /** Ends every exchange that is under way, and every socket. */
  close(): void;
}

export interface TransportOptions {
  /** For example `https://{api}.execute-api.{region}.amazonaws.com/{stage}`; only its origin counts here. */
  readonly endpoint: string;
  /** Requests in flight: each has a socket of its own, and more wait in order. */
  readonly socketsMax?: number;
  /** PEM certificates to trust instead of the usual ones. */
  readonly ca?: string;
}

/** What is kept of a response. */
export interface Answer {
  readonly status: number;
  /** `x-amzn-errortype`, or nothing. */
  readonly errorType: string;
  readonly requestId: string;
  readonly date: string;
  readonly body: Uint8Array;
  /** By name, in lower case; only if all were asked for. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

export const SOCKETS_MAX = 100;
/** Requests that wait for a socket. Each has a deadline, so this only bounds memory. */
export const WAITING_MAX = 10_000;
/** A peer may have closed a socket that was idle for longer, and a Lambda that was frozen does not notice. */
export const IDLE_MS_MAX = 20_000;
/** Limits of a response. Answers to posts are a few hundred bytes; a codec may allow larger bodies. */
export const HEAD_BYTES_MAX = 16 * 1024;
export const BODY_BYTES_MAX = 64 * 1024;
