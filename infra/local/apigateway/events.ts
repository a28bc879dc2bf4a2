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
  /** Of an API without an authorizer, or of a handshake that it has not yet decided on, there is none. */
  readonly authorizer: AuthorizerContext | undefined;
}

/** What an authorizer said of the caller: `principalId`, and its own context with every value as text. */
export type AuthorizerContext = Readonly<Record<string, string>>;

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
  readonly authorizer?: AuthorizerContext;
}

type MultiValues = Readonly<Record<string, readonly string[]>>;
type SingleValues = Readonly<Record<string, string>>;
type StageVariables = { readonly stageVariables?: Readonly<Record<string, string>> };

interface HandshakeFields {
  readonly headers: SingleValues;
  readonly multiValueHeaders: MultiValues;
  readonly queryStringParameters?: SingleValues;
  readonly multiValueQueryStringParameters?: MultiValues;
}

export interface ConnectEvent extends HandshakeFields, StageVariables {
  readonly requestContext: RequestContext;
  readonly isBase64Encoded: false;
}

/** Of a REQUEST authorizer: it is asked about a handshake before `$connect` is. */
export interface AuthorizerEvent extends HandshakeFields {
  readonly type: 'REQUEST';
  readonly methodArn: string;
  readonly stageVariables: Readonly<Record<string, string>>;
  readonly requestContext: RequestContext;
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

/** What a client sends when it connects. */
export interface Handshake {
  readonly headers: Pairs;
  readonly query: Pairs;
}

export function connectEvent(origin: EventOrigin, handshake: Handshake): ConnectEvent {
  return {
    ...handshakeFields(handshake),
    ...stageVariables(origin.source),
    requestContext: connectContext(origin),
    isBase64Encoded: false,
  };
}

/** The developer guide shows `stageVariables` empty, not absent as in other events. Of the query that is unknown. */
export function authorizerEvent(
  origin: EventOrigin,
  { headers, query }: Handshake,
  methodArn: string,
): AuthorizerEvent {
  const forwarded = headers.filter(([name]) => name.toLowerCase() !== 'content-length');
  return {
    type: 'REQUEST',
    methodArn,
    ...handshakeFields({ headers: [...HOP_HEADERS, ...forwarded], query }),
    stageVariables: origin.source.stageVariables ?? {},
    requestContext: connectContext(origin),
  };
}

/** Authorizers see these, `$connect` does not (developer guide, "REQUEST authorizers"; captured in localstack#7191). */
const HOP_HEADERS: Pairs = [
  ['Connection', 'upgrade'],
  ['content-length', '0'],
  ['Upgrade', 'websocket'],
];

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

function connectContext(origin: EventOrigin): RequestContext {
  return { routeKey: CONNECT_ROUTE, eventType: 'CONNECT', ...commonContext(origin) };
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
    ...(connection.authorizer && { authorizer: connection.authorizer }),
  } as const;
}

/** As in `20/Jan/2024:11:55:08 +0000`, from `Sat, 20 Jan 2024 11:55:08 GMT` (ECMA-262, `toUTCString`). */
export function requestTime(epochMs: number): string {
  const utc = new Date(epochMs).toUTCString();
  return `${utc.slice(5, 7)}/${utc.slice(8, 11)}/${utc.slice(12, 16)}:${utc.slice(17, 25)} +0000`;
}

const handshakeFields = ({ headers, query }: Handshake): HandshakeFields => ({
  headers: lastValues(headers),
  multiValueHeaders: allValues(headers),
  ...(query.length > 0 && {
    queryStringParameters: lastValues(query),
    multiValueQueryStringParameters: allValues(query),
  }),
});

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
