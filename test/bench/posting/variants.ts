import type { Target } from './message.ts';
import { CREDENTIALS, REGION } from './message.ts';

/** Posts one frame; anything but success throws. */
export type PostOne = (connectionId: string, frame: Uint8Array) => Promise<void>;

const TIMEOUT_MS = 10_000;

/** Modules are loaded by the variant that needs them, so that a cold process is not charged for the others. */
export const VARIANTS = {
  sdk: async ({ endpoint, ca, socketsMax }: Target): Promise<PostOne> => {
    const { Agent: HttpsAgent } = await import('node:https');
    const sdk = await import('@aws-sdk/client-apigatewaymanagementapi');
    const client = new sdk.ApiGatewayManagementApiClient({
      endpoint,
      region: REGION,
      credentials: CREDENTIALS,
      maxAttempts: 1,
      requestHandler: {
        httpAgent: { keepAlive: true, maxSockets: socketsMax },
        httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: socketsMax, ca }),
      },
    });
    return async (ConnectionId, Data) => {
      await client.send(new sdk.PostToConnectionCommand({ ConnectionId, Data }));
    };
  },
  sockets: async (target: Target): Promise<PostOne> => {
    const { createEngine } = await import('../../../shared/delivery/engine/engine.ts');
    const { createSockets } = await import('../../../shared/delivery/engine/sockets.ts');
    const { post } = createEngine({
      endpoint: target.endpoint,
      region: REGION,
      credentials: async () => CREDENTIALS,
      transport: createSockets(target),
      timeoutMs: TIMEOUT_MS,
      now: Date.now,
    });
    return async (id, frame) => {
      const result = await post(id, frame);
      if (result.outcome !== 'delivered')
        throw new Error(`expected delivered, got ${JSON.stringify(result)}`);
    };
  },
  'undici, unsigned': async ({ endpoint, ca, socketsMax }: Target): Promise<PostOne> => {
    const { Pool } = await import('undici');
    const { origin, pathname } = new URL(endpoint);
    const pool = new Pool(origin, {
      connections: socketsMax,
      allowH2: false,
      keepAliveTimeout: 60_000, // or it would dial anew in each round, and look worse than it is
      connect: { ca },
    });
    const headers = { 'content-type': 'application/octet-stream' };
    return async (id, body) => {
      const path = `${pathname}/@connections/${encodeURIComponent(id)}`;
      const answer = await pool.request({ method: 'POST', path, headers, body });
      if (answer.statusCode !== 200) throw new Error(`expected 200, got ${answer.statusCode}`);
      await answer.body.dump();
    };
  },
};
export type Variant = keyof typeof VARIANTS;
