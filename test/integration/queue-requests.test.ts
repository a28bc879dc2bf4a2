import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { actions } from '../../infra/local/sqs/fauxqs.ts';
import { Queues } from '../../infra/local/sqs/queues.ts';
import { type Served, serve } from '../support/serve.ts';

/** What SQS refuses of requests that no SDK would send, over HTTP. */

const ACCOUNT = 'arn:aws:sqs:eu-west-1:000000000000';
const URL = 'http://127.0.0.1/000000000000';
const QueueUrl = `${URL}/orders`;

let queues: Queues;
let served: Served;
beforeAll(async () => {
  queues = Queues.open({ region: 'eu-west-1' });
  served = await serve({ handle: (...call) => queues.handle(...call) });
});
afterAll(async () => {
  await served.close();
  await queues.close();
});
beforeEach(() => {
  queues.create({ name: 'orders', arn: `${ACCOUNT}:orders`, url: QueueUrl, attributes: {} });
});

async function ask(
  operation: string,
  body: string,
): Promise<{ status: number; type: string; message: string }> {
  const response = await fetch(served.client.endpoint, {
    method: 'POST',
    headers: { 'x-amz-target': `AmazonSQS.${operation}` },
    body,
  });
  const { __type = '', message = '' } = (await response.json()) as { __type?: string; message?: string };
  return { status: response.status, type: __type.replace(/^.*#/, ''), message };
}
const call = (operation: string, input: object) => ask(operation, JSON.stringify(input));

const message = { QueueUrl, MessageBody: 'x' };
const withAttribute = (name: string, attribute: object) => ({
  ...message,
  MessageAttributes: { [name]: attribute },
});
const text = { DataType: 'String', StringValue: 'x' };
const batch = (entry: object) => ({ QueueUrl, Entries: [{ Id: 'a', MessageBody: 'x', ...entry }] });

describe('SQS refuses', () => {
  it.each<[operation: string, input: object, type: string]>([
    ['SendMessage', { ...message, DelaySeconds: -1 }, 'InvalidParameterValueException'],
    ['SendMessage', { ...message, DelaySeconds: 901 }, 'InvalidParameterValueException'],
    ['SendMessage', { ...message, DelaySeconds: 901, Entries: [] }, 'InvalidParameterValueException'],
    ['SendMessage', { ...message, DelaySeconds: '1' }, 'SerializationException'],
    ['SendMessageBatch', batch({ DelaySeconds: 901 }), 'InvalidParameterValueException'],
    ['SendMessageBatch', { QueueUrl, Entries: [null] }, 'SerializationException'],
    ['SendMessageBatch', { QueueUrl, Entries: ['a'] }, 'SerializationException'],
    ['SendMessageBatch', batch({ Id: 'a'.repeat(81) }), 'InvalidBatchEntryId'],
    ['SendMessageBatch', batch({ Id: '' }), 'InvalidBatchEntryId'],
    ['DeleteMessageBatch', batch({ Id: 'a b', ReceiptHandle: 'x' }), 'InvalidBatchEntryId'],
    ['ChangeMessageVisibilityBatch', batch({ ReceiptHandle: 'x' }), 'MissingRequiredParameterException'],
    ['SendMessage', withAttribute('a', { DataType: 'String' }), 'InvalidParameterValueException'],
    [
      'SendMessage',
      withAttribute('a', { DataType: 'Text', StringValue: 'x' }),
      'InvalidParameterValueException',
    ],
    [
      'SendMessage',
      withAttribute('a', { DataType: 'Number', StringValue: 'x' }),
      'InvalidParameterValueException',
    ],
    ['SendMessage', withAttribute('a', { DataType: 'Binary', BinaryValue: '%' }), 'SerializationException'],
    ['SendMessage', withAttribute('a', { ...text, StringValue: '\ud800' }), 'InvalidParameterValueException'],
    ['SendMessage', withAttribute('', text), 'InvalidParameterValueException'],
    ['SendMessage', withAttribute('a b', text), 'InvalidParameterValueException'],
    ['SendMessage', withAttribute('AWS.x', text), 'InvalidParameterValueException'],
    ['SendMessage', withAttribute('a', {}), 'SerializationException'],
    [
      'SendMessage',
      { ...message, MessageAttributes: Object.fromEntries([...'abcdefghijk'].map((name) => [name, text])) },
      'InvalidParameterValueException',
    ],
    [
      'SendMessage',
      { ...message, MessageSystemAttributes: { Other: text } },
      'InvalidParameterValueException',
    ],
    ['SendMessage', { MessageBody: 'x' }, 'MissingRequiredParameterException'],
    ['CreateQueue', {}, 'MissingRequiredParameterException'],
    ['CreateQueue', { QueueName: '' }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'a b' }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'a/b' }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'a'.repeat(81) }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'a.fifo' }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'a', Attributes: { FifoQueue: 'true' } }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'a', Attributes: { FifoQueue: 'false' } }, 'InvalidAttributeName'],
    ['CreateQueue', { QueueName: 'a', Attributes: { Colour: 'red' } }, 'InvalidAttributeName'],
    ['CreateQueue', { QueueName: 'a', Attributes: { constructor: 'x' } }, 'InvalidAttributeName'],
    ['CreateQueue', { QueueName: 'a', Attributes: { DelaySeconds: 5 } }, 'SerializationException'],
    ['CreateQueue', { QueueName: 'a', Attributes: { DelaySeconds: '' } }, 'InvalidAttributeValue'],
    ['CreateQueue', { QueueName: 'a', Attributes: { DelaySeconds: '0x10' } }, 'InvalidAttributeValue'],
    ['CreateQueue', { QueueName: 'a', Attributes: { DelaySeconds: '901' } }, 'InvalidAttributeValue'],
    ['CreateQueue', { QueueName: 'a', Attributes: { SqsManagedSseEnabled: 'yes' } }, 'InvalidAttributeValue'],
    ['CreateQueue', { QueueName: 'a', Attributes: { Policy: '{' } }, 'InvalidAttributeValue'],
    ['CreateQueue', { QueueName: 'a', tags: { a: 1 } }, 'SerializationException'],
    ['SetQueueAttributes', { QueueUrl }, 'MissingRequiredParameterException'],
    ['SetQueueAttributes', { QueueUrl, Attributes: [] }, 'SerializationException'],
    ['SetQueueAttributes', { QueueUrl, Attributes: { Colour: 'red' } }, 'InvalidAttributeName'],
    ['SetQueueAttributes', { QueueUrl, Attributes: { VisibilityTimeout: '1.5' } }, 'InvalidAttributeValue'],
    ['SetQueueAttributes', { QueueUrl, Attributes: { RedrivePolicy: '[]' } }, 'InvalidAttributeValue'],
    [
      'SetQueueAttributes',
      { QueueUrl, Attributes: { RedrivePolicy: '{"deadLetterTargetArn":"a","maxReceiveCount":0}' } },
      'InvalidAttributeValue',
    ],
    ['GetQueueAttributes', { QueueUrl, AttributeNames: ['toString'] }, 'InvalidAttributeName'],
    ['ListQueues', { MaxResults: 0 }, 'InvalidParameterValueException'],
    ['ListQueues', { MaxResults: 1_001 }, 'InvalidParameterValueException'],
    ['ListQueues', { QueueNamePrefix: {} }, 'SerializationException'],
    ['TagQueue', { QueueUrl }, 'MissingRequiredParameterException'],
    ['constructor', {}, 'UnknownOperationException'],
    ['__proto__', {}, 'UnknownOperationException'],
  ])('%s of %j', async (operation, input, type) => {
    expect(await call(operation, input)).toMatchObject({ status: 400, type });
  });
});

