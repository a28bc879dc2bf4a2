import type { Draft } from '../../shared/data/sequence/draft.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { LoggedPlace, ReceiptTo, Target } from '../../shared/protocol/publication.ts';
import { messagesTo } from '../../shared/queues/messages.ts';
import type { ParsedRecord } from './parse.ts';

/** A message of a target batch, and the record that it came in. */
export interface TargetDraft extends Draft {
  readonly target: Target;
  readonly record: QueueRecord;
  readonly receipt?: ReceiptTo;
  /** Set if the publish route has logged it. */
  readonly place?: LoggedPlace;
  /** Its publisher may publish it again. */
  readonly isKeyed: boolean;
}

/** What a batch of records holds for one target, in the order of the records. */
export interface TargetBatch {
  readonly target: Target;
  readonly drafts: readonly TargetDraft[];
}

/**
 * Sorts what records publish by its target, so that each target is stored and resolved once. What is in a log already
 * has a batch for each log: nearly always one.
 */
export function batchesByTarget(parsed: readonly ParsedRecord[]): TargetBatch[] {
  const drafts = parsed.flatMap((each) =>
    each.publication.targets.flatMap((target) => draftsFor(target, each)),
  );
  return [...Map.groupBy(drafts, batchKey).values()].flatMap((group) =>
    group[0] ? { target: group[0].target, drafts: group } : [],
  );
}

const batchKey = ({ target, place }: TargetDraft): string =>
  JSON.stringify([target, place && ('epoch' in place ? place.epoch : place.dropped)]);

function draftsFor(target: Target, parsed: ParsedRecord): TargetDraft[] {
  const { record, publication, acceptedAtMs, expiresAtMs } = parsed;
  const { targets, payloads, except, receipt, logged } = publication;
  const places = logged?.places[targets.indexOf(target)];
  const isRedelivered = Number(record.attributes.ApproximateReceiveCount) > 1;
  return messagesTo(target, publication).map((message, index) => {
    const { messageId = '', key, version, reset } = payloads[index] ?? {};
    const place = places?.[index];
    return {
      target,
      record,
      source: record,
      message,
      acceptedAtMs,
      origin: messageId,
      // A reset that the bus delivers twice must not undo what came in between.
      mayBeRepeated: key !== undefined || isRedelivered || reset === true,
      needsClaim: true,
      isKeyed: key !== undefined,
      ...(place && { place }),
      ...(version !== undefined && { version }),
      ...(reset && { resets: reset }),
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
