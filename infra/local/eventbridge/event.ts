import { isRecord } from '../../../shared/protocol/json.ts';
import { isTextDeeperThan } from '../../../shared/protocol/source.ts';
import type { Account } from '../account.ts';
import { RequestError } from '../http/engine.ts';
import type { JsonObject } from './operators.ts';

/** Entries in one PutEvents. */
const ENTRIES_MAX = 10;
/** A request has to be smaller (EventBridge API reference, PutEvents; a quarter of it until January 2026). */
const REQUEST_BYTES_LIMIT = 1024 * 1024;
/** What a time counts for in an entry's size (EventBridge guide, "Calculating PutEvents event entry size"). */
const TIME_BYTES = 14;
const DETAIL_TYPE_LENGTH_MAX = 128;
const DETAIL_DEPTH_MAX = 1_000;
/** From 1970 on or before it: more no clock of JavaScript can hold. */
const TIME_MAX_SECONDS = 8.64e12;

/** One entry of PutEvents. */
export interface Entry {
  readonly Source?: string;
  readonly DetailType?: string;
  readonly Detail?: string;
  /** Seconds since the epoch, as the JSON protocol has it. */
  readonly Time?: number;
  readonly Resources?: readonly string[];
  /** A name or an ARN. */
  readonly EventBusName?: string;
}

/** An event as rules see it and targets get it. */
export interface BusEvent {
  readonly id: string;
  readonly acceptedAtMs: number;
  readonly envelope: JsonObject;
  /** The envelope as JSON. */
  readonly text: string;
}

export interface Refusal {
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
}

export interface Stamp extends Account {
  readonly id: string;
  readonly nowMs: number;
}

export function parseEntries(input: JsonObject): Entry[] {
  const { Entries: entries } = input;
  if (!Array.isArray(entries)) throw invalidRequest('Member must not be null');
  return entries.map(parseEntry);
}

export function checkRequest(entries: readonly Entry[]): void {
  if (entries.length < 1) throw invalidRequest('Member must have length greater than or equal to 1');
  if (entries.length > ENTRIES_MAX) {
    throw invalidRequest(`Member must have length less than or equal to ${ENTRIES_MAX}`);
  }
  if (entries.reduce((bytes, entry) => bytes + sizeOf(entry), 0) >= REQUEST_BYTES_LIMIT) {
    throw new RequestError(
      'ValidationException',
      'Total size of the entries in the request is over the limit.',
    );
  }
}

/**
 * The envelope with its nine keys, or why there is none. Codes and messages are AWS's. A request of which no entry is
 * good is answered like any other: so AWS does, though its API reference (PutEventsRequestEntry) says that it fails.
 */
export function toEvent(entry: Entry, { id, nowMs, region, accountId }: Stamp): BusEvent | Refusal {
  const { Source, DetailType, Detail, Time, Resources = [] } = entry;
  if (!Source) return missing('Source');
  if (!DetailType) return missing('DetailType');
  if (!Detail) return missing('Detail');
  if (Source.startsWith('aws.')) {
    return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
  }
  if (DetailType.length > DETAIL_TYPE_LENGTH_MAX) {
    return refuse('DetailType', `DetailType is longer than ${DETAIL_TYPE_LENGTH_MAX} characters.`);
  }
  const detail = parseDetail(Detail);
  if (!detail) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
  const head = {
    version: '0',
    id,
    'detail-type': DetailType,
    source: Source,
    account: accountId,
    time: toSeconds(Time === undefined ? nowMs : Time * 1000),
    region,
    resources: Resources,
  };
  return {
    id,
    acceptedAtMs: nowMs,
    envelope: { ...head, detail },
    // The detail as it came: parsed and written again, long numbers would lose digits.
    text: `${JSON.stringify(head).slice(0, -1)},"detail":${Detail}}`,
  };
}

function parseEntry(value: unknown): Entry {
  const entry = isRecord(value) ? value : {};
  const { Source, DetailType, Detail, EventBusName, Resources } = entry;
  const texts = [Source, DetailType, Detail, EventBusName, ...listOf(Resources)];
  const isSound =
    isRecord(value) &&
    texts.every((text) => text == null || typeof text === 'string') &&
    (entry.Resources == null || Array.isArray(entry.Resources)) &&
    (entry.Time == null || (typeof entry.Time === 'number' && Math.abs(entry.Time) <= TIME_MAX_SECONDS));
  if (!isSound)
    throw new RequestError(
      'SerializationException',
      'expected strings, Resources as a list and Time in seconds',
    );
  return Object.fromEntries(Object.entries(entry).filter(([, member]) => member !== null));
}

function parseDetail(text: string): JsonObject | undefined {
  try {
    const detail: unknown = JSON.parse(text);
    return isRecord(detail) && !isTextDeeperThan(DETAIL_DEPTH_MAX, text) ? detail : undefined;
  } catch {
    return undefined; // Not JSON: the caller is told so.
  }
}

export function sizeOf({ Time, Source = '', DetailType = '', Detail = '', Resources = [] }: Entry): number {
  return [Source, DetailType, Detail, ...Resources].reduce(
    (bytes, text) => bytes + Buffer.byteLength(text),
    Time === undefined ? 0 : TIME_BYTES,
  );
}

/** `2017-12-22T18:43:48Z`: EventBridge gives no milliseconds. */
const toSeconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

const missing = (parameter: string): Refusal => refuse(parameter, `${parameter} is a required argument.`);

const refuse = (parameter: string, reason: string): Refusal => ({
  ErrorCode: 'InvalidArgument',
  ErrorMessage: `Parameter ${parameter} is not valid. Reason: ${reason}`,
});

const invalidRequest = (constraint: string): RequestError =>
  new RequestError(
    'ValidationException',
    `1 validation error detected: Value at 'entries' failed to satisfy constraint: ${constraint}`,
  );
