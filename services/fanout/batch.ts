import type { Draft } from '../../shared/data/sequence/draft.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { ReceiptTo, Target } from '../../shared/protocol/publication.ts';
import { messagesTo } from '../../shared/queues/messages.ts';
import type { ParsedRecord } from './parse.ts';

/** A message of a target batch, and the record that it came in. */
export interface TargetDraft extends Draft {
  readonly target: Target;
  readonly record: QueueRecord;
  readonly receipt?: ReceiptTo;
}

/** What a batch of records holds for one target, in the order of the records. */
export interface TargetBatch {
  readonly target: Target;
  readonly drafts: readonly TargetDraft[];
}

/** Sorts what records publish by its target, so that each target is stored and resolved once. */
export function batchesByTarget(parsed: readonly ParsedRecord[]): TargetBatch[] {
  const drafts = parsed.flatMap((each) =>
    each.publication.targets.flatMap((target) => draftsFor(target, each)),
  );
  return [...Map.groupBy(drafts, ({ target }) => JSON.stringify(target)).values()].flatMap((group) =>
    group[0] ? { target: group[0].target, drafts: group } : [],
  );
}

function draftsFor(target: Target, { record, publication, expiresAtMs }: ParsedRecord): TargetDraft[] {
  const { payloads, except, receipt } = publication;
  const isRedelivered = Number(record.attributes?.ApproximateReceiveCount ?? 1) > 1;
  return messagesTo(target, publication).map((message, index) => {
    const { messageId = '', key, version } = payloads[index] ?? {};
    return {
      target,
      record,
      source: record,
      message,
      origin: messageId,
      mayBeRepeated: key !== undefined || isRedelivered,
      needsClaim: true,
      ...(version !== undefined && { version }),
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      ...(except && { except }),
      ...(receipt && { receipt }),
    };
  });
}

/** Groups of target batches: those that one record names together are in one group, because they fail together. */
export function groupsSharingNoRecord(batches: readonly TargetBatch[]): TargetBatch[][] {
  let groups: TargetBatch[][] = [];
  for (const batch of batches) {
    const records = new Set(batch.drafts.map(({ record }) => record));
    const { tied = [], apart = [] } = Object.groupBy(groups, (group) =>
      group.some(({ drafts }) => drafts.some(({ record }) => records.has(record))) ? 'tied' : 'apart',
    );
    groups = [...apart, [...tied.flat(), batch]];
  }
  return groups;
}
