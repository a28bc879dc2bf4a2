import type { Target } from '../../shared/protocol/publication.ts';
import { type DeliveryJob, JOB_CONNECTIONS_MAX, type JobMessage } from '../../shared/queues/job.ts';
import type { ShardSubscribers } from './resolve.ts';

/** A message for all connections of a target but some. */
export interface Entry {
  readonly message: JobMessage;
  readonly except: readonly string[];
  /** What those get in its place. */
  readonly skipped?: JobMessage;
}

/** The jobs that bring messages to connections: each connection gets its messages from one job, in order. */
export function jobsFor(
  target: Target,
  epoch: string | undefined,
  entries: readonly Entry[],
  subscribers: readonly ShardSubscribers[],
): DeliveryJob[] {
  const excepted = new Set(entries.flatMap(({ except }) => except));
  const job = {
    group: groupOf(target),
    ...('topic' in target && { topic: target.topic }),
    ...(epoch !== undefined && { epoch }),
    attempt: 1,
  };
  const messages = entries.map(({ message }) => message);
  const jobs = split(subscribers, (id) => !excepted.has(id)).map((part) => ({ ...job, messages, ...part }));
  // Whoever is left out of one message still gets the others, in their order.
  const apart = [...excepted].flatMap((id) => {
    const theirs = entries.flatMap(({ message, except, skipped }) =>
      except.includes(id) ? (skipped ?? []) : message,
    );
    if (theirs.length === 0) return [];
    return split(subscribers, (other) => other === id).map((part) => ({ ...job, messages: theirs, ...part }));
  });
  return [...jobs, ...apart];
}

const groupOf = (target: Target): string =>
  'everyone' in target ? 'everyone' : (Object.values(target)[0] as string);

/** Parts that fit a job each, with the shards that their connections were found in. */
function split(
  subscribers: readonly ShardSubscribers[],
  isMeant: (connectionId: string) => boolean,
): Pick<DeliveryJob, 'connectionIds' | 'shards'>[] {
  const parts: Pick<DeliveryJob, 'connectionIds' | 'shards'>[] = [];
  let connectionIds: string[] = [];
  let shards = new Set<ShardSubscribers['shard']>();
  const close = () => {
    const known = [...shards].flatMap((shard) => shard ?? []);
    if (connectionIds.length > 0) parts.push({ connectionIds, shards: known });
    connectionIds = [];
    shards = new Set();
  };
  for (const { shard, connectionIds: found } of subscribers) {
    for (const id of found) {
      if (!isMeant(id)) continue;
      connectionIds.push(id);
      shards.add(shard);
      if (connectionIds.length === JOB_CONNECTIONS_MAX) close();
    }
  }
  close();
  return parts;
}
