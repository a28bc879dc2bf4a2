import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { isRecord } from '../../../shared/protocol/json.ts';
import { isTextDeeperThan, isTextWiderThan } from '../../../shared/protocol/source.ts';

/** What a request is known by, once its body has been read. */
export interface HttpRequest extends Pick<IncomingMessage, 'method' | 'url' | 'headers'> {
  /** The same as they came, if one came more than once; one that has come in one piece has none such. */
  readonly headersDistinct?: IncomingMessage['headersDistinct'];
  readonly socket?: { readonly remoteAddress?: string | undefined };
}

/** As much of a `ServerResponse` as an answer needs that is written in one go. */
export interface HttpResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers?: OutgoingHttpHeaders): HttpResponse;
  end(body?: string | Uint8Array): unknown;
}

/** An AWS service as the one server of the local runtime sees it: the request's body has been read. */
export interface HttpEngine {
  /**
   * How many bytes of a body are of any use with this request, by its head. A larger one is not held but refused; with 0
   * none is waited for. Without this: 1 MB.
   */
  bodyBytesMax?(request: HttpRequest): number;
  /** Answers a request whose body is larger than that. Without this it is answered as AWS services do. */
  refuseBody?(response: HttpResponse): void;
  handle(request: HttpRequest, body: Buffer, response: HttpResponse): void | Promise<void>;
}

/** A stage of a WebSocket API, as that server sees it. */
export interface StageEngine extends HttpEngine {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Whether the path of a plain request is one for `handle`. */
  takes(request: HttpRequest): boolean;
}

/** More than any request here has but those of services that say so. */
const BODY_BYTES_USUAL_MAX = 1024 * 1024;

export const bodyBytesMaxOf = (engine: HttpEngine, request: HttpRequest): number =>
  engine.bodyBytesMax?.(request) ?? BODY_BYTES_USUAL_MAX;

/** Answers with JSON that people read, too. */
export const writeJson = (response: HttpResponse, status: number, value: unknown): void =>
  void response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(`${JSON.stringify(value, undefined, 2)}\n`);

/** Answers with an error of the server itself; SDKs of all JSON protocols read it, from the header or from the body. */
export function writeError(response: HttpResponse, status: number, type: string, message: string): void {
  const text = JSON.stringify({ __type: type, message });
  response.setHeader('x-amzn-ErrorType', type);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Headers that depend on the body. */
export type HeadersOf = (body: string) => OutgoingHttpHeaders;

/** AWS's JSON protocols differ in their content type and in nothing else that matters here. */
type JsonVersion = '1.0' | '1.1';

/** A refusal, most often the caller's fault, answered as the AWS JSON protocols do: a status, `__type` and `message`. */
export class RequestError extends Error {
  readonly type: string;
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  /** What the answer says beside its type and message. */
  readonly members: object;

  constructor(
    type: string,
    message: string,
    status = 400,
    headers: OutgoingHttpHeaders = {},
    members: object = {},
  ) {
    super(message);
    this.name = 'RequestError';
    this.type = type;
    this.status = status;
    this.headers = headers;
    this.members = members;
  }
}

/** A service that cannot do it now: the same call may be answered later. */
export const isUnavailable = (error: unknown): boolean =>
  error instanceof RequestError && error.status >= 500;

/** `PutEvents` from `X-Amz-Target: AWSEvents.PutEvents`. */
export const operationOf = (request: HttpRequest): string =>
  String(request.headers['x-amz-target'] ?? '').replace(/^.*\./, '');

export const unknownOperation = (operation: string): RequestError =>
  new RequestError(
    'com.amazon.coral.service#UnknownOperationException',
    `expected an operation that Fanwire serves locally, got ${operation}`,
  );

/** An item has at most 32 levels (DynamoDB guide, "Quotas"), each of them two in JSON, and they are the deepest here. */
const NESTING_MAX = 100;

/**
 * Members and elements of a body. Ours: JSON.parse takes a third of a second for so many, and holds the process as long. A
 * BatchWriteItem with 25 lists of 3,000 numbers has 150,000.
 */
const VALUES_MAX = 250_000;

type Input = Record<string, unknown>;

/** Who guards a service reads a body before the service does; it is read once, and remembered as long as it is there. */
const inputs = new WeakMap<Buffer, Input | RequestError>();

export function parseInput(body: Buffer): Input {
  const input = inputs.get(body) ?? readInput(body);
  inputs.set(body, input);
  if (input instanceof RequestError) throw input;
  return input;
}

function readInput(body: Buffer): Input | RequestError {
  // What is not would be replaced, and something else be kept than what came.
  if (!isUtf8(body)) return unreadable('UTF-8 as body');
  const text = body.toString();
  // Before it is read: thousands of levels overflow the stack of what comes after it, and a large body of them takes long.
  if (isTextDeeperThan(NESTING_MAX, text)) return unreadable(`JSON of at most ${NESTING_MAX} levels as body`);
  if (isTextWiderThan(VALUES_MAX, text)) return unreadable(`JSON of at most ${VALUES_MAX} values as body`);
  const input = parseJson(text);
  return isRecord(input) ? input : unreadable('a JSON object as body');
}

/** Nothing if it is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const unreadable = (expectation: string): RequestError =>
  new RequestError('com.amazon.coral.service#SerializationException', `expected ${expectation}`);

/**
 * Answers with the result of `work`, or with the caller's fault. What is neither is the server's to answer. `headersOf`
 * gives what headers a service has that depend on the body.
 */
export async function answer(
  response: HttpResponse,
  version: JsonVersion,
  work: () => unknown,
  headersOf: HeadersOf = () => ({}),
): Promise<void> {
  const reply = (status: number, headers: OutgoingHttpHeaders, result: unknown): void => {
    const body = JSON.stringify(result);
    writeJsonOf(response, version, status, { ...headers, ...headersOf(body) }, body);
  };
  try {
    reply(200, {}, await work());
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const { type, message, status, headers, members } = error;
    reply(status, headers, { __type: type, message, ...members });
  }
}

function writeJsonOf(
  response: HttpResponse,
  version: JsonVersion,
  status: number,
  headers: OutgoingHttpHeaders,
  body: string,
): void {
  response.writeHead(status, {
    ...headers,
    'content-type': `application/x-amz-json-${version}`,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body); // text goes out in one piece with the headers
}
