import { RequestError } from '../http/engine.ts';
import { type MessageAttribute, sizeOfMessage } from './fauxqs.ts';

/** Messages in one batch, and in one answer to ReceiveMessage. */
const MESSAGES_MAX = 10;
/** Of one batch (SQS guide, "Message quotas"). */
const BATCH_BYTES_MAX = 1_048_576;
/** Ids of message groups and of deduplication: letters, digits and punctuation. */
const ID = /^[!-~]{1,128}$/;

/** A message as it is sent, alone or in a batch; its types have been checked. */
interface Sent {
  readonly MessageBody?: string;
  readonly MessageAttributes?: Readonly<Record<string, MessageAttribute>> | null;
  readonly MessageGroupId?: string | null;
  readonly MessageDeduplicationId?: string | null;
}

/**
 * Throws where SQS refuses a request for its numbers and texts, in its own words. fauxqs says less of some of it, and
 * takes the rest.
 */
export function checkLimits(operation: string, input: Readonly<Record<string, unknown>>): void {
  const { MaxNumberOfMessages: max, Entries } = input;
  if (typeof max === 'number' && (max < 1 || max > MESSAGES_MAX)) {
    throw invalidValue('MaxNumberOfMessages', max, `Must be between 1 and ${MESSAGES_MAX}, if provided.`);
  }
  const entries = Array.isArray(Entries) ? (Entries as readonly Sent[]) : undefined;
  if (entries && entries.length > MESSAGES_MAX) {
    throw refusal(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${MESSAGES_MAX}. You have sent ${entries.length}.`,
    );
  }
  if (!operation.startsWith('SendMessage')) return;
  for (const message of entries ?? [input as Sent]) checkMessage(message);
  const bytes = (entries ?? []).reduce(
    (sum, { MessageBody = '', MessageAttributes }) =>
      sum + sizeOfMessage(MessageBody, MessageAttributes ?? {}),
    0,
  );
  if (bytes <= BATCH_BYTES_MAX) return;
  throw refusal(
    'BatchRequestTooLong',
    `Batch requests cannot be longer than ${BATCH_BYTES_MAX} bytes. You have sent ${bytes} bytes.`,
  );
}

function checkMessage({ MessageAttributes, MessageGroupId, MessageDeduplicationId }: Sent): void {
  for (const [name, id] of Object.entries({ MessageGroupId, MessageDeduplicationId })) {
    if (id == null || ID.test(id)) continue;
    const reason = `${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;
    throw invalidValue(name, id, reason);
  }
  for (const [name, { DataType, StringValue }] of Object.entries(MessageAttributes ?? {})) {
    const [type] = DataType.split('.');
    if (StringValue !== '' || type === 'Binary') continue;
    throw refusal(
      'InvalidParameterValue',
      `Message (user) attribute '${name}' must contain a non-empty value of type '${type}'.`,
    );
  }
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
