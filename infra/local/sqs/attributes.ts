import { isRecord } from '../../../shared/protocol/json.ts';
import { KNOWN_ATTRIBUTES } from './fauxqs.ts';
import { refusal } from './limits.ts';

/** What a queue says of itself besides what it has been told (SQS API reference, GetQueueAttributes). */
const OF_ITS_OWN: ReadonlySet<string> = new Set([
  'All',
  'QueueArn',
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
  'CreatedTimestamp',
  'LastModifiedTimestamp',
]);

/** Its range is fauxqs's to check. */
const isNumber = (text: string): boolean => /^\d{1,9}$/.test(text);
const isFlag = (text: string): boolean => text === 'true' || text === 'false';
const isOneOf =
  (...values: readonly string[]) =>
  (text: string): boolean =>
    values.includes(text);
/** Without characters it takes back what was there. */
const isJson = (text: string): boolean => text === '' || jsonOf(text) !== undefined;

const values: Readonly<Record<string, (text: string) => boolean>> = {
  VisibilityTimeout: isNumber,
  DelaySeconds: isNumber,
  MaximumMessageSize: isNumber,
  MessageRetentionPeriod: isNumber,
  ReceiveMessageWaitTimeSeconds: isNumber,
  KmsDataKeyReusePeriodSeconds: isNumber,
  SqsManagedSseEnabled: isFlag,
  ContentBasedDeduplication: isFlag,
  FifoQueue: isOneOf('true'),
  DeduplicationScope: isOneOf('queue', 'messageGroup'),
  FifoThroughputLimit: isOneOf('perQueue', 'perMessageGroupId'),
  RedrivePolicy: isRedrivePolicy,
  RedriveAllowPolicy: isJson,
  Policy: isJson,
};
const OF_FIFO = ['FifoQueue', 'ContentBasedDeduplication', 'DeduplicationScope', 'FifoThroughputLimit'];

const QUEUE_NAME = /^(?=.{1,80}$)[\w-]+(?:\.fifo)?$/;
const RECEIVES_MAX = 1_000;

/** Throws where SQS refuses what a request says of a queue; fauxqs takes much of it. Its types have been checked. */
export function checkQueue(operation: string, input: Readonly<Record<string, unknown>>): void {
  if (operation === 'GetQueueAttributes') checkNames((input.AttributeNames ?? []) as string[], isReadable);
  if (operation !== 'CreateQueue' && operation !== 'SetQueueAttributes') return;
  const name = String(input.QueueName ?? input.QueueUrl);
  const attributes = (input.Attributes ?? {}) as Readonly<Record<string, string>>;
  if (operation === 'CreateQueue') checkName(name, attributes);
  // That a queue with this attribute has the name of one is fauxqs's to say.
  const isFifo = name.endsWith('.fifo') || attributes.FifoQueue === 'true';
  checkNames(
    Object.keys(attributes),
    (key) => KNOWN_ATTRIBUTES.has(key) && (isFifo || !OF_FIFO.includes(key)),
  );
  const wrong = Object.entries(attributes).find(([key, text]) => values[key]?.(text) === false);
  if (wrong) throw refusal('InvalidAttributeValue', `Invalid value for the parameter ${wrong[0]}.`);
}

const isReadable = (name: string): boolean => OF_ITS_OWN.has(name) || KNOWN_ATTRIBUTES.has(name);

function checkNames(names: readonly string[], isKnown: (name: string) => boolean): void {
  const unknown = names.find((name) => !isKnown(name));
  if (unknown !== undefined) throw refusal('InvalidAttributeName', `Unknown Attribute ${unknown}.`);
}

function checkName(name: string, { FifoQueue }: Readonly<Record<string, string>>): void {
  if (QUEUE_NAME.test(name) && (FifoQueue === 'true' || !name.endsWith('.fifo'))) return;
  throw refusal(
    'InvalidParameterValue',
    'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
  );
}

function isRedrivePolicy(text: string): boolean {
  if (text === '') return true;
  const policy = jsonOf(text);
  if (!isRecord(policy) || typeof policy.deadLetterTargetArn !== 'string') return false;
  const receives = Number(policy.maxReceiveCount);
  return Number.isInteger(receives) && receives >= 1 && receives <= RECEIVES_MAX;
}

/** Nothing if it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
