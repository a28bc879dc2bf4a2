import { acceptedAtMs, parseBusEvent } from '../../shared/lambda/bus-event.ts';
import type { QueueRecord } from '../../shared/lambda/events.ts';
import { isRecord } from '../../shared/protocol/json.ts';
import { parseRevocation, type Revocation } from '../../shared/protocol/revocation.ts';
import type { Check } from '../../shared/queues/closings.ts';

/** What a record of the queue asks for: a back end revokes, or a look that Fanwire itself has put off is due. */
export type Task = Check | { readonly revoke: Revocation; readonly atMs: number };

/** Throws a `ClientError` for what no later try could make sense of. */
export function parseTask(record: QueueRecord): Task {
  const check = checkIn(record.body);
  if (check) return check;
  const { detail, ...envelope } = parseBusEvent(record.body);
  // In whole seconds, as tokens say when they were issued, and EventBridge when an event came.
  const atMs = Math.floor(acceptedAtMs(envelope, record) / 1000) * 1000;
  return { revoke: parseRevocation(detail), atMs };
}

/** Only Fanwire writes these, so their shape is trusted. */
function checkIn(body: string): Check | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (isRecord(value) && ('connectionIds' in value || 'revoked' in value)) return value as unknown as Check;
  } catch {
    // No JSON is no event either, which is said there.
  }
  return undefined;
}
