import type { Receipt } from '../../shared/protocol/frames.ts';
import {
  type HistoryNamespace,
  keepsHistory,
  type Namespaces,
  namespaceOf,
} from '../../shared/protocol/namespaces.ts';
import type { Topic } from '../../shared/protocol/topic.ts';
import { type DeliveryJob, toJobMessage } from '../../shared/queues/job.ts';
import type { TargetBatch, TargetDraft } from './batch.ts';
import { type SequenceDeps, type Sequenced, sequence } from './sequence.ts';
import type { Entry } from './serve.ts';

export interface PrepareDeps extends SequenceDeps {
  readonly namespaces: Namespaces;
}

/** The same, ready to be delivered: what its topic keeps is in the log. */
export interface Prepared {
  readonly epoch?: string;
  readonly entries: readonly (Entry & Pick<TargetDraft, 'record'>)[];
  readonly receipts: readonly DeliveryJob[];
}

export async function prepare({ target, drafts }: TargetBatch, deps: PrepareDeps): Promise<Prepared> {
  const namespace = 'topic' in target ? namespaceOf(target.topic, deps.namespaces) : undefined;
  return 'topic' in target && namespace && keepsHistory(namespace)
    ? store(target.topic, drafts, namespace, deps)
    : { entries: drafts.map(asItIs), receipts: [] };
}

const asItIs = ({ message, expiresAtMs, except = [], record }: TargetDraft): Prepared['entries'][number] => ({
  message: toJobMessage(message, expiresAtMs),
  except,
  record,
});

async function store(
  topic: Topic,
  drafts: readonly TargetDraft[],
  namespace: HistoryNamespace,
  deps: PrepareDeps,
): Promise<Prepared> {
  const sequenced = await sequence(topic, drafts, namespace, deps);
  const entries: (Prepared['entries'][number] & { readonly offset: number })[] = [];
  let epoch: string | undefined;
  for (const [index, { record, except = [] }] of drafts.entries()) {
    const result = sequenced[index];
    // Whoever brought a repeated message first brings it to its subscribers, too.
    if (result?.outcome !== 'stored') continue;
    const { offset, json = '', expiresAtMs } = result.entry;
    epoch = result.epoch;
    entries.push({
      message: { json, ...(expiresAtMs !== undefined && { expiresAtMs }) },
      // Without it the connection would wait for the offset.
      skipped: toJobMessage({ offset, skipped: true }, undefined),
      except,
      record,
      offset,
    });
  }
  return {
    ...(epoch !== undefined && { epoch }),
    entries: entries.toSorted((a, b) => a.offset - b.offset),
    receipts: drafts.flatMap((draft, index) => receiptFor(topic, draft, sequenced[index])),
  };
}

function receiptFor(
  topic: Topic,
  { message, receipt }: TargetDraft,
  result: Sequenced | undefined,
): DeliveryJob[] {
  if (!receipt || !result) return [];
  const { connectionId, id } = receipt;
  const content: Receipt = {
    messageId: message.messageId,
    topic,
    ...(result.outcome === 'stale'
      ? { dropped: 'stale' }
      : { epoch: result.epoch, offset: result.entry.offset }),
  };
  return [
    {
      group: connectionId,
      type: 'receipt',
      messages: [toJobMessage({ ...(id !== undefined && { id }), ...content }, undefined)],
      connectionIds: [connectionId],
      shards: [],
      attempt: 1,
    },
  ];
}
