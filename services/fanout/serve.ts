import { INLINE_WAIT_MS } from '../../shared/delivery/pace.ts';
import type { JobOutcome } from '../../shared/delivery/post-job.ts';
import { type RunDeps, runJob } from '../../shared/delivery/run.ts';
import type { Target } from '../../shared/protocol/publication.ts';
import { type DeliveryJob, JOB_CONNECTIONS_MAX, type JobMessage } from '../../shared/queues/job.ts';
import type { ShardSubscribers } from './resolve.ts';
import type { Deliverable, StoredBatch } from './store.ts';

/** What serving needs. */
export interface ServeDeps extends RunDeps {
  /** Up to this many subscribers are served here and now; more are split into delivery jobs. */
  readonly inlineMax: number;
}

/** A target batch whose subscribers are known. */
export interface ResolvedBatch extends StoredBatch {
  readonly subscribers: readonly ShardSubscribers[];
}

/** Brings a batch to its subscribers, if they are few, or else puts jobs that do so on the delivery queue. */
export async function serve(batch: ResolvedBatch, deps: ServeDeps, stopAtMs: number): Promise<JobOutcome[]> {
  const jobs = jobsFor(batch);
  const connections = jobs.reduce((sum, { connectionIds }) => sum + connectionIds.length, 0);
  const isInline = connections <= deps.inlineMax;
  if (!isInline) await deps.deliveryQueue.enqueue(jobs, 0);
  const inlineStopMs = Math.min(stopAtMs, deps.now() + INLINE_WAIT_MS);
  const here = [...batch.receipts, ...(isInline ? jobs : [])];
  return Promise.all(here.map((job) => runJob(job, deps, inlineStopMs)));
}

/** Each connection gets its messages from one job, in order. */
function jobsFor({ target, epoch, deliverables, subscribers }: ResolvedBatch): DeliveryJob[] {
  const job = {
    group: groupOf(target),
    ...('topic' in target && { topic: target.topic }),
    ...(epoch !== undefined && { epoch }),
    attempt: 1,
  };
  const jobsOf = (
    messages: readonly JobMessage[],
    isMeant: (connectionId: string) => boolean,
  ): DeliveryJob[] =>
    messages.length === 0 ? [] : split(subscribers, isMeant).map((some) => ({ ...job, messages, ...some }));
  const excepted = new Set(deliverables.flatMap(({ except }) => except));
  return [
    ...jobsOf(
      deliverables.map(({ message }) => message),
      (id) => !excepted.has(id),
    ),
    ...[...excepted].flatMap((id) => jobsOf(messagesFor(id, deliverables), (other) => other === id)),
  ];
}

/** A connection that one message leaves out still gets the others, in their order. */
const messagesFor = (id: string, deliverables: readonly Deliverable[]): JobMessage[] =>
  deliverables.flatMap(({ message, except, skipped }) => (except.includes(id) ? (skipped ?? []) : message));

/** Jobs for one topic, user or connection are of one group, which cannot starve another. */
const groupOf = (target: Target): string =>
  'everyone' in target ? 'everyone' : (Object.values(target)[0] as string);

type Recipients = Pick<DeliveryJob, 'connectionIds' | 'shards'>;

/** Connections in numbers that each fit a job, with the shards that they were found in. */
function split(
  subscribers: readonly ShardSubscribers[],
  isMeant: (connectionId: string) => boolean,
): Recipients[] {
  const all: Recipients[] = [];
  let connectionIds: string[] = [];
  let shards = new Set<ShardSubscribers['shard']>();
  const close = () => {
    const known = [...shards].flatMap((shard) => shard ?? []);
    if (connectionIds.length > 0) all.push({ connectionIds, shards: known });
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
  return all;
}
