import { isRecord } from '../../../shared/protocol/json.ts';
import { RequestError } from '../http/engine.ts';
import { refusal } from './limits.ts';

/**
 * Types of the members of SQS requests (service model of SQS). fauxqs takes them for granted, and fails in the middle
 * of its work where AWS refuses the request.
 */
type Check = (value: unknown) => boolean;
type Input = Record<string, unknown>;

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => Number.isSafeInteger(value);
const isFlag: Check = (value) => typeof value === 'boolean';
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const isMapOf =
  (check: Check): Check =>
  (value) =>
    isRecord(value) && Object.values(value).every(check);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const isMessageAttribute: Check = (value) => {
  if (!isRecord(value)) return false;
  const { DataType, StringValue, BinaryValue } = value;
  return (
    isText(DataType) &&
    (StringValue === undefined || isText(StringValue)) &&
    (BinaryValue === undefined || (typeof BinaryValue === 'string' && BASE64.test(BinaryValue)))
  );
};

const message: Readonly<Record<string, Check>> = {
  MessageBody: isText,
  DelaySeconds: isNumber,
  MessageAttributes: isMapOf(isMessageAttribute),
  MessageSystemAttributes: isMapOf(isMessageAttribute),
  MessageDeduplicationId: isText,
  MessageGroupId: isText,
  ReceiptHandle: isText,
  VisibilityTimeout: isNumber,
};
const entry: typeof message = { ...message, Id: isText };
const request: typeof message = {
  ...message,
  QueueUrl: isText,
  QueueName: isText,
  QueueNamePrefix: isText,
  QueueOwnerAWSAccountId: isText,
  Entries: isListOf(isRecord),
  Attributes: isMapOf(isText),
  AttributeNames: isListOf(isText),
  MessageAttributeNames: isListOf(isText),
  MessageSystemAttributeNames: isListOf(isText),
  MaxNumberOfMessages: isNumber,
  WaitTimeSeconds: isNumber,
  ReceiveRequestAttemptId: isText,
  MaxResults: isNumber,
  NextToken: isText,
  Tags: isMapOf(isText),
  tags: isMapOf(isText),
  TagKeys: isListOf(isText),
  UseUnixTimestamp: isFlag,
};

/** Members without which an operation cannot begin; of those that are not here, a queue. */
const required: ReadonlyMap<string, readonly string[]> = new Map([
  ['CreateQueue', ['QueueName']],
  ['GetQueueUrl', ['QueueName']],
  ['ListQueues', []],
  ['SendMessage', ['QueueUrl', 'MessageBody']],
  ['DeleteMessage', ['QueueUrl', 'ReceiptHandle']],
  ['ChangeMessageVisibility', ['QueueUrl', 'ReceiptHandle', 'VisibilityTimeout']],
  ['SetQueueAttributes', ['QueueUrl', 'Attributes']],
  ['TagQueue', ['QueueUrl', 'Tags']],
  ['UntagQueue', ['QueueUrl', 'TagKeys']],
]);
const QUEUE = ['QueueUrl'];
const requiredOfEntry: ReadonlyMap<string, readonly string[]> = new Map([
  ['SendMessageBatch', ['Id', 'MessageBody']],
  ['DeleteMessageBatch', ['Id', 'ReceiptHandle']],
  ['ChangeMessageVisibilityBatch', ['Id', 'ReceiptHandle', 'VisibilityTimeout']],
]);

/**
 * The members that the service model knows, and that are not null. Throws as AWS does when one has another type than the
 * model says, or is missing.
 */
export function parseSqsInput(operation: string, input: Readonly<Input>): Input {
  const { Entries = [], ...known } = knownOf(input, request);
  expectAll(known, required.get(operation) ?? QUEUE);
  const ofEntry = requiredOfEntry.get(operation);
  if (!ofEntry) return known;
  const entries = (Entries as readonly Input[]).map((each) => knownOf(each, entry));
  for (const each of entries) expectAll(each, ofEntry);
  return { ...known, Entries: entries };
}

/** Asks for each member by its name: others may be there in any number, and have the names of what objects inherit. */
function knownOf(input: Readonly<Input>, checks: typeof message): Input {
  const known: Input = {};
  for (const [name, isSound] of Object.entries(checks)) {
    const value = Object.hasOwn(input, name) ? input[name] : undefined;
    if (value === undefined || value === null) continue;
    if (!isSound(value)) {
      throw new RequestError(
        'com.amazon.coral.service#SerializationException',
        `expected ${name} of the type that the service model says`,
      );
    }
    known[name] = value;
  }
  return known;
}

/** To SQS a message without text is one without a body. */
function expectAll(input: Readonly<Input>, names: readonly string[]): void {
  const missing = names.find(
    (name) => input[name] === undefined || (name === 'MessageBody' && input[name] === ''),
  );
  if (missing === undefined) return;
  throw refusal('MissingParameter', `The request must contain the parameter ${missing}.`);
}
