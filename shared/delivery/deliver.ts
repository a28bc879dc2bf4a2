import { mapLimit } from '../map-limit.ts';
import type { DeliveryJob } from './job.ts';
import type { Post } from './post.ts';

export interface Failure {
  readonly connectionId: string;
  /** Index of the first frame that it did not get. */
  readonly from: number;
  readonly reason: string;
}
export interface Delivery {
  readonly delivered: number;
  readonly gone: readonly string[];
  readonly failed: readonly Failure[];
}
export interface DeliverDeps {
  readonly post: Post;
  readonly postsInFlightMax: number;
}

const encoder = new TextEncoder();

/** Posts every frame to every connection: to one connection one after the other, to many at the same time. */
export async function deliver(
  { frames, connectionIds }: Pick<DeliveryJob, 'frames' | 'connectionIds'>,
  { post, postsInFlightMax }: DeliverDeps,
): Promise<Delivery> {
  const encoded = frames.map((frame) => encoder.encode(frame));
  const gone: string[] = [];
  const failed: Failure[] = [];
  await mapLimit(connectionIds, postsInFlightMax, async (connectionId) => {
    for (const [from, frame] of encoded.entries()) {
      const result = await post(connectionId, frame);
      if (result.outcome === 'gone') return void gone.push(connectionId);
      // What comes after a failed frame waits for its retry, or it would arrive first.
      if (result.outcome === 'failed') return void failed.push({ connectionId, from, reason: result.reason });
    }
  });
  return { delivered: connectionIds.length - gone.length - failed.length, gone, failed };
}
