import { CONNECT_ROUTE, DISCONNECT_ROUTE } from './routing.ts';

/**
 * The events that API Gateway gives to the Lambdas of a WebSocket API, to the key. `@types/aws-lambda` has no
 * headers, identity, or disconnect code in them, so the types are ours too.
 */

export interface Identity {
  readonly userAgent?: string;
  readonly sourceIp: string;
}

/** What of the API is in every event. */
export interface EventSource {
  readonly apiId: string;
  readonly stage: string;
  readonly domainName: string;
  readonly stageVariables?: Readonly<Record<string, string>>;
}

/** What of the connection is in every event. */
export interface EventConnection {
  readonly id: string;
  readonly connectedAt: number;
  readonly identity: Identity;
}

export interface EventRequest {
  readonly id: string;
  readonly receivedAt: number;
}

/** Who and when: the three inputs that all events have in common. */
export interface EventOrigin {
  readonly source: EventSource;
  readonly connection: EventConnection;
  readonly request: EventRequest;
}

export interface RequestContext {
  readonly routeKey: string;
  readonly eventType: 'CONNECT' | 'MESSAGE' | 'DISCONNECT';
  readonly messageId?: string;
  readonly disconnectStatusCode?: number;
  readonly disconnectReason?: string;
  readonly extendedRequestId: string;
  readonly requestTime: string;
  readonly messageDirection: 'IN';
  readonly stage: string;
  readonly connectedAt: number;
  readonly requestTimeEpoch: number;
  readonly identity: Identity;
  readonly requestId: string;
  readonly domainName: string;
  readonly connectionId: string;
  readonly apiId: string;
}

type MultiValues = Readonly<Record<string, readonly string[]>>;
type SingleValues = Readonly<Record<string, string>>;
type StageVariables = { readonly stageVariables?: Readonly<Record<string, string>> };

export interface ConnectEvent extends StageVariables {
  readonly headers: SingleValues;
  readonly multiValueHeaders: MultiValues;
  readonly queryStringParameters?: SingleValues;
  readonly multiValueQueryStringParameters?: MultiValues;
  readonly requestContext: RequestContext;
  readonly isBase64Encoded: false;
}

export interface MessageEvent extends StageVariables {
  readonly requestContext: RequestContext;
  readonly body: string;
  readonly isBase64Encoded: false;
}

export interface DisconnectEvent extends StageVariables {
  readonly headers: SingleValues;
  readonly multiValueHeaders: MultiValues;
  readonly requestContext: RequestContext;
  readonly isBase64Encoded: false;
}

/** Names and values in the order received, as in `IncomingMessage.rawHeaders` but paired. */
export type Pairs = ReadonlyArray<readonly [name: string, value: string]>;

export function connectEvent(origin: EventOrigin, headers: Pairs, query: Pairs): ConnectEvent {
  return {
    headers: lastValues(headers),
    multiValueHeaders: allValues(headers),
    ...(query.length > 0 && {
      queryStringParameters: lastValues(query),
      multiValueQueryStringParameters: allValues(query),
    }),
    ...stageVariables(origin.source),
    requestContext: { routeKey: CONNECT_ROUTE, eventType: 'CONNECT', ...commonContext(origin) },
    isBase64Encoded: false,
  };
}

export function messageEvent(
  origin: EventOrigin,
  message: { readonly id: string; readonly routeKey: string; readonly body: string },
): MessageEvent {
  return {
    ...stageVariables(origin.source),
    requestContext: {
      routeKey: message.routeKey,
      messageId: message.id,
      eventType: 'MESSAGE',
      ...commonContext(origin),
    },
    body: message.body,
    isBase64Encoded: false,
  };
}

/** Its headers are these four on AWS too, whatever the client sent with its handshake. */
export function disconnectEvent(
  origin: EventOrigin,
  { code, reason }: { readonly code: number; readonly reason: string },
): DisconnectEvent {
  const headers: Pairs = [
    ['Host', origin.source.domainName],
    ['x-api-key', ''],
    ['X-Forwarded-For', ''],
    ['x-restapi', ''],
  ];
  return {
    headers: lastValues(headers),
    multiValueHeaders: allValues(headers),
    ...stageVariables(origin.source),
    requestContext: {
      routeKey: DISCONNECT_ROUTE,
      disconnectStatusCode: code,
      eventType: 'DISCONNECT',
      disconnectReason: reason,
      ...commonContext(origin),
    },
    isBase64Encoded: false,
  };
}

function commonContext({ source, connection, request }: EventOrigin) {
  return {
    extendedRequestId: request.id, // AWS: the same value twice in every WebSocket event
    requestTime: requestTime(request.receivedAt),
    messageDirection: 'IN',
    stage: source.stage,
    connectedAt: connection.connectedAt,
    requestTimeEpoch: request.receivedAt,
    identity: connection.identity,
    requestId: request.id,
    domainName: source.domainName,
    connectionId: connection.id,
    apiId: source.apiId,
  } as const;
}

/** As in `20/Jan/2024:11:55:08 +0000`, from `Sat, 20 Jan 2024 11:55:08 GMT` (ECMA-262, `toUTCString`). */
export function requestTime(epochMs: number): string {
  const utc = new Date(epochMs).toUTCString();
  return `${utc.slice(5, 7)}/${utc.slice(8, 11)}/${utc.slice(12, 16)}:${utc.slice(17, 25)} +0000`;
}

const lastValues = (pairs: Pairs): SingleValues => Object.fromEntries(pairs);

const allValues = (pairs: Pairs): MultiValues =>
  Object.fromEntries(
    Array.from(
      Map.groupBy(pairs, ([name]) => name),
      ([name, group]) => [name, group.map(([, value]) => value)],
    ),
  );

/** Captures show them absent, not empty, where the stage has none; in which events they are is [inference]. */
const stageVariables = ({ stageVariables }: EventSource): StageVariables =>
  stageVariables && Object.keys(stageVariables).length > 0 ? { stageVariables } : {};
