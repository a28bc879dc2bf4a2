import { RequestError } from '../http/engine.ts';
import { INVALID_CHARACTER, type MessageAttribute, sizeOfMessage } from './fauxqs.ts';

/** Messages in one batch, and in one answer to ReceiveMessage. */
const MESSAGES_MAX = 10;
/** Of one batch (SQS guide, "Message quotas"). */
const BATCH_BYTES_MAX = 1_048_576;
/** Queues in one answer to ListQueues. */
const RESULTS_MAX = 1_000;
const DELAY_SECONDS_MAX = 900;
const ATTRIBUTES_MAX = 10;
/** Ids of message groups and of deduplication: letters, digits and punctuation. */
const ID = /^[!-~]{1,128}$/;
/** Within a batch. */
const ENTRY_ID = /^[\w-]{1,80}$/;
/** SQS guide, "Amazon SQS message metadata". */
const ATTRIBUTE_NAME = /^(?!\.)(?!.*\.\.)[\w.-]{1,256}(?<!\.)$/;
const ATTRIBUTE_NAME_RESERVED = /^(?:aws|amazon)\./i;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** A message as it is sent, alone or in a batch; its types have been checked. */
interface Sent {
  readonly MessageBody?: string;
  readonly DelaySeconds?: number;
  readonly MessageAttributes?: Attributes;
  readonly MessageSystemAttributes?: Attributes;
  readonly MessageGroupId?: string;
  readonly MessageDeduplicationId?: string;
}
type Attributes = Readonly<Record<string, MessageAttribute>>;

/**
 * Throws where SQS refuses a request for its numbers and texts, in its own words where they are known. fauxqs says less
 * of some of it, and takes the rest. Its types have been checked.
 */
export function checkLimits(operation: string, input: Readonly<Record<string, unknown>>): void {
  const { MaxNumberOfMessages, MaxResults, Entries } = input;
  checkRange('MaxNumberOfMessages', MaxNumberOfMessages, 1, MESSAGES_MAX);
  checkRange('MaxResults', MaxResults, 1, RESULTS_MAX);
  if (Array.isArray(Entries)) checkEntries(Entries);
  if (operation === 'SendMessage') checkMessage(input);
  if (operation === 'SendMessageBatch') checkBatch(Entries as readonly Sent[]);
}

