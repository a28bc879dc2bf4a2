import type { TransportOptions } from '../aws/http/transport.ts';
import type { CredentialsProvider } from './engine/credentials.ts';
import type { Post } from './post.ts';

/** Ways to make a post: ours is tested against the SDK's. */
export const TRANSPORTS = ['sockets', 'sdk'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

export interface PostOptions extends TransportOptions {
  readonly region: string;
  readonly credentials: CredentialsProvider;
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly traceId: () => string | undefined;
}

/** Loads the transport that is asked for, and no other: a cold start pays for every module. */
export async function createPost(transport: TransportName, options: PostOptions): Promise<Post> {
  return transport === 'sdk' ? overSdk(options) : overSockets(options);
}

async function overSockets(options: PostOptions): Promise<Post> {
  const [{ createEngine }, { createSockets }] = await Promise.all([
    import('./engine/engine.ts'),
    import('./engine/sockets.ts'),
  ]);
  return createEngine({ ...options, transport: createSockets(options) }).post;
}

async function overSdk({ endpoint, region, socketsMax, timeoutMs }: PostOptions): Promise<Post> {
  const [{ ApiGatewayManagementApiClient }, { createSdkPost }] = await Promise.all([
    import('@aws-sdk/client-apigatewaymanagementapi'),
    import('./sdk-post.ts'),
  ]);
  const sockets = socketsMax === undefined ? {} : { maxSockets: socketsMax };
  const client = new ApiGatewayManagementApiClient({
    endpoint,
    region,
    maxAttempts: 1,
    requestHandler: { httpAgent: sockets, httpsAgent: sockets },
  });
  return createSdkPost(client, timeoutMs);
}
