import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import { type ManagementCommand, type Stage, sendCommand } from './stage.ts';

/** A request as the SDK hands it to its HTTP client, signed. */
export interface WireRequest {
  readonly method: string;
  readonly protocol: string;
  hostname: string;
  readonly port?: number;
  path: string;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** An answer as it came, which the SDK does not show. */
export interface WireAnswer {
  readonly status: number;
  /** What `x-amzn-ErrorType` says. */
  readonly errorType: string | null;
  readonly body: string;
}

export interface WireOptions {
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Changes the request before it is signed. */
  readonly before?: (request: WireRequest) => void;
  /** Changes the request after it was signed. */
  readonly after?: (request: WireRequest) => void;
}

/** One call to @connections, made and signed by the real SDK, and its answer to the byte. */
export async function callOnWire(
  { config }: Stage,
  command: ManagementCommand,
  { credentials, before, after }: WireOptions = {},
): Promise<WireAnswer> {
  const answered = Promise.withResolvers<WireAnswer>();
  const handle = async (request: WireRequest) => {
    after?.(request);
    const answer = await exchange(request);
    answered.resolve(answer);
    return { response: { statusCode: 200, headers: {}, body: new Uint8Array() } };
  };
  const client = new ApiGatewayManagementApiClient({
    ...config,
    ...(credentials && { credentials }),
    requestHandler: { handle } as never, // its type is of a package that is none of ours
  });
  client.middlewareStack.add(
    (next) => (args) => {
      before?.(args.request as WireRequest);
      return next(args);
    },
    { step: 'build' },
  );
  await sendCommand(client, command).catch(answered.reject);
  return answered.promise;
}

async function exchange({ method, protocol, hostname, port, path, headers, body }: WireRequest) {
  const { host: _, 'content-length': __, ...rest } = headers; // these are for fetch to set
  const url = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
  const response = await fetch(url, {
    method,
    headers: rest,
    ...(body !== undefined && { body: Buffer.from(body) }),
  });
  return {
    status: response.status,
    errorType: response.headers.get('x-amzn-errortype'),
    body: await response.text(),
  };
}