function checkEntries(entries: readonly { readonly Id: string }[]): void {
  if (entries.length > MESSAGES_MAX) {
    throw refusal(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${MESSAGES_MAX}. You have sent ${entries.length}.`,
    );
  }
  if (entries.every(({ Id }) => ENTRY_ID.test(Id))) return;
  throw refusal(
    'InvalidBatchEntryId',
    'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
  );
}

function checkBatch(messages: readonly Sent[]): void {
  for (const message of messages) checkMessage(message);
  const bytes = messages.reduce(
    (sum, { MessageBody = '', MessageAttributes = {} }) =>
      sum + sizeOfMessage(MessageBody, MessageAttributes),
    0,
  );
  if (bytes <= BATCH_BYTES_MAX) return;
  throw refusal(
    'BatchRequestTooLong',
    `Batch requests cannot be longer than ${BATCH_BYTES_MAX} bytes. You have sent ${bytes} bytes.`,
  );
}

function checkMessage(message: Sent): void {
  const { DelaySeconds, MessageAttributes = {}, MessageSystemAttributes = {} } = message;
  const { MessageGroupId, MessageDeduplicationId } = message;
  if (DelaySeconds !== undefined && !isWithin(DelaySeconds, 0, DELAY_SECONDS_MAX)) {
    throw invalidValue(
      'DelaySeconds',
      DelaySeconds,
      `DelaySeconds must be >= 0 and <= ${DELAY_SECONDS_MAX}.`,
    );
  }
  for (const [name, id] of Object.entries({ MessageGroupId, MessageDeduplicationId })) {
    if (id === undefined || ID.test(id)) continue;
    const reason = `${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;
    throw invalidValue(name, id, reason);
  }
  checkAttributesOf(MessageAttributes);
  const unknown = Object.keys(MessageSystemAttributes).find((name) => name !== 'AWSTraceHeader');
  if (unknown === undefined) return;
  throw refusal('InvalidParameterValue', `Message system attribute name '${unknown}' is invalid.`);
}

function checkAttributesOf(attributes: Attributes): void {
  const count = Object.keys(attributes).length;
  if (count > ATTRIBUTES_MAX) {
    throw refusal(
      'InvalidParameterValue',
      `Number of message attributes [${count}] exceeds the allowed maximum [${ATTRIBUTES_MAX}].`,
    );
  }
  for (const [name, attribute] of Object.entries(attributes)) {
    const fault = faultOf(name, attribute);
    if (fault !== undefined) throw refusal('InvalidParameterValue', fault);
  }
}

function faultOf(name: string, { DataType, StringValue, BinaryValue }: MessageAttribute): string | undefined {
  const [type] = DataType.split('.', 1);
  const value = type === 'Binary' ? BinaryValue : StringValue;
  if (!ATTRIBUTE_NAME.test(name) || ATTRIBUTE_NAME_RESERVED.test(name)) {
    return `expected the name of a message attribute to be 1 to 256 letters, digits and "_-.", got '${name}'`;
  }
  if (type !== 'Binary' && type !== 'Number' && type !== 'String') {
    return `The type of message (user) attribute '${name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String.`;
  }
  if (!value) return `Message (user) attribute '${name}' must contain a non-empty value of type '${type}'.`;
  if (type === 'Number' && !NUMBER.test(value)) {
    return `Can't cast the value of message (user) attribute '${name}' to a number.`;
  }
  return INVALID_CHARACTER.test(value)
    ? `expected the value of message attribute '${name}' to have no characters but those of a message, got others`
    : undefined;
}

/** In a batch SQS has other words for a message that is too long than for one alone; fauxqs has not. */
export function reworded(output: unknown): unknown {
  const { Failed = [], ...rest } = output as { readonly Failed?: readonly { readonly Message: string }[] };
  const failed = Failed.map((failure) => ({
    ...failure,
    Message: failure.Message.replace(
      'parameters are invalid. Reason:',
      'parameters cannot be validated. Reason:',
    ),
  }));
  return { ...rest, Failed: failed };
}

function checkRange(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number' || isWithin(value, min, max)) return;
  throw invalidValue(name, value, `Must be between ${min} and ${max}, if provided.`);
}

const isWithin = (value: number, min: number, max: number): boolean => value >= min && value <= max;

const invalidValue = (name: string, value: string | number, reason: string): RequestError =>
  refusal('InvalidParameterValue', `Value ${value} for parameter ${name} is invalid. Reason: ${reason}`);

/** Some errors have one name in the older protocol of SQS, by which the SDK still goes, and another in its JSON. */
const JSON_NAMES: Readonly<Record<string, string>> = {
  InvalidParameterValue: 'InvalidParameterValueException',
  MissingParameter: 'MissingRequiredParameterException',
  NonExistentQueue: 'QueueDoesNotExist',
  QueueAlreadyExists: 'QueueNameExists',
};
/** Of the codes of the older protocol these alone have the name of the service before them. */
const CODES_OF_SERVICE: ReadonlySet<string> = new Set([
  'BatchEntryIdsNotDistinct',
  'BatchRequestTooLong',
  'EmptyBatchRequest',
  'InvalidBatchEntryId',
  'MessageNotInflight',
  'NonExistentQueue',
  'PurgeQueueInProgress',
  'QueueDeletedRecently',
  'TooManyEntriesInBatchRequest',
  'UnsupportedOperation',
]);

/** An error of SQS by its code in the older protocol, without the name of the service. */
export const refusal = (code: string, message: string, status = 400): RequestError =>
  new RequestError(`com.amazonaws.sqs#${JSON_NAMES[code] ?? code}`, message, status, {
    'x-amzn-query-error': `${CODES_OF_SERVICE.has(code) ? 'AWS.SimpleQueueService.' : ''}${code};Sender`,
  });
