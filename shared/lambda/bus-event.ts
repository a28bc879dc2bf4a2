import { badRequest } from '../protocol/errors.ts';
import { LEVELS_AROUND_DATA, NESTING_MAX } from '../protocol/frames.ts';
import { expectShallow, parseObject } from '../protocol/parse.ts';
import { type Envelope, isTime } from '../protocol/publication.ts';
import type { QueueRecord } from './events.ts';

/** A detail may be as deep as a frame, and is in an envelope. */
const LEVELS_MAX = 1 + LEVELS_AROUND_DATA + NESTING_MAX;

/**
 * An event of the bus that came over a queue. EventBridge writes the envelope, but a back end writes the detail, and
 * anything may be sent to the queue itself.
 */
export function parseBusEvent(body: string): Envelope & { readonly detail: unknown } {
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

/**
 * The event's own time, which stays the same however late and often the event comes. EventBridge writes it, but an entry
 * of PutEvents may bring its own: the queue had the event by the time that it says, so none is later than that.
 */
export const acceptedAtMs = ({ time }: Envelope, { attributes }: QueueRecord): number =>
  Math.min(Date.parse(time), Number(attributes.SentTimestamp));
