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

/** Service model of EventBridge, PutEventsRequestEntry. */
const BUS_NAME = /^(arn:aws[\w-]*:events:[a-z]{2}-[a-z]+-[\w-]+:[0-9]{12}:event-bus\/)?[/.\-_A-Za-z0-9]+$/;

const UNREADABLE = new RequestError(
  'SerializationException',
  'expected strings of whole characters, Resources as a list of them and Time in seconds',
);

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
  checkCount(entries);
  return entries.map(parseEntry);
}

export function checkRequest(entries: readonly Entry[]): void {
  checkCount(entries);
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

function checkCount({ length }: readonly unknown[]): void {
  if (length < 1) throw invalidRequest('Member must have length greater than or equal to 1');
  if (length > ENTRIES_MAX) {
    throw invalidRequest(`Member must have length less than or equal to ${ENTRIES_MAX}`);
  }
}

const TEXTS = ['Source', 'DetailType', 'Detail', 'EventBusName', 'TraceHeader', 'EndpointId'];

function parseEntry(value: unknown, index: number): Entry {
  if (!isRecord(value)) throw UNREADABLE;
  const entry = Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
  const { Resources = [], Time = 0, EventBusName } = entry;
  const isSound =
    TEXTS.every((name) => entry[name] === undefined || isText(entry[name])) &&
    Array.isArray(Resources) &&
    Resources.every(isText) &&
    typeof Time === 'number' &&
    Math.abs(Time) <= TIME_MAX_SECONDS;
  if (!isSound) throw UNREADABLE;
  if (EventBusName === undefined || BUS_NAME.test(EventBusName as string)) return entry;
  throw new RequestError(
    'ValidationException',
    `1 validation error detected: Value '${EventBusName}' at 'entries.${index + 1}.member.eventBusName' failed to satisfy ` +
      `constraint: Member must satisfy regular expression pattern: ${BUS_NAME.source.slice(1, -1)}`,
  );
}

/**
 * Half of a pair cannot be written in UTF-8, which is all that AWS and its queues speak: such a text would be accepted and
 * then be lost. That it is refused like this is [inference].
 */
const isText = (value: unknown): boolean => typeof value === 'string' && value.isWellFormed();

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
