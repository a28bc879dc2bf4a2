import type { LogEntry } from '../../shared/data/log.ts';
import { type SequenceDeps, type Sequenced, sequence } from '../../shared/data/sequence/sequence.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { Receipt } from '../../shared/protocol/frames.ts';
import { messageJson } from '../../shared/protocol/json.ts';
import {
  type HistoryNamespace,
  keepsHistory,
  type Namespaces,
  namespaceOf,
} from '../../shared/protocol/namespaces.ts';
import type { Target } from '../../shared/protocol/publication.ts';
import type { Topic } from '../../shared/protocol/topic.ts';
import { type DeliveryJob, type JobMessage, toJobMessage } from '../../shared/queues/job.ts';
import type { TargetBatch, TargetDraft } from './batch.ts';
import { isLogged, type LoggedDeps, takeLogged } from './logged.ts';

/** What storing needs. */
export interface StoreDeps extends SequenceDeps {
  readonly logs: SequenceDeps['logs'] & LoggedDeps['logs'];
  readonly namespaces: Namespaces;
}

/** A message for all subscribers of its target but some. */
export interface Deliverable {
  readonly record: QueueRecord;
  readonly message: JobMessage;
  /** Connections that do not get it. */
  readonly except: readonly string[];
  /** What those connections get in its place, if the message has an offset that they would wait for. */
  readonly skipped?: JobMessage;
}

/** A target batch once everything that its topic keeps is in the log. */
export interface StoredBatch {
  readonly target: Target;
  /** The epoch of the topic's log, if the topic keeps one. */
  readonly epoch?: string;
  readonly deliverables: readonly Deliverable[];
  /** Jobs that tell publishers where their messages are. */
  readonly receipts: readonly DeliveryJob[];
  /** How many of its messages were dropped here, because the topic has a newer version. */
  readonly stale: number;
}

/**
 * Writes a target batch to the topic's log, if it keeps one and the publish route has not written it there; other targets
 * need nothing stored.
 */
export async function store({ target, drafts }: TargetBatch, deps: StoreDeps): Promise<StoredBatch> {
  const namespace = 'topic' in target ? namespaceOf(target.topic, deps.namespaces) : undefined;
  return 'topic' in target && namespace && keepsHistory(namespace)
    ? storeInLog(target.topic, drafts, namespace, deps)
    : { target, deliverables: drafts.map(volatile), receipts: [], stale: 0 };
}

const volatile = ({ record, message, expiresAtMs, except = [] }: TargetDraft): Deliverable => ({
  record,
  message: toJobMessage(messageJson(message), expiresAtMs),
  except,
});

async function storeInLog(
  topic: Topic,
  drafts: readonly TargetDraft[],
  namespace: HistoryNamespace,
  deps: StoreDeps,
): Promise<StoredBatch> {
  const sequenced = isLogged(drafts)
    ? await takeLogged(topic, drafts, deps)
    : await sequence(topic, drafts, namespace, deps);
  // A repeated message is delivered by the record that brought it first, a stale one by none.
  const stored = drafts.flatMap((draft, index) => {
    const result = sequenced[index];
    return result?.outcome === 'stored' ? { ...result, draft } : [];
  });
  const epoch = sequenced.flatMap((result) => (result.outcome === 'stale' ? [] : result.epoch)).at(-1);
  return {
    target: { topic },
    ...(epoch !== undefined && { epoch }),
    deliverables: [
      ...stored.toSorted((a, b) => a.entry.offset - b.entry.offset).map(numbered),
      ...drafts.flatMap((draft, index) => unusedOffset(draft, sequenced[index])),
    ],
    receipts: drafts.flatMap((draft, index) => receiptFor(topic, draft, sequenced[index])),
    // The publish route has told its client.
    stale: isLogged(drafts) ? 0 : sequenced.filter(({ outcome }) => outcome === 'stale').length,
  };
}

interface Stored {
  readonly draft: TargetDraft;
  readonly entry: LogEntry;
}

const numbered = ({ draft: { record }, entry }: Stored): Deliverable => ({
  record,
  message: toJobMessage(entry.json ?? '', entry.expiresAtMs),
  except: entry.except ?? [],
  skipped: skipped(entry.offset),
});

/** What connections get that would wait for an offset which has no message for them. */
const skipped = (offset: number): JobMessage => toJobMessage(JSON.stringify({ offset, skipped: true }));

/** Everybody is told: an offset was taken, here or by the publish route, for a message that had one. */
function unusedOffset({ record, place }: TargetDraft, result: Sequenced | undefined): Deliverable[] {
  const unused = [place, result].flatMap((each) => (each && 'unused' in each ? (each.unused ?? []) : []));
  return unused.map((offset) => ({ record, message: skipped(offset), except: [] }));
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
      messages: [toJobMessage(JSON.stringify({ ...(id !== undefined && { id }), ...content }))],
      connectionIds: [connectionId],
      shards: [],
      attempt: 1,
    },
  ];
}
