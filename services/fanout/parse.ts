import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { FailedRecord } from '../../shared/lambda/worker.ts';
import { badRequest, ClientError } from '../../shared/protocol/errors.ts';
import { LEVELS_AROUND_DATA, NESTING_MAX } from '../../shared/protocol/frames.ts';
import type { Namespaces } from '../../shared/protocol/namespaces.ts';
import { expectShallow, parseObject } from '../../shared/protocol/parse.ts';
import {
  type Envelope,
  expectAllowed,
  expiryOf,
  isTime,
  type Publication,
  parsePublication,
} from '../../shared/protocol/publication.ts';
import { memberText } from '../../shared/protocol/source.ts';
import type { DeadLetters } from '../../shared/queues/queues.ts';

/** What parsing needs. */
export interface ParseDeps {
  /** Where events go that no later try can make sense of. */
  readonly badEvents: DeadLetters;
  readonly namespaces: Namespaces;
  /** The table that the logs are in. */
  readonly logTable: string;
}

/** A record of the ingest queue, and what it publishes. */
export interface ParsedRecord {
  readonly record: QueueRecord;
  readonly publication: Publication;
  /** See `Draft`. */
  readonly acceptedAtMs: number;
  readonly expiresAtMs: number | undefined;
}

/** A detail may be as deep as a frame, and is in an envelope. */
const LEVELS_MAX = 1 + LEVELS_AROUND_DATA + NESTING_MAX;

/** A bad event becomes a dead letter with its reason, and harms no other event of its batch. */
export async function parseRecords(
  records: readonly QueueRecord[],
  deps: ParseDeps,
): Promise<{ readonly parsed: readonly ParsedRecord[]; readonly failed: readonly FailedRecord[] }> {
  const parsed: ParsedRecord[] = [];
  const failed: FailedRecord[] = [];
  for (const record of records) {
    const result = parseRecord(record, deps);
    if (!(result instanceof ClientError)) {
      parsed.push(result);
      continue;
    }
    await deps.badEvents
      .bury(record.body, result.message)
      .catch((reason: unknown) => failed.push({ record, reason }));
  }
  return { parsed, failed };
}

function parseRecord(
  record: QueueRecord,
  { namespaces, logTable }: Pick<ParseDeps, 'namespaces' | 'logTable'>,
): ParsedRecord | ClientError {
  try {
    const { detail, ...envelope } = parseEvent(record.body);
    const text = memberText(record.body, 'detail') ?? '';
    const { logged, ...rest } = parsePublication(detail, text, envelope);
    const publication = logged?.table === logTable ? { ...rest, logged } : rest;
    expectAllowed(publication, namespaces);
    return {
      record,
      publication,
      acceptedAtMs: acceptedAtMs(envelope, record),
      expiresAtMs: expiryOf(publication, envelope),
    };
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
}

/**
 * The event's own time, which stays the same however late and often the event comes. EventBridge writes it, but an entry
 * of PutEvents may bring its own: the queue had the event by the time that it says, so none is later than that.
 */
const acceptedAtMs = ({ time }: Envelope, { attributes }: QueueRecord): number =>
  Math.min(Date.parse(time), Number(attributes.SentTimestamp));

/** EventBridge writes the envelope, but a back end writes the detail, and anything may be sent to the queue itself. */
function parseEvent(body: string): Envelope & { readonly detail: unknown } {
  let event: unknown;
  try {
    event = JSON.parse(body);
  } catch {
    throw badRequest('an EventBridge event', body);
  }
  expectShallow('JSON', body, LEVELS_MAX);
  const { id, time, detail } = parseObject('an EventBridge event', event);
  if (typeof id !== 'string' || typeof time !== 'string' || !isTime(time)) {
    throw badRequest('an EventBridge event with an id and a time', { id, time });
  }
  return { id, time, detail };
}