describe('SQS takes', () => {
  it.each<[operation: string, input: object]>([
    ['SendMessage', { ...message, DelaySeconds: 900 }],
    ['SendMessage', { ...message, DelaySeconds: null, MessageAttributes: null, Other: { a: [1] } }],
    ['SendMessage', withAttribute('a.b-c_1', { DataType: 'Number.float', StringValue: '-1.5e3' })],
    ['SendMessage', withAttribute('a', { DataType: 'Binary.png', BinaryValue: 'AA==' })],
    ['SendMessageBatch', batch({ Id: 'a'.repeat(80) })],
    ['CreateQueue', { QueueName: 'a'.repeat(80), Attributes: { DelaySeconds: '5', Policy: '' } }],
    ['CreateQueue', { QueueName: 'b.fifo', Attributes: { FifoQueue: 'true', DeduplicationScope: 'queue' } }],
    ['SetQueueAttributes', { QueueUrl, Attributes: { VisibilityTimeout: '0', RedrivePolicy: '' } }],
    ['GetQueueAttributes', { QueueUrl, AttributeNames: ['All', 'QueueArn'] }],
    ['ListQueues', { MaxResults: 1_000, QueueNamePrefix: 'o' }],
  ])('%s of %j', async (operation, input) => {
    expect(await call(operation, input)).toMatchObject({ status: 200 });
  });

  it('members that it does not know, whatever their names', async () => {
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
      expect(await ask('ListQueues', `{"${name}":{}}`)).toMatchObject({ status: 200 });
      const entry = `{"Id":"a","MessageBody":"x","${name}":{}}`;
      expect(await ask('SendMessageBatch', `{"QueueUrl":"${QueueUrl}","Entries":[${entry}]}`)).toMatchObject({
        status: 200,
      });
    }
  });
});

it('no member of any type is more than a refused request', async () => {
  const operations = [...actions.keys()];
  const names = [
    'MessageBody',
    'DelaySeconds',
    'MessageAttributes',
    'MessageSystemAttributes',
    'MessageDeduplicationId',
    'MessageGroupId',
    'ReceiptHandle',
    'VisibilityTimeout',
    'Id',
    'Attributes',
    'AttributeNames',
    'MessageAttributeNames',
    'MaxNumberOfMessages',
    'MaxResults',
    'NextToken',
    'QueueName',
    'QueueNamePrefix',
    'Tags',
    'tags',
    'TagKeys',
    '__proto__',
    'constructor',
  ];
  const value = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      1,
      -1,
      1e300,
      0.5,
      '',
      'x',
      '\ud800',
      [],
      {},
      [null],
      [{}],
      ['x'],
      { a: 'x' },
      { a: {} },
    ),
    fc.jsonValue({ maxDepth: 3 }),
  );
  const members = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...operations),
      members,
      fc.option(fc.array(fc.oneof(members, value), { maxLength: 3 }), { nil: undefined }),
      async (operation, input, Entries) => {
        queues.create({ name: 'orders', arn: `${ACCOUNT}:orders`, url: QueueUrl, attributes: {} });
        const { status } = await call(operation, { QueueUrl, ...input, Entries, WaitTimeSeconds: 0 });
        expect([200, 400]).toContain(status);
      },
    ),
    { numRuns: 1_000 },
  );
});
