import { isRecord } from '../../../shared/protocol/json.ts';
import { RequestError } from '../http/engine.ts';
import { refusal } from './limits.ts';

/**
 * Types of the members of SQS requests (service model of SQS). fauxqs takes them for granted, and fails in the middle
 * of its work where AWS refuses the request.
 */
type Check = (value: unknown) => boolean;

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

const attributeMembers: Readonly<Record<string, Check>> = {
  DataType: isText,
  StringValue: isText,
  BinaryValue: isText,
};
const isMessageAttribute: Check = (value) =>
  isRecord(value) && isText(value.DataType) && hasTypes(value, attributeMembers);

const messageMembers: Readonly<Record<string, Check>> = {
  MessageBody: isText,
  DelaySeconds: isNumber,
  MessageAttributes: isMapOf(isMessageAttribute),
  MessageSystemAttributes: isMapOf(isMessageAttribute),
  MessageDeduplicationId: isText,
  MessageGroupId: isText,
  ReceiptHandle: isText,
  VisibilityTimeout: isNumber,
};
const isEntry: Check = (value) => isRecord(value) && hasTypes(value, { ...messageMembers, Id: isText });

const members: Readonly<Record<string, Check>> = {
  ...messageMembers,
  QueueUrl: isText,
  QueueName: isText,
  QueueNamePrefix: isText,
  QueueOwnerAWSAccountId: isText,
  Entries: isListOf(isEntry),
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

/** Members without which an operation cannot begin. */
const required: Readonly<Record<string, readonly string[]>> = {
  SendMessage: ['MessageBody'],
  DeleteMessage: ['ReceiptHandle'],
  ChangeMessageVisibility: ['ReceiptHandle', 'VisibilityTimeout'],
};
const requiredOfEntry: Readonly<Record<string, readonly string[]>> = {
  SendMessageBatch: ['Id', 'MessageBody'],
  DeleteMessageBatch: ['Id', 'ReceiptHandle'],
  ChangeMessageVisibilityBatch: ['Id', 'ReceiptHandle'],
};

/** Throws as AWS does when a member has another type than the service model says, or is missing. */
export function checkSqsInput(operation: string, input: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined || value === null || members[name]?.(value) !== false) continue;
    throw new RequestError(
      'com.amazon.coral.service#SerializationException',
      `expected ${name} of the type that the service model says`,
    );
  }
  const missing = (has: object, names: readonly string[] = []) =>
    names.find((name) => isMissing(name, (has as Record<string, unknown>)[name]));
  const lacks =
    missing(input, required[operation]) ??
    (Array.isArray(input.Entries) ? input.Entries : [])
      .map((entry: object) => missing(entry, requiredOfEntry[operation]))
      .find((name) => name !== undefined);
  if (lacks === undefined) return;
  throw refusal('MissingParameter', `The request must contain the parameter ${lacks}.`);
}

/** To SQS a message without text is one without a body. */
const isMissing = (name: string, value: unknown): boolean =>
  value === undefined || value === null || (name === 'MessageBody' && value === '');

function hasTypes(value: object, types: Readonly<Record<string, Check>>): boolean {
  return Object.entries(value).every(([name, each]) => each === undefined || (types[name]?.(each) ?? true));
}
