import { isUtf8 } from 'node:buffer';
import type { HttpResponse } from '../http/engine.ts';
import type { Closing, Connection } from './connection.ts';
import { isId } from './ids.ts';
import { MESSAGE_BYTES_MAX } from './limits.ts';

export interface Answer {
  readonly status: number;
  /** Travels in `x-amzn-ErrorType`, where the SDK looks for an error's name. */
  readonly errorType?: string;
  readonly body?: string;
}

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'BadRequestException',
  403: 'ForbiddenException',
  410: 'GoneException',
  413: 'PayloadTooLargeException',
  429: 'LimitExceededException',
  500: 'InternalServerErrorException',
};

const POSTED: Answer = { status: 200 };
const CLOSED: Answer = { status: 204 };
/** Its body is empty on AWS (aws-sdk-js#3773). */
const GONE: Answer = { status: 410, errorType: 'GoneException' };
const TOO_LARGE: Answer = failure(413, 'Request Entity Too Large');
/** Too many calls a second, or a client that does not read: the SDK is told the same. */
export const TOO_MANY: Answer = failure(429, 'Too Many Requests');
const NO_SUCH_METHOD: Answer = {
  ...failure(403, 'Missing Authentication Token'),
  errorType: 'MissingAuthenticationTokenException',
};

/** Code and reason are AWS's (boto3#3789, chalice#2060); that the client is told the same is [inference]. */
const DELETED: Closing = { code: 1000, reason: 'Connection Closed Normally' };

/** The SDK escapes only the `=`; curl users are told to write `%40` as well. */
const MARKERS = ['@connections/', '%40connections/'];

export interface ConnectionPath {
  readonly stage: string;
  readonly connectionId: string;
}

/** Takes `/{stage}/@connections/{connectionId}` apart; anything else is undefined. */
export function parseConnectionPath(path: string): ConnectionPath | undefined {
  const slash = path.indexOf('/', 1);
  const marker = slash > 0 && MARKERS.find((text) => path.startsWith(text, slash + 1));
  if (!marker) return undefined;
  return { stage: path.slice(1, slash), connectionId: decode(path.slice(slash + 1 + marker.length)) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text; // as it stands it is no id either, and gets its 400
    throw error;
  }
}

/** One call to @connections; `connection` is what the id stands for, if anything. */
export function manageConnection(
  method: string | undefined,
  connectionId: string,
  connection: Connection | undefined,
  body: Buffer,
): Answer {
  if (!connection?.isOpen) {
    return isId(connectionId) ? GONE : failure(400, `Invalid connectionId: ${connectionId}`);
  }
  switch (method) {
    case 'POST':
      return post(connection, body);
    case 'GET':
      return describe(connection);
    case 'DELETE':
      connection.close(DELETED);
      return CLOSED;
    default:
      return NO_SUCH_METHOD;
  }
}

function post(connection: Connection, body: Buffer): Answer {
  if (body.length > MESSAGE_BYTES_MAX) return TOO_LARGE;
  // Posts go out as text. Bytes that are none would make the client fail the connection (RFC 6455 §8.1), so
  // they are replaced as a decoder replaces them: [inference].
  const text = isUtf8(body) ? body : Buffer.from(body.toString());
  return connection.send(text) ? POSTED : TOO_MANY;
}

/** The SDK throws on epoch numbers and finds nothing under capitalised keys. */
function describe({ connectedAt, lastActiveAt, identity }: Connection): Answer {
  const body = JSON.stringify({
    connectedAt: new Date(connectedAt).toISOString(),
    lastActiveAt: new Date(lastActiveAt).toISOString(),
    identity,
  });
  return { status: 200, body };
}

export function failure(status: number, message: string): Answer {
  return { ...bareFailure(status), body: JSON.stringify({ message }) };
}

/** The status and its error type alone. */
export function bareFailure(status: number): Answer {
  const errorType = ERROR_TYPES[status];
  return errorType === undefined ? { status } : { status, errorType };
}

export function write(response: HttpResponse, { status, errorType, body }: Answer): void {
  response.statusCode = status;
  if (errorType !== undefined) response.setHeader('x-amzn-ErrorType', errorType);
  if (body !== undefined) response.setHeader('Content-Type', 'application/json');
  response.end(body);
}
