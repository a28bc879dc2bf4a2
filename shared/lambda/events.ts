/**
 * The events that API Gateway, SQS and EventBridge really send. `@types/aws-lambda` has no identity, disconnect
 * reason or authorizer on WebSocket events, so these are our own, with the fields that we read.
 */
export interface RequestContext {
  readonly connectionId: string;
  readonly requestId: string;
  readonly routeKey: string;
  /** Epoch milliseconds, the same for the life of the connection. */
  readonly connectedAt: number;
  readonly requestTimeEpoch: number;
  /** Context values of the authorizer, when there is one. */
  readonly authorizer?: Readonly<Record<string, string | number | boolean>>;
}
/** Of a REQUEST authorizer, which is asked about a handshake before `$connect` is. */
export interface AuthorizerEvent {
  /** What its policy is to allow. */
  readonly methodArn: string;
  readonly requestContext: RequestContext;
  /** Every header, in the case that the client wrote it in, with all its values. */
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[]>>;
}
/** What an authorizer answers with: at most 8 KB of JSON, and no value of its context is an object. */
export interface AuthorizerResult {
  readonly principalId: string;
  readonly policyDocument: {
    readonly Version: '2012-10-17';
    readonly Statement: readonly [
      { readonly Effect: 'Allow' | 'Deny'; readonly Action: 'execute-api:Invoke'; readonly Resource: string },
    ];
  };
  readonly context?: Readonly<Record<string, string | number | boolean>>;
}
export interface ConnectEvent {
  readonly requestContext: RequestContext;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly queryStringParameters?: Readonly<Record<string, string>>;
}
export interface MessageEvent {
  readonly requestContext: RequestContext;
  readonly body?: string;
}
export interface DisconnectEvent {
  readonly requestContext: RequestContext & {
    readonly disconnectStatusCode: number;
    readonly disconnectReason: string;
  };
}
/** What a WebSocket route answers with; the body reaches the client if the route has a route response. */
export interface RouteResult {
  readonly statusCode: number;
  /** Of `$connect`: they go into the answer to the handshake. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Of a route of an HTTP API, in payload format 2.0. */
export interface HttpEvent {
  /** Their names are in lower case; several of one name are joined with commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly queryStringParameters?: Readonly<Record<string, string>>;
}
export interface HttpResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface QueueRecord {
  readonly messageId: string;
  readonly body: string;
  /** Names this one time that it was handed out. */
  readonly receiptHandle: string;
  readonly eventSourceARN: string;
  readonly attributes: {
    /** A number. */
    readonly ApproximateReceiveCount: string;
    /** When the queue took it, in epoch milliseconds: the same each time that it is handed out. */
    readonly SentTimestamp: string;
  };
}
export interface QueueEvent {
  readonly Records: readonly QueueRecord[];
}
/** An id that is missing here is deleted from the queue (Lambda guide, reporting batch item failures). */
export interface QueueResult {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}
