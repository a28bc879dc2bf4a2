import type { Transport, TransportOptions } from '../aws/http/transport.ts';
import type { CredentialsProvider } from './engine/credentials.ts';
import type { SignedRequest } from './engine/signer.ts';
import type { Post } from './post.ts';

/** Ways to make a post, fastest first; the SDK's own is the reference that the others are tested against. */
export const TRANSPORTS = ['sockets', 'undici', 'sdk'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

export interface PostOptions extends TransportOptions {
  readonly region: string;
  readonly credentials: CredentialsProvider;
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly traceId: () => string | undefined;
}

/** Loads the transport that is asked for, and no other: a cold start pays for every module. */
export async function createPostOver(name: TransportName, options: PostOptions): Promise<Post> {
  if (name === 'sdk') return createSdkPost(options);
  const [{ createEngine }, transport] = await Promise.all([
    import('./engine/engine.ts'),
    createTransport(name, options),
  ]);
  return createEngine({ ...options, transport }).post;
}

async function createTransport(
  name: Exclude<TransportName, 'sdk'>,
  options: TransportOptions,
): Promise<Transport<SignedRequest>> {
  if (name === 'undici') return (await import('./engine/undici.ts')).createUndici(options);
  return (await import('./engine/sockets.ts')).createSockets(options);
}

async function createSdkPost({ endpoint, region, socketsMax, timeoutMs }: PostOptions): Promise<Post> {
  const [{ ApiGatewayManagementApiClient }, { createPost }] = await Promise.all([
    import('@aws-sdk/client-apigatewaymanagementapi'),
    import('./post.ts'),
  ]);
  const sockets = socketsMax === undefined ? {} : { maxSockets: socketsMax };
  const client = new ApiGatewayManagementApiClient({
    endpoint,
    region,
    maxAttempts: 1,
    requestHandler: { httpAgent: sockets, httpsAgent: sockets },
  });
  return createPost(client, timeoutMs);
}
