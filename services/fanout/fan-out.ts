import { type RunDeps, runJob } from '../../shared/delivery/run.ts';
import { badRequest, ClientError } from '../../shared/errors.ts';
import type { QueueRecord } from '../../shared/events.ts';
import { mapLimit } from '../../shared/map-limit.ts';
import { parseObject } from '../../shared/protocol.ts';
import {
  type Envelope,
  type Publication,
  parsePublication,
  type Target,
  toMessageFrame,
} from '../../shared/publication.ts';
import type { DeadLetters } from '../../shared/queues.ts';
import type { FailedRecord } from '../../shared/worker.ts';
import { type ResolveDeps, resolve } from './resolve.ts';

export interface FanOutDeps extends ResolveDeps, RunDeps {
  /** Where events go that no later try can make sense of. */
  readonly badEvents: DeadLetters;
  /** Up to this many subscribers are served here and now; more are split into delivery jobs. */
  readonly inlineMax: number;
  readonly groupsInFlightMax: number;
}

interface Inbound {
  readonly record: QueueRecord;
  readonly publication: Publication;
}

/**
 * Brings a batch of published messages to their subscribers: messages with the same target are resolved once and
 * delivered in order, different targets do not wait for each other. Answers with the records to hand out again.
 */
export async function fanOut(records: readonly QueueRecord[], deps: FanOutDeps): Promise<FailedRecord[]> {
  const { inbound, failed } = await parseAll(records, deps.badEvents);
  const groups = [...Map.groupBy(inbound, ({ publication }) => JSON.stringify(publication.target)).values()];
  const results = await mapLimit(groups, deps.groupsInFlightMax, (group) => deliverGroup(group, deps));
  const undelivered = groups.flatMap((group, index) => {
    const result = results[index];
    return result?.status === 'rejected'
      ? group.map(({ record }) => ({ record, reason: result.reason }))
      : [];
  });
  return [...failed, ...undelivered];
}

async function deliverGroup(group: readonly Inbound[], deps: FanOutDeps): Promise<void> {
  // Map.groupBy makes no empty groups.
  const [{ publication }] = group as [Inbound, ...Inbound[]];
  const { target } = publication;
  // Everybody is known before anybody is served, so that a failed read leaves nothing half delivered.
  const connectionIds = await resolve(target, deps);
  if (connectionIds.length === 0) return;
  const job = {
    group: groupOf(target),
    ...('topic' in target && { topic: target.topic }),
    frames: group.map(({ publication }) => JSON.stringify(toMessageFrame(publication))),
    connectionIds,
    attempt: 1,
  };
  if (connectionIds.length <= deps.inlineMax) await runJob(job, deps);
  else await deps.deliveryQueue.add([job], 0);
}

const groupOf = (target: Target): string =>
  'everyone' in target ? 'everyone' : (Object.values(target)[0] as string);

interface Parsed {
  readonly inbound: readonly Inbound[];
  readonly failed: readonly FailedRecord[];
}

/** A bad event becomes a dead letter with its reason, and harms no other event of its batch. */
async function parseAll(records: readonly QueueRecord[], badEvents: DeadLetters): Promise<Parsed> {
  const inbound: Inbound[] = [];
  const failed: FailedRecord[] = [];
  for (const record of records) {
    const publication = parseRecord(record);
    if (!(publication instanceof ClientError)) inbound.push({ record, publication });
    else {
      const { message } = publication;
      await badEvents.add(record.body, message).catch((reason: unknown) => failed.push({ record, reason }));
    }
  }
  return { inbound, failed };
}

function parseRecord({ body }: QueueRecord): Publication | ClientError {
  try {
    const { detail, ...envelope } = parseEvent(body);
    return parsePublication(detail, envelope);
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
}

/** An envelope is EventBridge's own work and trusted; its detail is anybody's, and so is what else is in the queue. */
function parseEvent(body: string): Envelope & { readonly detail: unknown } {
  let event: unknown;
  try {
    event = JSON.parse(body);
  } catch {
    throw badRequest('an EventBridge event', body);
  }
  return parseObject('an EventBridge event', event) as unknown as Envelope & { readonly detail: unknown };
}
