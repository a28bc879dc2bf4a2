import { acceptedAtMs, parseBusEvent } from '../../shared/lambda/bus-event.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import type { FailedRecord } from '../../shared/lambda/worker.ts';
import { ClientError } from '../../shared/protocol/errors.ts';
import type { Namespaces } from '../../shared/protocol/namespaces.ts';
import {
  expectAllowed,
  expiryOf,
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
    const { detail, ...envelope } = parseBusEvent(record.body);
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
