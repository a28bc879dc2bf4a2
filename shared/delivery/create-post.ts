import type { Clock } from '../lambda/clock.ts';
import { type Config, positiveInteger, text, transport } from '../lambda/config.ts';
import { POSTS_IN_FLIGHT_MAX, type Post } from './post.ts';

/** The environment variables that it takes. */
export const postSettings = {
  transport,
  endpoint: text('CALLBACK_URL'),
  timeoutMs: positiveInteger('POST_TIMEOUT_MS'),
  // Lambda sets these and gives an environment new ones only by replacing it.
  region: text('AWS_REGION'),
  accessKeyId: text('AWS_ACCESS_KEY_ID'),
  secretAccessKey: text('AWS_SECRET_ACCESS_KEY'),
  sessionToken: text('AWS_SESSION_TOKEN'),
};
type PostConfig = Config<typeof postSettings>;

/**
 * Makes the way to post. It loads the transport that is asked for, and no other: a cold start pays for every module.
 */
export async function createPost(
  config: PostConfig,
  { now }: Pick<Clock, 'now'>,
  traceId: () => string | undefined,
): Promise<Post> {
  return config.transport === 'sdk' ? overSdk(config) : overSockets(config, now, traceId);
}

async function overSockets(
  { endpoint, region, timeoutMs, accessKeyId, secretAccessKey, sessionToken }: PostConfig,
  now: () => number,
  traceId: () => string | undefined,
): Promise<Post> {
  const [{ createEngine }, { createSockets }] = await Promise.all([
    import('./engine/engine.ts'),
    import('./engine/sockets.ts'),
  ]);
  const credentials = { accessKeyId, secretAccessKey, sessionToken };
  const { post } = createEngine({
    endpoint,
    region,
    credentials: async () => credentials,
    transport: createSockets({ endpoint, socketsMax: POSTS_IN_FLIGHT_MAX }),
    timeoutMs,
    now,
    traceId,
  });
  return post;
}

async function overSdk({ endpoint, region, timeoutMs }: PostConfig): Promise<Post> {
  const [{ ApiGatewayManagementApiClient }, { createSdkPost }] = await Promise.all([
    import('@aws-sdk/client-apigatewaymanagementapi'),
    import('./sdk-post.ts'),
  ]);
  const sockets = { maxSockets: POSTS_IN_FLIGHT_MAX };
  const client = new ApiGatewayManagementApiClient({
    endpoint,
    region,
    maxAttempts: 1,
    requestHandler: { httpAgent: sockets, httpsAgent: sockets },
  });
  return createSdkPost(client, timeoutMs);
}
